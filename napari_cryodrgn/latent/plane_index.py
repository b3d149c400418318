"""Points of a plane, found by place: quick to build for a million, and exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_CELLS = 512
"""Cells along a side at most."""

PER_CELL = 4
"""Points in a cell on the average, where there are few enough."""


@dataclass(frozen=True, eq=False)
class PlaneIndex:
    """A uniform grid over points.

    A balanced tree of a million points takes most of a second to build and does not let
    other threads run meanwhile; sorting them into cells takes a tenth of it.

    Parameters
    ----------
    points : (N, 2) float32 array
        The points, finite.
    order : (N,) int64 array
        Positions sorted by cell.
    starts : (side² + 1,) int64 array
        Where each cell begins in `order`, row by row.
    low, step : (2,) float64 array
        Corner of the grid, and size of a cell.
    side : int
        Cells along a side.
    """

    points: npt.NDArray[np.float32]
    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]
    side: int

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Points in each cell, (side, side)."""
        return np.diff(self.starts).reshape(self.side, self.side)

    def inside(self, low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Positions of the points within a rectangle, its edges included, in no order."""
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        found = self._near(low, high)
        places = self.points[found]
        return found[((places >= low) & (places <= high)).all(axis=1)]

    def nearest(self, place: npt.ArrayLike, radius: float = np.inf) -> int | None:
        """Position of the point nearest to a place; None where none lies within the radius."""
        if not len(self.points):
            return None
        here = np.asarray(place, dtype=np.float64)
        beyond = np.maximum(self.low - here, here - (self.low + self.side * self.step))
        reach = float(np.maximum(beyond, 0).max()) + float(self.step.min())
        most = float((np.abs(here - self.low) + self.side * self.step).max())
        while True:
            tried = min(reach, radius)
            found = self._near(here - tried, here + tried)
            if len(found):
                squares = np.square(self.points[found] - here).sum(axis=1)
                best = int(squares.argmin())
                distance = float(np.sqrt(squares[best]))
                if distance <= tried:
                    # The lowest of several positions, whatever the grid.
                    return int(found[squares == squares[best]].min())
                reach = max(distance, 2 * reach)
            else:
                reach *= 2
            if tried >= radius or tried > 2 * most:
                return None

    def _near(
        self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int64]:
        """Positions in all cells that a rectangle touches."""
        first = np.clip((low - self.low) / self.step, 0, self.side - 1).astype(np.int64)
        last = np.clip((high - self.low) / self.step, 0, self.side - 1).astype(np.int64)
        if (first == 0).all() and (last == self.side - 1).all():
            return self.order
        rows = np.arange(first[0], last[0] + 1) * self.side
        begins, ends = self.starts[rows + first[1]], self.starts[rows + last[1] + 1]
        return np.concatenate(
            [self.order[begin:end] for begin, end in zip(begins, ends, strict=True)]
        )


def index_points(points: npt.NDArray[np.float32]) -> PlaneIndex:
    """Sort points into a grid.

    Parameters
    ----------
    points : (N, 2) float32 array
        The points, finite.
    """
    side = int(np.clip(np.sqrt(len(points) / PER_CELL), 1, MOST_CELLS))
    if len(points):
        low = points.min(axis=0).astype(np.float64)
        span = points.max(axis=0).astype(np.float64) - low
    else:
        low, span = np.zeros(2), np.zeros(2)
    step = np.where(span > 0, span, 1.0) * (1 + 1e-6) / side
    cells = np.minimum(((points - low) / step).astype(np.int32), side - 1)
    flat = cells[:, 0] * np.int32(side) + cells[:, 1]
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=side * side)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return PlaneIndex(points, order, starts.astype(np.int64), low, step, side)
