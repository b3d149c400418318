"""Density paths: the way of least effective energy between two latent points.

The energy is -log density of the particles. The simplified and improved string method
(E, Ren and Vanden-Eijnden, J. Chem. Phys. 126, 164103, 2007) moves the points of a path down
it and spreads them evenly again, until the path no longer changes: it then runs through the
populated states and over the lowest pass between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.density import LatentDensity
from napari_cryodrgn.latent.path_pace import resampled
from napari_cryodrgn.progress import Progress, Task

POINTS = 40
_MOST_ITERATIONS = 4000
_TOLERANCE = 1e-4
_REPORT_EVERY = 100


@dataclass(frozen=True, eq=False)
class StringResult:
    """A path that the string method found.

    Parameters
    ----------
    points : (n, zdim) float64 array
        From one end to the other, evenly spaced in coordinates of unit variance.
    converged : bool
        Whether it changed by less than 1e-4 of its length in the last step.
    iterations : int
        Steps that it took.
    """

    points: npt.NDArray[np.float64]
    converged: bool
    iterations: int


def density_leg(
    density: LatentDensity,
    starts: list[npt.NDArray[np.float64]],
    scale: Whitening,
    n_points: int = POINTS,
) -> Task[StringResult]:
    """The densest path between two ends.

    Parameters
    ----------
    density : LatentDensity
        Of the particles.
    starts : list of (m, zdim) arrays
        Paths to begin with, all from the same end to the same other end, which are kept. A
        path finds the pass nearest to where it began; of several the one is taken along which
        the mean log density is highest.
    scale : Whitening
        Coordinates in which the energy goes down: those in which the particles have unit
        variance, so that no latent dimension counts for more because its numbers are larger.
    n_points : int
        Points of the path.

    Returns
    -------
    StringResult
    """
    inner = density.seen_through(scale.forward, scale.origin)
    found: list[tuple[float, StringResult]] = []
    for start in starts:
        result = yield from _relaxed(inner, resampled(scale.apply(start), n_points))
        height = float(inner.log_density(resampled(result.points, 4 * n_points)).mean())
        found.append((height, result))
    best = max(found, key=lambda one: one[0])[1]
    points = scale.undo(best.points)
    points[0], points[-1] = starts[0][0], starts[0][-1]
    return StringResult(points, best.converged, best.iterations)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Coordinates y = (z - origin) · forward in which the particles have unit variance."""

    origin: npt.NDArray[np.float64]
    forward: npt.NDArray[np.float64]

    @classmethod
    def of(cls, mu: npt.NDArray[np.floating]) -> Whitening:
        """Of latent coordinates (N, zdim); directions without spread count as very narrow."""
        points = np.asarray(mu, dtype=np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        covariance = np.atleast_2d(np.cov(points.T))
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, 1e-4 * max(float(values.max()), 1e-30))
        return cls(points.mean(axis=0), np.asarray(vectors / np.sqrt(values)))

    def apply(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Coordinates (n, zdim) of latent points."""
        return np.asarray((z - self.origin) @ self.forward)

    def undo(self, y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Latent points (n, zdim) of coordinates."""
        return np.asarray(y @ np.linalg.inv(self.forward) + self.origin)


def _relaxed(density: LatentDensity, points: npt.NDArray[np.float64]) -> Task[StringResult]:
    """Let a path go down the energy in steps that its steepest valley still damps."""
    step = 0.9 / density.steepest
    for iteration in range(1, _MOST_ITERATIONS + 1):
        moved = points.copy()
        push = step * density.gradient(points[1:-1])
        # Far outside all particles the pull is huge: no point overtakes its neighbour.
        spacing = float(np.linalg.norm(np.diff(points, axis=0), axis=1).mean())
        size = np.linalg.norm(push, axis=1, keepdims=True)
        moved[1:-1] += push * np.minimum(1, spacing / np.maximum(size, 1e-300))
        moved = resampled(moved, len(points))
        length = float(np.linalg.norm(np.diff(moved, axis=0), axis=1).sum())
        change = float(np.linalg.norm(moved - points, axis=1).max())
        points = moved
        if change <= _TOLERANCE * length:
            return StringResult(points, True, iteration)
        if iteration % _REPORT_EVERY == 0:
            yield Progress(iteration, None, "Finding the densest path")
    return StringResult(points, False, _MOST_ITERATIONS)
