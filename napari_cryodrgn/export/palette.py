"""Colours of pictures: napari's dark theme, classes, and a scale for quantities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]

# napari's dark theme.
BACKGROUND: Colour = (38, 41, 48)
CANVAS: Colour = (22, 24, 29)
OUTLINE: Colour = (65, 72, 81)
TEXT: Colour = (240, 241, 242)
DIM_TEXT: Colour = (160, 166, 176)
PICK: Colour = (255, 176, 0)
MISSING: Colour = (74, 78, 87)

# Told apart on dark ground, first eight also by the colour-blind (Okabe and Ito, 2008,
# brightened): the same as in the window.
CATEGORIES: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (47, 191, 143),
    (240, 228, 66),
    (224, 123, 57),
    (204, 121, 167),
    (76, 127, 224),
    (214, 69, 80),
    (163, 214, 92),
    (169, 139, 232),
    (95, 214, 214),
    (201, 162, 107),
    (242, 155, 183),
    (127, 154, 59),
    (159, 182, 217),
    (176, 86, 95),
    (111, 191, 79),
    (214, 183, 240),
    (63, 158, 168),
    (232, 199, 160),
)

# Nine of viridis' colours (Smith and van der Walt, 2015, CC0), evenly spaced.
_VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=np.float64,
)


def category_colour(number: int) -> Colour:
    """Colour of a class, counted from 0; they come round again after twenty."""
    return CATEGORIES[number % len(CATEGORIES)]


def scale_colours(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Colours (N, 3) of values from 0 to 1 on viridis; grey where a value is NaN."""
    values = np.asarray(shares, dtype=np.float64)
    known = np.isfinite(values)
    places = np.clip(np.where(known, values, 0), 0, 1) * (len(_VIRIDIS) - 1)
    channels = [np.interp(places, np.arange(len(_VIRIDIS)), column) for column in _VIRIDIS.T]
    colours = np.stack(channels, axis=-1)
    colours[~known] = MISSING
    return np.asarray(np.rint(colours), dtype=np.uint8)
