"""What lies along a path: how many particles, and where it leaves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_pace import resampled

POINTS = 200


@dataclass(frozen=True, eq=False)
class PathProfile:
    """Density and distance from the particles along a path.

    Parameters
    ----------
    share : (n,) float64 array
        How much of the path lies behind, 0 to 1, by its length in z.
    points : (n, zdim) float64 array
        The places.
    log_density : (n,) float64 array
        Natural logarithm of the particles' density.
    distance : (n,) float64 array
        To the nearest particle, in typical distances between neighbours; in z itself where
        all particles lie on one point.
    far : (n,) bool array
        Where that is more than 99 % of the particles keep to their nearest neighbour.
    """

    share: npt.NDArray[np.float64]
    points: npt.NDArray[np.float64]
    log_density: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]
    far: npt.NDArray[np.bool_]

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """The far stretches, as shares of the path where each begins and ends."""
        edges = np.diff(np.concatenate([[0], self.far.astype(np.int8), [0]]))
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        return [
            (float(self.share[begin]), float(self.share[end]))
            for begin, end in zip(begins, ends, strict=True)
        ]

    @property
    def mean_log_density(self) -> float:
        """Mean over the length of the path."""
        return float(self.log_density.mean())

    @property
    def far_share(self) -> float:
        """Share of the path that is far from particles."""
        return float(self.far.mean())


def path_profile(
    points: npt.NDArray[np.floating], field: LatentField, n: int = POINTS
) -> PathProfile:
    """Measure a path at evenly spaced places.

    Parameters
    ----------
    points : (M, zdim) array
        Its points, such as those of a ``RoutedPath`` or of frames.
    field : LatentField
        Of the latent space. Its density is fitted where that has not been done.
    n : int
        Places.

    Returns
    -------
    PathProfile
    """
    places = resampled(np.asarray(points, dtype=np.float64), n)
    distance, _ = field.nearest(places)
    typical = field.neighbours.typical
    return PathProfile(
        np.linspace(0, 1, n),
        places,
        field.density.log_density(places),
        distance / (typical if typical > 0 else 1.0),
        distance > field.neighbours.far_distance,
    )
