"""k-means clusters of the latent space, each represented by a real particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from napari_cryodrgn.errors import InputError

# As cryoDRGN: the same seed and bound give the same clusters.
_SEED = 0
_MAX_ITERATIONS = 10


@dataclass(frozen=True, eq=False)
class KMeansResult:
    """Clusters, ordered so that similar ones have neighbouring numbers.

    Parameters
    ----------
    labels : (N,) int64 array
        Cluster of each particle, counted from 0.
    centers : (K, zdim) float32 array
        Latent coordinates of the particles that represent the clusters.
    positions : (K,) int64 array
        Positions of those particles in the latent space.
    """

    labels: npt.NDArray[np.int64]
    centers: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64]


def kmeans_with_representatives(mu: npt.NDArray[np.float32], n_clusters: int) -> KMeansResult:
    """Cluster latent coordinates, with the particle nearest to each centre to stand for it.

    The clusters are those that cryoDRGN's ``analyze`` finds, in its order:
    the leaves of an average-linkage tree over the representatives.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    n_clusters : int
        Clusters to make, 1 to the number of distinct points.

    Returns
    -------
    KMeansResult

    Raises
    ------
    InputError
        Where there are fewer particles, or fewer distinct points, than clusters.
    """
    if n_clusters < 1:
        raise InputError("at least one cluster is needed", field="--ksample", value=n_clusters)
    if n_clusters > len(mu):
        raise InputError(
            f"there are only {len(mu)} particles to choose representatives from",
            field="--ksample",
            value=n_clusters,
        )
    # Counting distinct points sorts all of them; it only matters where they may be few.
    if len(mu) < 100 * n_clusters and len(np.unique(mu, axis=0)) < n_clusters:
        raise InputError(
            "there are fewer distinct latent points than clusters asked for",
            field="--ksample",
            value=n_clusters,
        )
    fitted = KMeans(n_clusters, random_state=_SEED, max_iter=_MAX_ITERATIONS).fit(mu)
    positions = pairwise_distances_argmin(fitted.cluster_centers_, mu)
    order = np.arange(1)
    if n_clusters > 1:
        order = leaves_list(linkage(mu[positions], "average"))
    rank = np.argsort(order)
    return KMeansResult(
        labels=rank[fitted.labels_].astype(np.int64),
        centers=mu[positions[order]].astype(np.float32),
        positions=positions[order].astype(np.int64),
    )
