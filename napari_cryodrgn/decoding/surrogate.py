"""A quick stand-in for the decoder: volumes guessed from volumes decoded before.

The decoded volumes are reduced to a few principal components. How much of each a latent
point has is found by kriging: a linear trend in z, and a smooth correction that passes
through the decoded points (Matheron, 1963; kernels: the cube of the distance, Duchon, 1977,
and Matérn's of smoothness 3/2). The error at a point left out is known in closed form
(Dubrule, 1983), so that the kernel is chosen, and the error stated, by points that were not
used for their own guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.records import SurrogateRecord

# Components that explain less than this share of the variance are left out.
_EXPLAINED = 0.9995
_MAX_RANK = 64

# Lengths of the Matérn kernels tried, in units of the points' spread; infinite stands for
# the cube of the distance. Measured on three trained runs: with 32 volumes or more the one
# chosen by leaving out is as good as the best.
_LENGTHS = (np.inf, 2.0, 4.0, 8.0)

# What keeps nearly equal points from making the system singular.
_NUGGET = 1e-8

# Further than this from every decoded point, in units of the distance between decoded
# neighbours, nothing is guessed.
_TRUST_SPACINGS = 2.0

# Where a greater relative error is expected the surrogate is of no use.
_WORST_ERROR = 0.3

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Guesses volumes; made by `fit_surrogate`.

    Parameters
    ----------
    mean : (V,) float32 array
        Mean of the volumes.
    basis : (r, V) float32 array
        Principal components.
    points : (n, zdim) float64 array
        Where the volumes were decoded.
    weights : (n + 1 + zdim, r) float64 array
        Of each point's kernel, and of the trend.
    length : float
        Of the Matérn kernel; infinite for the cube of the distance.
    centre, spread : (zdim,) float64 array and float
        What latent points are shifted and divided by.
    reach : float
        Distance to the nearest point, divided by spread, up to which it is trusted.
    distances, errors : (n,) float64 arrays
        Of each point left out: distance to its nearest neighbour, and relative error.
    record : SurrogateRecord
    """

    mean: npt.NDArray[np.float32]
    basis: npt.NDArray[np.float32]
    points: Array
    weights: Array
    length: float
    centre: Array
    spread: float
    reach: float
    distances: Array
    errors: Array
    record: SurrogateRecord

    def trusts(self, z: npt.ArrayLike) -> bool:
        """Whether a latent point lies among the decoded ones, and little error is expected."""
        near = self._distances_to(z).min() <= self.reach
        return bool(near) and self.expected_error(z) <= _WORST_ERROR

    def expected_error(self, z: npt.ArrayLike) -> float:
        """Relative error to be expected: that of decoded points which are as lonely."""
        distance = self._distances_to(z).min()
        if distance == 0:
            return 0.0
        nearest = np.argsort(np.abs(np.log(self.distances / distance)))
        return float(np.median(self.errors[nearest[: max(5, len(self.errors) // 4)]]))

    def volume(self, z: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The volume guessed at a latent point, (box, box, box)."""
        row = np.concatenate((_kernel(self._distances_to(z), self.length), [1], self._scaled(z)))
        amounts = (row @ self.weights).astype(np.float32)
        return (self.mean + amounts @ self.basis).reshape((self.record.box,) * 3)

    def _scaled(self, z: npt.ArrayLike) -> Array:
        scaled: Array = (np.asarray(z, dtype=np.float64).reshape(-1) - self.centre) / self.spread
        return scaled

    def _distances_to(self, z: npt.ArrayLike) -> Array:
        distances: Array = np.linalg.norm(self.points - self._scaled(z), axis=1)
        return distances


def fewest_points(zdim: int) -> int:
    """Decoded volumes below which there is nothing to guess from."""
    return zdim + 6


def fit_surrogate(
    z_values: npt.NDArray[np.floating], volumes: npt.NDArray[np.float32]
) -> Surrogate | None:
    """Make a surrogate of decoded volumes.

    Parameters
    ----------
    z_values : (n, zdim) array
        Latent points; no two the same.
    volumes : (n, box, box, box) float32 array
        What was decoded there.

    Returns
    -------
    Surrogate or None
        None where the points are too few, or all volumes are the same.
    """
    n, zdim = z_values.shape
    if n < fewest_points(zdim):
        return None
    points = np.asarray(z_values, dtype=np.float64)
    centre = points.mean(axis=0)
    spread = float(np.sqrt(np.square(points - centre).sum(axis=1).mean()))
    points = (points - centre) / spread
    flat = volumes.reshape(n, -1)
    mean = flat.mean(axis=0)
    centred = flat - mean
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    if values[0] <= 0:
        return None
    rank = 1 + int(np.searchsorted(np.cumsum(values) / values.sum(), _EXPLAINED))
    rank = min(rank, _MAX_RANK, n - 1)
    # All components, not only those kept: what is cut off is part of the error.
    amounts = vectors * np.sqrt(values)
    basis = (vectors[:, :rank] / np.sqrt(values[:rank])).astype(np.float32).T @ centred
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    trend = np.hstack((np.ones((n, 1)), points))
    norms = np.linalg.norm(flat, axis=1).astype(np.float64)
    best: tuple[float, float, Array, Array] | None = None
    for length in _LENGTHS:
        kernel = _kernel(distances, length) + _NUGGET * np.eye(n)
        found = _krige(kernel, trend, amounts)
        if found is None:
            continue
        weights, left_out = found
        left_out[:, rank:] = amounts[:, rank:]
        errors = np.linalg.norm(left_out, axis=1) / norms
        if best is None or np.median(errors) < best[0]:
            best = float(np.median(errors)), length, weights, errors
    if best is None:
        return None
    error, length, weights, errors = best
    nearest = np.sort(distances + np.diag(np.full(n, np.inf)), axis=1)[:, 0]
    return Surrogate(
        mean=mean,
        basis=np.ascontiguousarray(basis),
        points=points,
        weights=np.ascontiguousarray(weights[:, :rank]),
        length=length,
        centre=centre,
        spread=spread,
        reach=_TRUST_SPACINGS * float(np.median(nearest)),
        distances=nearest,
        errors=errors,
        record=SurrogateRecord(n, rank, volumes.shape[-1], error),
    )


def _kernel(distances: Array, length: float) -> Array:
    """Covariance by distance, up to what the trend takes care of."""
    if np.isinf(length):
        cubes: Array = distances**3
        return cubes
    scaled = np.sqrt(3) * distances / length
    matern: Array = (1 + scaled) * np.exp(-scaled)
    return matern


def _krige(kernel: Array, trend: Array, amounts: Array) -> tuple[Array, Array] | None:
    """Weights of kernel and trend, and the error at each point left out.

    None where the points do not determine the trend.
    """
    n, m = trend.shape
    system = np.zeros((n + m, n + m))
    system[:n, :n] = kernel
    system[:n, n:], system[n:, :n] = trend, trend.T
    try:
        inverse = np.linalg.inv(system)
    except np.linalg.LinAlgError:
        return None
    # Singular up to rounding: what it would give is noise.
    if not np.abs(system @ inverse - np.eye(n + m)).max() < 1e-3:
        return None
    weights = inverse[:, :n] @ amounts
    diagonal = np.diag(inverse)[:n]
    return weights, weights[:n] / diagonal[:, None]
