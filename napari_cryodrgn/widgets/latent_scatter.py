"""What of many particles is drawn of a view, and how the one that the mouse means is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.plane_index import PlaneIndex, index_points

MOST_POINTS = 100_000
"""Points drawn at most; beyond it a density image shows the rest."""

DENSITY_SIDE = 512

FEW = 50
"""Particles of a cluster that are drawn before others have their share."""

Region = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Lowest and highest (y, x)."""


@dataclass(frozen=True, eq=False)
class Projection:
    """How three axes are seen: px from the middle of the canvas, y up.

    Parameters
    ----------
    matrix : (3, 2) float64 array
        From (third, y, x) to (y, x) on the screen.
    offset : (2,) float64 array
        Where the origin is seen.
    size : (2,) float64 array
        Height and width of the canvas.
    """

    matrix: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]

    def places(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(N, 3) points as (N, 2) places on the screen."""
        return points @ self.matrix.astype(np.float32) + self.offset.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Scatter:
    """N particles made ready to be drawn and found.

    Parameters
    ----------
    points : (N, 2) or (N, 3) float32 array
        Where they lie, (y, x) or (third, y, x); NaN for those that lie nowhere.
    placed : (K,) int64 array
        Positions of those that lie somewhere.
    index : PlaneIndex or None
        Over the placed ones; None of three axes, where the view decides what is near.
    turn : (K,) float32 array
        Those with the lowest are drawn first where not all can be.
    low, high : (2 or 3,) float64 array
        Between which they lie.
    """

    points: npt.NDArray[np.float32]
    placed: npt.NDArray[np.int64]
    index: PlaneIndex | None
    turn: npt.NDArray[np.float32]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def nearest(self, place: npt.ArrayLike, radius: float = np.inf) -> int | None:
        """Position of the particle nearest to a place (y, x), of all N; None beyond the radius."""
        found = None if self.index is None else self.index.nearest(place, radius)
        return None if found is None else int(self.placed[found])

    def seen(self, region: Region | None, projection: Projection | None) -> npt.NDArray[np.int64]:
        """Which of the placed ones a view shows, all without one."""
        if self.index is None:
            if projection is None:
                return np.arange(len(self.placed))
            there = projection.places(self.points[self.placed])
            return np.flatnonzero((np.abs(there) <= projection.size / 2).all(axis=1))
        return self.index.order if region is None else self.index.inside(*region)

    def choose(self, seen: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
        """At most so many of some of the placed ones, each cluster with its share."""
        if len(seen) <= most:
            return seen
        return seen[np.argpartition(self.turn[seen], most)[:most]]


def prepare_scatter(
    points: npt.NDArray[np.float32], groups: npt.NDArray[np.int64] | None = None
) -> Scatter:
    """Sort particles by place, and say which are drawn first.

    Parameters
    ----------
    points : (N, 2) or (N, 3) float32 array
        Where they lie, (y, x) or (third, y, x); NaN for those that lie nowhere.
    groups : (N,) int array, optional
        Clusters; each keeps its share, and a few points at least.
    """
    finite = np.isfinite(points).all(axis=1)
    placed = np.flatnonzero(finite)
    there = points if len(placed) == len(points) else points[placed]
    index = index_points(there) if points.shape[1] == 2 else None
    if len(placed):
        low, high = there.min(axis=0).astype(float), there.max(axis=0).astype(float)
    else:
        low, high = np.zeros(points.shape[1]), np.ones(points.shape[1])
    return Scatter(
        points,
        placed,
        index,
        _turns(len(placed), None if groups is None else groups[placed]),
        low,
        high,
    )


def _turns(n: int, groups: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float32]:
    """A fixed random order in which a like share of every group comes at any point.

    Sorting lets other threads run, which shuffling does not.
    """
    drawn = np.random.default_rng(0).random(n, dtype=np.float32)
    if groups is None or not n:
        return drawn
    shuffled = np.argsort(drawn, kind="stable")
    low = int(groups.min())
    codes = (groups[shuffled] - low).astype(np.uint16)  # 16 bits sort by radix
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ordered = codes[order]
    rank = np.arange(n) - starts[ordered]
    turn = np.empty(n, np.float32)
    turn[shuffled[order]] = (rank + 0.5) / counts[ordered] - (rank < FEW)
    return turn
