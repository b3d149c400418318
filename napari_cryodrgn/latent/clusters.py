"""Clusters of the latent space: their labels, what represents them, and changes by hand.

Fits run in a process of their own (`cluster_process`). Labels are whole numbers from 0, and
-1 for particles that belong to no cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.cluster_settings import LATENT_SPACE, METHOD_TITLES, ClusterSettings
from napari_cryodrgn.latent.fit_process import FitProcess
from napari_cryodrgn.progress import Progress, Task

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace

NO_CLUSTER = -1
NO_CLUSTER_NAME = "none"


@dataclass(frozen=True, eq=False)
class Clustering:
    """Labels of particles.

    Parameters
    ----------
    name : str
        Name of the column: "gmm8".
    labels : (N,) int64 array
        Number of each particle's cluster, an index of `names`; -1 for none.
    names : tuple of str
        Names of the clusters: their numbers, until they are given others.
    made : str
        How they were made, for people: "Gaussian mixture, 8 clusters in z".
    """

    name: str
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    made: str

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or NO_CLUSTER_NAME in self.names:
            raise InputError("clusters have different names", field=self.name)
        if self.labels.size and not (
            self.labels.min() >= NO_CLUSTER and self.labels.max() < len(self.names)
        ):
            raise InputError("a label names no cluster", field=self.name)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Particles of each cluster, (K,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))

    def column(self) -> pd.Categorical:
        """The labels as a column: whole numbers, or text once a cluster has been renamed."""
        if all(name.isdecimal() for name in self.names):
            numbers = np.array([*map(int, self.names), NO_CLUSTER])
            return pd.Categorical(numbers[self.labels])
        named = np.array([*self.names, NO_CLUSTER_NAME], dtype=object)
        order = [*self.names, NO_CLUSTER_NAME]
        present = set(named[np.unique(self.labels)])
        return pd.Categorical(
            named[self.labels], categories=[name for name in order if name in present]
        )

    def number(self, name: str | int) -> int:
        """Number of the cluster of a name."""
        if str(name) not in self.names:
            raise InputError(
                f"{self.name} has no such cluster (it has {', '.join(self.names)})",
                field="cluster",
                value=name,
            )
        return self.names.index(str(name))

    def mask(self, name: str | int) -> npt.NDArray[np.bool_]:
        """Which particles belong to a cluster, (N,) bool."""
        inside: npt.NDArray[np.bool_] = self.labels == self.number(name)
        return inside

    def renamed(self, name: str | int, new_name: str, column: str) -> Clustering:
        """Labels with another name for a cluster, as a new column."""
        new = new_name.strip()
        if not new or not new.isprintable() or len(new) > 80:
            raise InputError("a name has 1 to 80 letters on one line", field="cluster", value=new)
        names = list(self.names)
        names[self.number(name)] = new
        made = f"{self.made}; {name} renamed to {new}"
        return replace(self, name=column, names=tuple(names), made=made)

    def merged(self, which: list[str | int], column: str) -> Clustering:
        """Labels with several clusters made one, which has the name of the first of them."""
        numbers = [self.number(name) for name in which]
        if len(set(numbers)) < 2:
            raise InputError("two clusters or more are merged", field="cluster", value=which)
        target = np.arange(len(self.names) + 1)
        target[numbers] = numbers[0]
        kept = [number for number in range(len(self.names)) if target[number] == number]
        new = np.full(len(target), NO_CLUSTER)
        new[kept] = np.arange(len(kept))
        labels = np.where(self.labels < 0, NO_CLUSTER, new[target[self.labels]])
        listed = ", ".join(map(str, which))
        names = tuple(self.names[number] for number in kept)
        return Clustering(column, labels, names, f"{self.made}; {listed} merged")

    def split(self, name: str | int, parts: Clustering, column: str) -> Clustering:
        """Labels with one cluster divided.

        Parameters
        ----------
        name : str or int
            The cluster.
        parts : Clustering
            Labels of its particles alone, in their order.
        column : str
            Name of the new column.

        Returns
        -------
        Clustering
            The first part keeps the cluster's place, the others come last; they are named
            after it: "3a", "3b" …, or go on counting where all names are numbers.
        """
        number = self.number(name)
        inside = self.labels == number
        if len(parts.labels) != int(inside.sum()):
            raise InputError(
                f"there are {len(parts.labels)} labels for {int(inside.sum())} particles",
                field="cluster",
                value=name,
            )
        labels = self.labels.copy()
        numbers = np.array(
            [number, *range(len(self.names), len(self.names) + len(parts.names) - 1), NO_CLUSTER]
        )
        labels[inside] = numbers[parts.labels]
        if all(one.isdecimal() for one in self.names):
            first = max(map(int, self.names)) + 1
            new = [str(first + index) for index in range(len(parts.names) - 1)]
            names = (*self.names, *new)
        else:
            letters = [f"{self.names[number]}.{index + 1}" for index in range(len(parts.names))]
            changed = list(self.names)
            changed[number] = letters[0]
            names = (*changed, *letters[1:])
        made = f"{self.made}; {name} split by {parts.made}"
        return Clustering(column, labels, tuple(names), made)


def start_clusters(points: npt.NDArray[np.float32], settings: ClusterSettings) -> FitProcess:
    """Begin to cluster points in a process of its own.

    Parameters
    ----------
    points : (N, D) float32 array
        Finite coordinates.
    settings : ClusterSettings

    Raises
    ------
    InputError
        Where there are fewer points than clusters, or some are not finite.
    """
    needed = settings.min_cluster_size if settings.method == "hdbscan" else settings.n_clusters
    if len(points) < max(2, needed):
        raise InputError(
            f"there are only {len(points)} particles to cluster",
            field="min_cluster_size" if settings.method == "hdbscan" else "n_clusters",
            value=needed,
        )
    few = len(points) < 100 * settings.n_clusters and settings.method != "hdbscan"
    if few and len(np.unique(points, axis=0)) < settings.n_clusters:
        raise InputError(
            "there are fewer distinct points than clusters asked for",
            field="n_clusters",
            value=settings.n_clusters,
        )
    if not np.isfinite(points).all():
        raise InputError("some particles have no place in it", field="space", value=settings.space)
    plain = {
        "method": settings.method,
        "n_clusters": settings.n_clusters,
        "min_cluster_size": settings.min_cluster_size,
        "seed": settings.seed,
    }
    what = f"{METHOD_TITLES[settings.method]} of {len(points):,} particles"
    return FitProcess("napari_cryodrgn.latent.cluster_process", points, plain, what)


def cluster(
    points: npt.NDArray[np.float32], settings: ClusterSettings, name: str = ""
) -> Task[Clustering]:
    """Cluster points, as a long task that can be cancelled at any moment.

    Parameters
    ----------
    points : (N, D) float32 array
        Finite coordinates, of `space_points`.
    settings : ClusterSettings
    name : str
        Name of the column; that of the settings if not given.

    Returns
    -------
    Clustering
        Similar clusters have neighbouring numbers.
    """
    with start_clusters(points, settings) as process:
        yield from process.waiting()
        labels = _in_order(points, process.array("labels").astype(np.int64))
        n_fitted = int(process.array("n_fitted")[0])
    yield Progress(1.0, 1.0, "Clusters", 0.0)
    n_found = int(labels.max(initial=-1)) + 1
    if not n_found:
        raise InputError(
            "no cluster was found",
            field="min_cluster_size",
            value=settings.min_cluster_size,
            hint="Take smaller clusters, or another method",
        )
    made = f"{METHOD_TITLES[settings.method]}, {n_found} clusters in {settings.space}"
    if n_fitted < len(points):
        made += f", fitted to {n_fitted:,} of {len(points):,} particles"
    names = tuple(map(str, range(n_found)))
    return Clustering(name or settings.name, labels, names, made)


def space_points(latent: LatentSpace, space: str) -> npt.NDArray[np.float32]:
    """Coordinates of all particles in a space: "z" or an embedding's name, (N, D)."""
    if space == LATENT_SPACE:
        return latent.mu
    if space not in latent.embeddings:
        listed = ", ".join([LATENT_SPACE, *latent.embeddings])
        raise InputError(f"there is {listed}", field="space", value=space)
    return np.ascontiguousarray(latent.embeddings[space], np.float32)


