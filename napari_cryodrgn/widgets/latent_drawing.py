"""What the canvas draws of one view of the particles, made ready on a thread beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtGui import QColor

from napari_cryodrgn.widgets.latent_colours import Colouring
from napari_cryodrgn.widgets.latent_scatter import DENSITY_SIDE, Projection, Region, Scatter

Masks = Sequence[tuple[npt.NDArray[np.bool_], str]]

DENSITY_COLOUR = np.array([140, 145, 158], np.float32)
DENSITY_OPACITY = 140.0
DIMMED = 0.3
"""Opacity of the particles outside all selections."""

POINT_OPACITY = 0.9


@dataclass(frozen=True, eq=False)
class Density:
    """How many particles lie where, as a picture.

    Parameters
    ----------
    image : (512, 512, 4) uint8 array
        Rows along y; the more particles, the less transparent; tinted by the selections.
    counts : (512, 512) int array
        Particles in each pixel.
    corner : (2,) float64 array
        Corner of its first pixel, (y, x).
    step : (2,) float64 array
        Size of its pixels, (y, x).
    """

    image: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]
    corner: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawing:
    """One view of the particles.

    Parameters
    ----------
    drawn : (M,) int64 array
        Positions of the particles drawn, those selected last.
    places : (M, 3) float32 array
        Where, (x, y, third), as OpenGL takes them.
    rgba : (M, 4) float32 array
        In which colours.
    density : Density or None
        Of all in the region, where not all of them are drawn.
    text : str
        'showing X of N', with what the difference is made of.
    whole : bool
        Whether all that the view shows is drawn.
    """

    drawn: npt.NDArray[np.int64]
    places: npt.NDArray[np.float32]
    rgba: npt.NDArray[np.float32]
    density: Density | None
    text: str
    whole: bool


def make_drawing(
    scatter: Scatter,
    colouring: Colouring,
    masks: Masks,
    *,
    most: int,
    region: Region | None = None,
    projection: Projection | None = None,
) -> Drawing:
    """Choose and colour what is drawn.

    Parameters
    ----------
    scatter : Scatter
        The particles.
    colouring : Colouring
        Their colours.
    masks : sequence of (mask (N,), colour)
        Selections, later ones over earlier.
    most : int
        Points to draw at most.
    region : (low, high), optional
        What of two axes is in view; everything without it.
    projection : Projection, optional
        How three axes are seen.
    """
    seen = scatter.seen(region, projection)
    whole = len(seen) <= most
    marks = [mask for mask, _ in masks]
    if whole:
        chosen = seen
    elif marks:
        # Half of the points for the selected, however few of all they are.
        picked = np.logical_or.reduce([mask[scatter.placed[seen]] for mask in marks])
        few = scatter.choose(seen[picked], most // 2)
        chosen = np.concatenate([scatter.choose(seen[~picked], most - len(few)), few])
    else:
        chosen = scatter.choose(seen, most)
    drawn = np.sort(scatter.placed[chosen])
    if marks:
        picked = np.logical_or.reduce([mask[drawn] for mask in marks])
        drawn = np.concatenate([drawn[~picked], drawn[picked]])
    density = None
    if not whole and scatter.index is not None:
        density = _density(scatter, scatter.index.points[seen], seen, masks, region)
    places = np.zeros((len(drawn), 3), np.float32)
    places[:, : scatter.points.shape[1]] = scatter.points[drawn][:, ::-1]
    text = shown_text(scatter, len(drawn), whole=whole and len(seen) < len(scatter.placed))
    rgba = _colours(colouring, masks, drawn)
    return Drawing(drawn, places, rgba, density, text, whole)


def shown_text(scatter: Scatter, n_drawn: int, *, whole: bool) -> str:
    """'showing X of N', with what the difference is made of."""
    n, lost = len(scatter.points), len(scatter.points) - len(scatter.placed)
    text = f"showing {n_drawn:,} of {n:,} particles"
    if whole:
        text += " (every one in view)"
    return f"{text}, {lost:,} without a value" if lost else text


def _colours(
    colouring: Colouring, masks: Masks, drawn: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    rgba = colouring.of(drawn)
    rgba[:, 3] = DIMMED if masks else POINT_OPACITY
    for mask, colour in masks:
        rgba[mask[drawn]] = QColor(colour).getRgbF()
    return rgba


def _density(
    scatter: Scatter,
    places: npt.NDArray[np.float32],
    seen: npt.NDArray[np.int64],
    masks: Masks,
    region: Region | None,
) -> Density:
    low, high = (scatter.low, scatter.high) if region is None else region
    span = np.where(high > low, high - low, 1.0)
    step = span * (1 + 1e-6) / DENSITY_SIDE
    cells = np.clip((places - low) / step, 0, DENSITY_SIDE - 1).astype(np.int32)
    flat = cells[:, 0] * np.int32(DENSITY_SIDE) + cells[:, 1]
    size = DENSITY_SIDE * DENSITY_SIDE
    counts = np.bincount(flat, minlength=size)
    depth = np.log1p(counts).astype(np.float32)
    depth /= max(float(depth.max()), 1e-6)
    image = np.empty((size, 4), np.float32)
    image[:, :3] = DENSITY_COLOUR
    image[:, 3] = depth * DENSITY_OPACITY * (0.6 if masks else 1.0)
    for mask, colour in masks:
        part = np.bincount(flat[mask[scatter.placed[seen]]], minlength=size)
        there = part > 0
        image[there, :3] = QColor(colour).getRgb()[:3]
        share = np.log1p(part[there]) / max(float(np.log1p(part.max())), 1e-6)
        image[there, 3] = np.maximum(image[there, 3], 90 + 130 * share)
    shape = (DENSITY_SIDE, DENSITY_SIDE)
    return Density(image.astype(np.uint8).reshape(*shape, 4), counts.reshape(shape), low, step)
