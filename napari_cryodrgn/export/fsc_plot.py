"""Picture of FSC curves, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_cryodrgn.export.layout import SMALL, Picture, blank, titled, write
from napari_cryodrgn.export.palette import CANVAS, DIM_TEXT, OUTLINE, TEXT, category_colour

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 16, 44
_LOWEST = -0.2
_SMOOTHING = 2


def plot_fsc(
    frequencies: npt.NDArray[np.floating],
    curves: Mapping[str, npt.NDArray[np.floating]],
    *,
    unit: str,
    title: str,
    note: str = "",
    thresholds: Sequence[float] = (0.5, 0.143),
) -> Picture:
    """Draw Fourier shell correlations against spatial frequency.

    Parameters
    ----------
    frequencies : (S,) array
        Spatial frequencies of the shells, 1 / `unit`.
    curves : mapping of name to (S,) array
        Correlations; drawn and listed in this order.
    unit : str
        Unit of lengths, such as 'Å'.
    title, note : str
        Lines above the plot.
    thresholds : sequence of float
        Where to draw dashed lines.

    Returns
    -------
    (height, width, 3) uint8 array
    """
    image = Image.fromarray(blank(_SMOOTHING * _WIDTH, _SMOOTHING * _HEIGHT))
    draw = ImageDraw.Draw(image)
    frame = _pixels(np.array([0.0, frequencies[-1]]), np.array([1.0, _LOWEST]), frequencies[-1])
    draw.rectangle((*frame[0], *frame[1]), fill=CANVAS, outline=OUTLINE, width=_SMOOTHING)
    for threshold in (0.0, *thresholds):
        (left, y), (right, _) = _pixels(
            np.array([0.0, frequencies[-1]]), np.full(2, threshold), frequencies[-1]
        )
        for start in np.arange(left, right, 12 * _SMOOTHING):
            draw.line((start, y, min(start + 6 * _SMOOTHING, right), y), fill=OUTLINE, width=2)
    for number, values in enumerate(curves.values()):
        points = _pixels(
            np.append(0.0, frequencies),
            np.append(1.0, np.maximum(values, _LOWEST)),
            frequencies[-1],
        )
        draw.line(points, fill=category_colour(number), width=2 * _SMOOTHING, joint="curve")
    small = image.resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)
    return titled(_lettered(np.asarray(small), frequencies[-1], list(curves), unit), title, note)


def _lettered(picture: Picture, last: float, names: list[str], unit: str) -> Picture:
    """Numbers at the axes, and the names of the curves."""
    for value in (0.0, 0.143, 0.5, 1.0):
        (_, y), *_ = _pixels(np.zeros(1), np.full(1, value), last, 1)
        picture = write(
            picture, f"{value:g}", (_LEFT - 8, y), size=SMALL, colour=DIM_TEXT, anchor="rm"
        )
    base = _HEIGHT - _BOTTOM
    for share in (0.25, 0.5, 0.75, 1.0):
        (x, _), *_ = _pixels(np.full(1, share * last), np.zeros(1), last, 1)
        text = f"{1 / (share * last):.3g} {unit}"
        anchor = "ra" if share == 1 else "ma"
        picture = write(picture, text, (x, base + 6), size=SMALL, colour=DIM_TEXT, anchor=anchor)
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    label = "resolution (finer to the right)"
    picture = write(picture, label, (middle, base + 24), size=SMALL, colour=TEXT, anchor="ma")
    for number, name in enumerate(names):
        place = (_WIDTH - _RIGHT - 12, _TOP + 12 + 18 * number)
        colour = category_colour(number)
        picture = write(picture, name, place, size=SMALL, colour=colour, anchor="ra")
    return picture


def _pixels(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.floating],
    last: float,
    scale: int = _SMOOTHING,
) -> list[tuple[float, float]]:
    across = _LEFT + x / last * (_WIDTH - _LEFT - _RIGHT)
    down = _TOP + (1 - y) / (1 - _LOWEST) * (_HEIGHT - _TOP - _BOTTOM)
    return [(scale * float(a), scale * float(b)) for a, b in zip(across, down, strict=True)]
