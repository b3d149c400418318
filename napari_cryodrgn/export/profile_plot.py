"""The density of particles along a path as a strip to put below a plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_cryodrgn.export.layout import SMALL, Picture, write
from napari_cryodrgn.export.palette import CANVAS, DIM_TEXT, OUTLINE, PICK, TEXT, Colour

_FAR: Colour = (214, 69, 80)
_LEFT, _TOP, _BOTTOM = 14, 24, 12
# Seen, a density 150 times lower than the highest one: 5 in natural logarithms.
_LEAST_RANGE = 5.0


def profile_strip(
    log_density: npt.NDArray[np.floating],
    stretches: Sequence[tuple[float, float]],
    size: tuple[int, int],
) -> Picture:
    """A curve of the log density along a path.

    Parameters
    ----------
    log_density : (n,) array
        At evenly spaced places.
    stretches : sequence of (float, float)
        Where the path is far from particles, as shares of it; marked in red.
    size : (int, int)
        Width and height, px.

    Returns
    -------
    (height, width, 3) uint8 array
    """
    width, height = size
    image = Image.new("RGB", size, CANVAS)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, height - 1), outline=OUTLINE)
    floor = height - _BOTTOM
    for begin, end in stretches:
        left, right = place_on_strip(begin, width), place_on_strip(end, width)
        draw.rectangle((left, _TOP, max(right, left + 1), floor), fill=_mixed(_FAR, 0.35))
    top = float(log_density.max())
    low = min(float(log_density.min()), top - _LEAST_RANGE)
    shares = (log_density - low) / (top - low)
    places = [place_on_strip(share, width) for share in np.linspace(0, 1, len(shares))]
    curve = [
        (place, floor - float(share) * (floor - _TOP))
        for place, share in zip(places, shares, strict=True)
    ]
    draw.polygon([(places[0], floor), *curve, (places[-1], floor)], fill=_mixed(TEXT, 0.16))
    draw.line(curve, fill=TEXT, width=2, joint="curve")
    picture = write(
        np.asarray(image), "particle density (log)", (_LEFT, 5), size=SMALL, colour=DIM_TEXT
    )
    if stretches:
        picture = write(
            picture, "far from particles", (width - _LEFT, 5), size=SMALL, colour=_FAR, anchor="ra"
        )
    return picture


def with_place(strip: Picture, share: float) -> Picture:
    """The strip with a line where a share of the path lies behind."""
    height, width = strip.shape[:2]
    image = Image.fromarray(strip)
    x = place_on_strip(share, width)
    ImageDraw.Draw(image).line((x, _TOP - 4, x, height - _BOTTOM + 4), fill=PICK, width=3)
    return np.asarray(image)


def place_on_strip(share: float, width: int) -> float:
    """Pixel column of a share of the path."""
    return _LEFT + share * (width - 1 - 2 * _LEFT)


def _mixed(colour: Colour, share: float) -> Colour:
    """A colour laid thinly over the canvas."""
    red, green, blue = (
        round(share * over + (1 - share) * under)
        for over, under in zip(colour, CANVAS, strict=True)
    )
    return red, green, blue
