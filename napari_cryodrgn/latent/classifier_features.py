"""What tells junk from particles: columns made from what a run holds, without any image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from napari_cryodrgn.latent.neighbours import MOST_TREE_DIMENSIONS
from napari_cryodrgn.progress import Progress, Stopwatch, Task

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace

KNN_COLUMN, LOGVAR_COLUMN, LIKELIHOOD_COLUMN = "knn_distance", "logvar_mean", "gmm_likelihood"
N_NEAREST = 10
# Distances among a sample grow by the same factor everywhere, and rank particles alike.
_MOST_COMPARED = 50_000
_MOST_FITTED = 50_000
_COMPONENTS = 8
_CHUNK = 20_000
_SEED = 0


def outlier_columns(latent: LatentSpace) -> Task[pd.DataFrame]:
    """Columns by which odd particles stand out.

    Parameters
    ----------
    latent : LatentSpace

    Returns
    -------
    DataFrame
        N rows: ``z_norm``, ``knn_distance`` (mean distance to the 10 nearest particles in
        z, of 50,000 drawn at random where there are more), ``gmm_likelihood`` (logarithm of
        the density of a mixture of eight Gaussians), and, where the encoder gives one,
        ``logvar_mean`` (mean log variance: how unsure the encoder is).
    """
    mu = latent.mu
    columns: dict[str, npt.NDArray[np.floating]] = {"z_norm": np.linalg.norm(mu, axis=1)}
    columns[KNN_COLUMN] = yield from _knn_distance(mu)
    yield Progress(0.9, 1.0, "Gaussian mixture")
    columns[LIKELIHOOD_COLUMN] = _mixture_likelihood(mu)
    if latent.logvar is not None:
        columns[LOGVAR_COLUMN] = latent.logvar.mean(axis=1)
    yield Progress(1.0, 1.0, "Outlier columns", 0.0)
    return pd.DataFrame(columns)


def classifier_features(latent: LatentSpace, outliers: pd.DataFrame) -> npt.NDArray[np.float64]:
    """What the few-click classifier sees of each particle.

    Parameters
    ----------
    latent : LatentSpace
    outliers : DataFrame
        Of `outlier_columns`.

    Returns
    -------
    (N, F) float64 array
        z, ‖z‖, the logarithm of the neighbours' distance, and the encoder's mean log variance
        where there is one; each with mean 0 and standard deviation 1.
    """
    distance = outliers[KNN_COLUMN].to_numpy(np.float64)
    floor = distance[distance > 0].min(initial=1.0)
    parts = [latent.mu, outliers["z_norm"], np.log(np.maximum(distance, floor))]
    if LOGVAR_COLUMN in outliers:
        parts.append(outliers[LOGVAR_COLUMN])
    features = np.column_stack(parts).astype(np.float64)
    spread = features.std(axis=0)
    scaled: npt.NDArray[np.float64] = features - features.mean(axis=0)
    return scaled / np.where(spread > 0, spread, 1.0)


def _knn_distance(mu: npt.NDArray[np.float32]) -> Task[npt.NDArray[np.float32]]:
    """Mean distance of each particle to those nearest to it, (N,)."""
    rng = np.random.default_rng(_SEED)
    sample = mu
    if len(mu) > _MOST_COMPARED:
        sample = mu[rng.choice(len(mu), _MOST_COMPARED, replace=False)]
    k = min(N_NEAREST + 1, len(sample))
    result = np.zeros(len(mu), np.float32)
    watch = Stopwatch(len(mu))
    if mu.shape[1] > MOST_TREE_DIMENSIONS:
        from sklearn.neighbors import NearestNeighbors

        brute = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(sample)
    else:
        brute, tree = None, cKDTree(sample)
    for begin in range(0, len(mu), _CHUNK):
        part = mu[begin : begin + _CHUNK]
        distances = brute.kneighbors(part)[0] if brute else tree.query(part, k=k)[0]
        distances = distances.reshape(len(part), k)
        result[begin : begin + len(part)] = _mean_of_others(distances)
        done = begin + len(part)
        share = 0.9 * done / len(mu)
        yield Progress(share, 1.0, "Distances of neighbours", watch.seconds_left(done))
    return result


def _mean_of_others(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean distance without a particle's own, which is 0; (n, k) ascending to (n,)."""
    if distances.shape[1] < 2:
        return np.zeros(len(distances))
    own = distances[:, 0] == 0
    mean: npt.NDArray[np.float64] = np.where(
        own, distances[:, 1:].mean(axis=1), distances[:, :-1].mean(axis=1)
    )
    return mean


def _mixture_likelihood(mu: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logarithm of the density of a mixture of Gaussians, fitted to a sample at most, (N,)."""
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(_SEED)
    sample = mu
    if len(mu) > _MOST_FITTED:
        sample = mu[rng.choice(len(mu), _MOST_FITTED, replace=False)]
    spread = float(np.var(sample, axis=0, dtype=np.float64).mean())
    model = GaussianMixture(
        min(_COMPONENTS, len(sample)), random_state=_SEED, reg_covar=max(1e-3 * spread, 1e-12)
    )
    likelihood: npt.NDArray[np.float64] = model.fit(sample).score_samples(mu)
    return likelihood
