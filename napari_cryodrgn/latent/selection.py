"""Selections of particles: which points of a plot lie within a shape, and what a selection is.

Shapes are exact and concern every particle, whatever a window draws of them.
A point with NaN or an infinite coordinate lies within none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import ParticleRows

Combine = Literal["replace", "add", "subtract", "intersect"]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

# Points worked through at a time: what is needed of them stays in the processor's cache.
_CHUNK = 1 << 15


@dataclass(frozen=True, eq=False)
class NamedSelection:
    """Particles that were selected and given a name.

    Parameters
    ----------
    name : str
        Unique within a run.
    colour : str
        "#rrggbb".
    mask : (N,) bool array
        Which particles of the latent space belong to it; read-only.
    note : str
        What the person wrote about it.
    made : str
        How it was made: "lasso in UMAP1, UMAP2".
    rows : ParticleRows
        The N particles that `mask` speaks of.
    """

    name: str
    colour: str
    mask: Mask
    note: str
    made: str
    rows: ParticleRows

    @property
    def count(self) -> int:
        """Particles in the selection."""
        return int(np.count_nonzero(self.mask))

    @property
    def particles(self) -> ParticleRows:
        """The selected particles themselves, in the order of the latent space."""
        return self.rows.at(np.flatnonzero(self.mask))


def combined(before: Mask, mask: Mask, how: Combine) -> Mask:
    """A selection after something was done to it.

    Parameters
    ----------
    before, mask : (N,) bool array
        What was selected, and what is now given.
    how : {"replace", "add", "subtract", "intersect"}

    Returns
    -------
    (N,) bool array
        Of its own.
    """
    if how == "replace":
        return mask.copy()
    if how == "add":
        return before | mask
    if how == "subtract":
        return before & ~mask
    if how == "intersect":
        return before & mask
    raise InputError(f"one of {', '.join(get_args(Combine))} was expected", value=how)


def inside_polygon(points: Floats, polygon: Floats) -> Mask:
    """Which points lie within a polygon, by the even-odd rule.

    A polygon may cross itself; what its outline goes round twice is outside. It is closed
    from its last vertex to its first. Of the outline itself, left and bottom edges belong
    to it and right and top edges do not (a point is compared with an edge by y in a half-open
    interval, and lies left of it strictly), so that of two polygons that share an edge
    each point on it belongs to exactly one.

    Parameters
    ----------
    points : (N, 2) array
        Coordinates. Which axis comes first does not matter as long as `polygon` has the same,
        but for the rule about edges: the first axis is y, as napari has it.
    polygon : (M, 2) array
        Vertices in order. With fewer than three nothing lies within.

    Returns
    -------
    (N,) bool array

    Notes
    -----
    The points are put in the M - 1 bands between the vertices' heights; an edge is compared
    only with the bands that it crosses. For coordinates in single precision the
    comparison is exact: no rounding happens in the differences and products.
    """
    corners = _checked(polygon, "polygon")
    y, x = _finite_columns(points)
    inside = np.zeros(len(y), dtype=np.bool_)
    if len(corners) < 3:
        return inside
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((y >= low[0]) & (y < high[0]) & (x >= low[1]) & (x < high[1]))
    heights = np.unique(corners[:, 0])
    # 16 bits are sorted by radix, ten times as fast as coordinates are.
    small = np.uint16 if len(heights) < 1 << 16 else np.int64
    band = np.searchsorted(heights, y[near], side="right").astype(small)
    order = near[np.argsort(band, kind="stable")]
    begins = np.concatenate([[0], np.cumsum(np.bincount(band, minlength=len(heights) + 1))])
    sorted_y, sorted_x = y[order], x[order]
    odd = np.zeros(len(order), dtype=np.bool_)
    first, last = _upward_edges(corners)
    from_band = np.searchsorted(heights, first[:, 0], side="right")
    to_band = np.searchsorted(heights, last[:, 0], side="right")
    for start, end, lower, upper in zip(first, last, from_band, to_band, strict=True):
        rise, run = end - start
        for begin in range(begins[lower], begins[upper], _CHUNK):
            part = slice(begin, min(begin + _CHUNK, begins[upper]))
            odd[part] ^= run * (sorted_y[part] - start[0]) > rise * (sorted_x[part] - start[1])
    inside[order] = odd
    return inside


def inside_rectangle(points: Floats, corner: Floats, opposite: Floats) -> Mask:
    """Which points lie within a rectangle along the axes, its outline included.

    Parameters
    ----------
    points : (N, 2) array
        Coordinates.
    corner, opposite : (2,) array
        Any two opposite corners.

    Returns
    -------
    (N,) bool array
    """
    corners = _checked(np.stack([np.asarray(corner), np.asarray(opposite)]), "rectangle")
    low, high = corners.min(axis=0), corners.max(axis=0)
    y, x = _finite_columns(points)
    inside: Mask = (y >= low[0]) & (y <= high[0]) & (x >= low[1]) & (x <= high[1])
    return inside


def inside_brush(points: Floats, stroke: Floats, radius: float) -> Mask:
    """Which points a round brush has passed over, its rim included.

    The brush moves straight from one place of the stroke to the next, so that quick
    movements leave no gaps: a point is inside where its distance from the line through the
    places is at most `radius`. A stroke of one place is a disc.

    Parameters
    ----------
    points : (N, 2) array
        Coordinates.
    stroke : (M, 2) array
        Places of the brush, in order.
    radius : float
        In the units of the coordinates; in both axes the same.

    Returns
    -------
    (N,) bool array
    """
    places = _checked(stroke, "stroke")
    y, x = _finite_columns(points)
    inside = np.zeros(len(y), dtype=np.bool_)
    if not len(places) or not radius >= 0:
        return inside
    low, high = places.min(axis=0) - radius, places.max(axis=0) + radius
    near = np.flatnonzero((y >= low[0]) & (y <= high[0]) & (x >= low[1]) & (x <= high[1]))
    near = near[np.argsort(y[near])]
    near_y, near_x = y[near], x[near]
    covered = np.zeros(len(near), dtype=np.bool_)
    ends = places[1:] if len(places) > 1 else places
    for start, end in zip(places, ends, strict=False):
        lowest, highest = sorted((float(start[0]), float(end[0])))
        begin = int(np.searchsorted(near_y, lowest - radius, side="left"))
        stop = int(np.searchsorted(near_y, highest + radius, side="right"))
        left, right = sorted((float(start[1]), float(end[1])))
        strip = near_x[begin:stop]
        close = begin + np.flatnonzero((strip >= left - radius) & (strip <= right + radius))
        close = close[~covered[close]]
        covered[close] = _near_segment(near_y[close], near_x[close], start, end, radius)
    inside[near] = covered
    return inside


def nearest_k(points: Floats, place: Floats, k: int) -> npt.NDArray[np.int64]:
    """The k points nearest to a place.

    Parameters
    ----------
    points : (N, D) array
        Coordinates, in a plot or in the latent space itself.
    place : (D,) array
        The place.
    k : int
        How many; all finite points where there are no more.

    Returns
    -------
    (k,) int64 array
        Their positions, nearest first; of equally near ones the lower position first.
    """
    coordinates = np.asarray(points)
    squared = np.zeros(len(coordinates))
    for axis, value in enumerate(np.asarray(place, dtype=np.float64)):
        squared += np.square(coordinates[:, axis] - value)
    squared[~np.isfinite(squared)] = np.inf
    wanted = min(max(0, k), int(np.count_nonzero(np.isfinite(squared))))
    if wanted == 0:
        return np.zeros(0, dtype=np.int64)
    farthest = np.partition(squared, wanted - 1)[wanted - 1]
    candidates = np.flatnonzero(squared <= farthest)
    return candidates[np.argsort(squared[candidates], kind="stable")][:wanted].astype(np.int64)


def _near_segment(y: Floats, x: Floats, start: Floats, end: Floats, radius: float) -> Mask:
    """Which points lie within a distance of a line from one place to another."""
    (rise, run), (y0, x0) = end - start, start
    length = rise * rise + run * run
    from_y, from_x = y - y0, x - x0
    if length > 0:
        along = np.clip((from_y * rise + from_x * run) / length, 0.0, 1.0)
        from_y, from_x = from_y - along * rise, from_x - along * run
    near: Mask = from_y * from_y + from_x * from_x <= radius * radius
    return near


def _upward_edges(corners: Floats) -> tuple[Floats, Floats]:
    """Lower and upper end of each edge of a polygon; level edges are never crossed."""
    following = np.roll(corners, -1, axis=0)
    rising = (corners[:, 0] < following[:, 0])[:, None]
    first, last = np.where(rising, corners, following), np.where(rising, following, corners)
    sloped = first[:, 0] < last[:, 0]
    return first[sloped], last[sloped]


def _checked(shape: Floats, what: str) -> npt.NDArray[np.float64]:
    corners = np.asarray(shape, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise InputError("places have two coordinates each", field=what, value=corners.shape)
    if not np.isfinite(corners).all():
        raise InputError("it has coordinates that are NaN or infinite", field=what)
    return corners


def _finite_columns(points: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The two columns in double precision; both NaN where one is not finite: within nothing."""
    y, x = np.asarray(points).astype(np.float64).T
    bad = ~(np.isfinite(y) & np.isfinite(x))
    if bad.any():
        y, x = np.where(bad, np.nan, y), np.where(bad, np.nan, x)
    return np.ascontiguousarray(y), np.ascontiguousarray(x)
