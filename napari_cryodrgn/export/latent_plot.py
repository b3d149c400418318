"""Plots of a latent space, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_cryodrgn.export.layout import SMALL, Picture, text_width, write
from napari_cryodrgn.export.palette import (
    CANVAS,
    DIM_TEXT,
    OUTLINE,
    PICK,
    TEXT,
    Colour,
    category_colour,
    scale_colours,
)

_SUPERSAMPLING = 2
_EDGE = 26
_LEGEND_LINE = 20


@dataclass(frozen=True, eq=False)
class LatentPlot:
    """A finished scatter plot on which places can be marked.

    Parameters
    ----------
    picture : (size, size, 3) uint8 array
        The plot.
    low, scale : (2,) float64 array, float
        Data place (x, y) maps to pixel _EDGE + (place - low) · scale, y upwards.
    """

    picture: Picture
    low: npt.NDArray[np.float64]
    scale: float

    def pixels(self, places: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Pixels (x, y) of data places (n, 2)."""
        return _pixels(np.asarray(places, np.float64), self.low, self.scale, len(self.picture))

    def marked(self, place: npt.ArrayLike, colour: Colour = PICK, radius: float = 8.0) -> Picture:
        """The plot with a ring at one data place (x, y)."""
        (x, y) = self.pixels(np.atleast_2d(np.asarray(place)))[0]
        image = Image.fromarray(self.picture)
        draw = ImageDraw.Draw(image)
        for wider, shade, width in ((1.5, CANVAS, 5), (0.0, colour, 3)):
            reach = radius + wider
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=shade, width=width)
        return np.asarray(image)

    def numbered(self, places: npt.ArrayLike, numbers: Sequence[int]) -> Picture:
        """The plot with numbers at data places (n, 2)."""
        picture = self.picture
        for (x, y), number in zip(self.pixels(places), numbers, strict=True):
            for shift_x, shift_y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                place = (x + shift_x, y + shift_y)
                picture = write(picture, str(number), place, colour=CANVAS, anchor="mm")
            picture = write(picture, str(number), (x, y), anchor="mm")
        return picture

    def with_path(self, places: npt.ArrayLike) -> LatentPlot:
        """The plot with a line through data places (n, 2)."""
        image = Image.fromarray(self.picture)
        points = [(float(x), float(y)) for x, y in self.pixels(places)]
        ImageDraw.Draw(image).line(points, fill=TEXT, width=2, joint="curve")
        return LatentPlot(np.asarray(image), self.low, self.scale)


def plot_classes(
    places: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    *,
    size: int = 480,
    legend: bool = True,
) -> LatentPlot:
    """Points coloured by class.

    Parameters
    ----------
    places : (N, 2) array
        Coordinates, for instance a UMAP.
    labels : (N,) int array
        Class of each point, a position in `names`; negative for none.
    names : sequence of str
        What each class is.
    size : int
        Side of the plot, px.
    legend : bool
        Name the classes in the plot.
    """
    colours = np.array([category_colour(number) for number in range(len(names))], np.uint8)
    plot = _plot(places, np.where(labels[:, None] >= 0, colours[labels], 90), size)
    if not legend:
        return plot
    image = Image.fromarray(plot.picture)
    draw = ImageDraw.Draw(image)
    for number, name in enumerate(names):
        y = size - 16 - _LEGEND_LINE * (len(names) - 1 - number)
        draw.ellipse((14, y - 5, 24, y + 5), fill=category_colour(number))
        image = Image.fromarray(write(np.asarray(image), name, (32, y), size=SMALL, anchor="lm"))
        draw = ImageDraw.Draw(image)
    return LatentPlot(np.asarray(image), plot.low, plot.scale)


def plot_quantity(
    places: npt.NDArray[np.floating],
    values: npt.NDArray[np.floating],
    *,
    low: float,
    high: float,
    ends: tuple[str, str],
    size: int = 480,
) -> LatentPlot:
    """Points coloured by a quantity.

    Parameters
    ----------
    places : (N, 2) array
        Coordinates.
    values : (N,) array
        The quantity; NaN for none.
    low, high : float
        Values at the ends of the scale.
    ends : (str, str)
        What to write at its ends.
    size : int
        Side of the plot, px.
    """
    shares = (np.asarray(values, np.float64) - low) / (high - low)
    plot = _plot(places, scale_colours(shares), size)
    picture = plot.picture.copy()
    left = 16 + text_width(ends[0], SMALL) + 8
    length = max(8, min(120, size - left - text_width(ends[1], SMALL) - 24))
    bar = scale_colours(np.linspace(0, 1, length))
    picture[size - 22 : size - 12, left : left + length] = bar
    picture = write(picture, ends[0], (16, size - 17), size=SMALL, anchor="lm")
    picture = write(picture, ends[1], (left + length + 8, size - 17), size=SMALL, anchor="lm")
    return LatentPlot(picture, plot.low, plot.scale)


def with_axes(picture: Picture, x: str, y: str) -> Picture:
    """A plot with the names of its axes at their ends."""
    size = len(picture)
    named = write(picture, x, (size - 12, size - 10), size=SMALL, colour=DIM_TEXT, anchor="rs")
    return write(named, y, (12, 10), size=SMALL, colour=DIM_TEXT)


def _plot(
    places: npt.NDArray[np.floating], colours: npt.NDArray[np.integer], size: int
) -> LatentPlot:
    """Points in a frame; those drawn last lie on top, in an order that favours no class."""
    data = np.asarray(places, np.float64)
    low, high = data.min(axis=0), data.max(axis=0)
    middle, extent = (low + high) / 2, float((high - low).max()) or 1.0
    scale = (size - 2 * _EDGE) / extent
    low = middle - extent / 2
    side = size * _SUPERSAMPLING
    image = Image.new("RGB", (side, side), CANVAS)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, side - 1, side - 1), outline=OUTLINE, width=_SUPERSAMPLING)
    radius = _SUPERSAMPLING * float(np.clip(110 / np.sqrt(len(data)), 1.0, 4.0))
    pixels = _pixels(data, low, scale, size) * _SUPERSAMPLING
    for number in np.random.default_rng(0).permutation(len(data)):
        x, y = pixels[number]
        red, green, blue = (int(value) for value in colours[number])
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(red, green, blue))
    small = image.resize((size, size), Image.Resampling.BOX)
    return LatentPlot(np.asarray(small), low, scale)


def _pixels(
    places: npt.NDArray[np.float64], low: npt.NDArray[np.float64], scale: float, size: int
) -> npt.NDArray[np.float64]:
    pixels = _EDGE + (places - low) * scale
    pixels[:, 1] = size - pixels[:, 1]
    return pixels
