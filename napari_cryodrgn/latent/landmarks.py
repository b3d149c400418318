"""Many particles placed in an embedding by few: landmarks are fitted, the rest interpolated.

UMAP of a million particles takes the better part of an hour on a desktop, and of 20,000 of
them under a minute. A particle that is no landmark comes to the mean of the places of the
five landmarks nearest to it in z, weighted by the inverse of their distance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from napari_cryodrgn.latent.neighbours import MOST_TREE_DIMENSIONS

N_LANDMARKS = 20_000
N_NEAREST = 5
_SEED = 0
_CHUNK = 50_000


def choose_landmarks(n: int, n_landmarks: int) -> npt.NDArray[np.int64]:
    """Positions of landmarks among N particles: drawn at random, the same ones each time.

    Parameters
    ----------
    n : int
        Particles.
    n_landmarks : int
        Landmarks wanted; all particles where there are no more.

    Returns
    -------
    (M,) int64 array
        Ascending.
    """
    rng = np.random.default_rng(_SEED)
    return np.sort(rng.choice(n, min(n, n_landmarks), replace=False)).astype(np.int64)


def placed_by_landmarks(
    mu: npt.NDArray[np.float32],
    landmarks: npt.NDArray[np.int64],
    places: npt.NDArray[np.float32],
    placed: Callable[[int], None] = lambda n: None,
) -> npt.NDArray[np.float32]:
    """Places of all particles, by those of the landmarks.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    landmarks : (M,) int64 array
        Positions of the landmarks.
    places : (M, D) float32 array
        Their places in the embedding.
    placed : callable, optional
        Told now and then how many are placed.

    Returns
    -------
    (N, D) float32 array
        A landmark has its own place; so has a particle that lies on one in z.
    """
    result = np.empty((len(mu), places.shape[1]), np.float32)
    nearest = _nearest_of(mu[landmarks])
    for begin in range(0, len(mu), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        distances, indices = nearest(mu[part])
        # Lying on a landmark is being infinitely near: a tiny distance stands for none.
        weights = 1.0 / np.maximum(distances, 1e-9 * (1 + distances[:, -1:]))
        weights /= weights.sum(axis=1, keepdims=True)
        result[part] = np.einsum("nk,nkd->nd", weights, places[indices])
        placed(min(begin + _CHUNK, len(mu)))
    result[landmarks] = places
    return result


Nearest = Callable[[npt.NDArray[np.float32]], tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]


def _nearest_of(points: npt.NDArray[np.float32]) -> Nearest:
    """A function for distances and indices of the points nearest to others, nearest first."""
    k = min(N_NEAREST, len(points))
    if points.shape[1] > MOST_TREE_DIMENSIONS:
        from sklearn.neighbors import NearestNeighbors

        brute = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)

        def compared(others: npt.NDArray[np.float32]) -> tuple[npt.NDArray, npt.NDArray]:
            distances, indices = brute.kneighbors(others)
            return distances.astype(np.float64), indices

        return compared
    tree = cKDTree(points)

    def asked(others: npt.NDArray[np.float32]) -> tuple[npt.NDArray, npt.NDArray]:
        distances, indices = tree.query(others, k=k, workers=-1)
        return distances.reshape(len(others), k), indices.reshape(len(others), k)

    return asked
