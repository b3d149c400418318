"""How clusters are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_cryodrgn.errors import InputError

Method = Literal["kmeans", "gmm", "hdbscan"]
METHODS: tuple[Method, ...] = get_args(Method)
METHOD_TITLES = {"kmeans": "k-means", "gmm": "Gaussian mixture", "hdbscan": "HDBSCAN"}
LATENT_SPACE = "z"


@dataclass(frozen=True)
class ClusterSettings:
    """How clusters are made.

    Parameters
    ----------
    method : {"kmeans", "gmm", "hdbscan"}
        k-means, a mixture of Gaussians with a covariance each, or HDBSCAN, which finds the
        number of clusters itself and leaves particles between them out.
    n_clusters : int
        Clusters of k-means and of the mixture.
    min_cluster_size : int
        Of HDBSCAN: particles below which a group is no cluster.
    space : str
        "z", or the name of an embedding of the latent space: "PCA", "UMAP".
    seed : int
        Random seed.

    Raises
    ------
    InputError
        Where a value is impossible.
    """

    method: Method = "gmm"
    n_clusters: int = 8
    min_cluster_size: int = 100
    space: str = LATENT_SPACE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(
                f"one of {', '.join(METHODS)} was expected", field="method", value=self.method
            )
        if self.n_clusters < 1:
            raise InputError(
                "at least one cluster is needed", field="n_clusters", value=self.n_clusters
            )
        if self.min_cluster_size < 2:
            raise InputError(
                "a cluster has 2 particles or more",
                field="min_cluster_size",
                value=self.min_cluster_size,
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(
                "a seed is a whole number from 0 to 4294967295", field="seed", value=self.seed
            )

    @property
    def name(self) -> str:
        """Name of the column of labels: "gmm8", "hdbscan", "kmeans8_UMAP"."""
        number = "" if self.method == "hdbscan" else str(self.n_clusters)
        where = "" if self.space == LATENT_SPACE else f"_{self.space}"
        return f"{self.method}{number}{where}"