def representatives(
    points: npt.NDArray[np.float32], clustering: Clustering
) -> npt.NDArray[np.int64]:
    """The particle nearest to the centre of each cluster, to decode and show for it.

    Parameters
    ----------
    points : (N, D) float32 array
        Coordinates, usually z.
    clustering : Clustering

    Returns
    -------
    (K,) int64 array
        Positions of particles; each belongs to its cluster. -1 for an empty one.
    """
    centres = _centres(points, clustering.labels, len(clustering.names))
    found = np.full(len(clustering.names), -1, dtype=np.int64)
    for number in range(len(found)):
        members = np.flatnonzero(clustering.labels == number)
        if members.size:
            apart = np.square(points[members] - centres[number]).sum(axis=1)
            found[number] = members[np.argmin(apart)]
    return found


def free_name(wanted: str, taken: list[str]) -> str:
    """A name that no column has: "gmm8", then "gmm8_2" …."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _centres(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.float64]:
    inside = labels >= 0
    counts = np.maximum(np.bincount(labels[inside], minlength=k), 1)
    sums = [np.bincount(labels[inside], axis[inside], minlength=k) for axis in points.T]
    return np.stack(sums, axis=1) / counts[:, None]


def _in_order(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Labels without gaps, counted so that similar clusters have neighbouring numbers."""
    present, compact = np.unique(labels, return_inverse=True)
    if present[0] == NO_CLUSTER:
        present, compact = present[1:], compact - 1
    if len(present) < 3:
        return compact
    order = leaves_list(linkage(_centres(points, compact, len(present)), "average"))
    rank = np.append(np.argsort(order), NO_CLUSTER)
    return rank[compact].astype(np.int64)
