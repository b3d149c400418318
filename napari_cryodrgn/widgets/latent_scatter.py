"""What of many particles is drawn, and how the nearest one to a click is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

MOST_POINTS = 100_000
"""Points drawn at most; beyond it a density image shows the rest."""

DENSITY_SIDE = 512


@dataclass(frozen=True, eq=False)
class Density:
    """How many particles lie where.

    Parameters
    ----------
    image : (512, 512) float32 array
        Logarithm of one more than the number of particles, rows along y.
    corner : (2,) float64 array
        Centre of its first pixel, (y, x).
    step : (2,) float64 array
        Size of its pixels, (y, x).
    """

    image: npt.NDArray[np.float32]
    corner: npt.NDArray[np.float64]
    step: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scatter:
    """N particles made ready to be drawn and clicked on.

    Parameters
    ----------
    points : (N, 2) float32 array
        Where they lie, (y, x).
    drawn : (M,) int64 array
        Positions of those that are drawn, ascending.
    placed : (K,) int64 array
        Positions of those that lie somewhere, whose coordinates are finite.
    tree : cKDTree
        Over the placed ones.
    density : Density or None
        Of all placed ones, where not all are drawn.
    """

    points: npt.NDArray[np.float32]
    drawn: npt.NDArray[np.int64]
    placed: npt.NDArray[np.int64]
    tree: cKDTree
    density: Density | None

    @property
    def shown_text(self) -> str:
        """'showing X of N', with what the difference is made of."""
        n, drawn, lost = len(self.points), len(self.drawn), len(self.points) - len(self.placed)
        text = f"showing {drawn:,} of {n:,} particles"
        return f"{text}, {lost:,} without a value" if lost else text

    def nearest(self, place: npt.ArrayLike, radius: float) -> int | None:
        """Position of the particle nearest to a place (y, x), of all N; None beyond the radius."""
        if not len(self.placed):
            return None
        distance, index = self.tree.query(place, distance_upper_bound=radius)
        return int(self.placed[index]) if np.isfinite(distance) else None


def prepare_scatter(
    points: npt.NDArray[np.float32],
    groups: npt.NDArray[np.int64] | None = None,
    most: int = MOST_POINTS,
) -> Scatter:
    """Choose which particles are drawn, and index all of them.

    Parameters
    ----------
    points : (N, 2) float32 array
        Where they lie, (y, x); NaN for those that lie nowhere.
    groups : (N,) int array, optional
        Clusters; each keeps its share, and a few points at least.
    most : int
        Points to draw at most.
    """
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    there = points[placed]
    drawn, density = placed, None
    if len(placed) > most:
        drawn = placed[_sample(len(placed), None if groups is None else groups[placed], most)]
        density = _density(there)
    # Balanced trees take several times longer to build and answer no faster here.
    tree = cKDTree(there, balanced_tree=False, compact_nodes=False)
    return Scatter(points, drawn, placed, tree, density)


def _sample(n: int, groups: npt.NDArray[np.int64] | None, most: int) -> npt.NDArray[np.int64]:
    """Ascending positions of a fixed random choice, a like share of every group."""
    rng = np.random.default_rng(0)
    if groups is None:
        return np.sort(rng.choice(n, most, replace=False))
    order = rng.permutation(n)
    chosen = []
    for group in np.unique(groups):
        members = order[groups[order] == group]
        share = max(min(len(members), 50), len(members) * most // n)
        chosen.append(members[:share])
    return np.sort(np.concatenate(chosen))


def _density(points: npt.NDArray[np.float32]) -> Density:
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    span = np.where(high > low, high - low, 1.0)
    low, high = low - 0.01 * span, high + 0.01 * span
    bounds = [(low[0], high[0]), (low[1], high[1])]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=DENSITY_SIDE, range=bounds)
    step = (high - low) / DENSITY_SIDE
    return Density(np.log1p(counts).astype(np.float32), low + step / 2, step)
