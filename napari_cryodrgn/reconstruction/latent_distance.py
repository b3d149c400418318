"""How far particles lie from a latent point, in units of how well the encoder places them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Dimensions that the encoder claims to know better than this are not trusted further.
_LEAST_SPREAD = 1e-3


def latent_distances(
    mu: npt.NDArray[np.floating],
    logvar: npt.NDArray[np.floating] | None,
    z: npt.ArrayLike,
) -> npt.NDArray[np.float64]:
    """Distance of each particle from a latent point.

    Parameters
    ----------
    mu : (N, zdim) array
        Latent means.
    logvar : (N, zdim) array or None
        Log variances of the encoder; without them the spread of the particles is the unit.
    z : (zdim,) array-like
        The point.

    Returns
    -------
    (N,) float64 array
        √Σ (z − μ)² / σ²; σ² is the median variance of the dimension over all particles, so
        that dimensions the encoder is unsure of count little, and no particle seems
        near only because its own place is uncertain.
    """
    means = np.asarray(mu, np.float64)
    variances = means.var(axis=0) if logvar is None else np.exp(np.median(logvar, axis=0))
    squared = np.square(means - np.asarray(z, np.float64))
    return np.asarray(np.sqrt((squared / np.maximum(variances, _LEAST_SPREAD**2)).sum(axis=1)))
