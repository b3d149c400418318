"""Clusters of a run's latent space, as a button and a command make them."""

from __future__ import annotations

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.cluster_settings import ClusterSettings
from napari_cryodrgn.latent.clusters import Clustering, cluster, free_name, space_points
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.cluster_files import save_clustering


def cluster_run(
    run: RunFolder, latent: LatentSpace, settings: ClusterSettings, name: str = ""
) -> Task[Clustering]:
    """Cluster all particles of a run, and keep the labels with it.

    Parameters
    ----------
    run : RunFolder
    latent : LatentSpace
        Its latent space.
    settings : ClusterSettings
    name : str
        Name of the column; that of the settings, or the next free one, if not given.

    Returns
    -------
    Clustering
        Saved in ``RunFolder.clusterings`` under its name.

    Raises
    ------
    InputError
        Where the name is taken or the settings do not fit the particles.
    """
    taken = [str(column) for column in latent.columns.columns]
    if name in taken:
        raise InputError("there is a column of this name already", field="name", value=name)
    points = space_points(latent, settings.space)
    found = yield from cluster(points, settings, name or free_name(settings.name, taken))
    save_clustering(run, latent.rows, found)
    return found


def split_cluster(
    run: RunFolder,
    latent: LatentSpace,
    clustering: Clustering,
    which: str | int,
    settings: ClusterSettings,
) -> Task[Clustering]:
    """Divide one cluster by clustering its particles again; labels are a new column.

    Parameters
    ----------
    run : RunFolder
    latent : LatentSpace
    clustering : Clustering
        Labels of all particles.
    which : str or int
        The cluster to divide.
    settings : ClusterSettings
        How.

    Returns
    -------
    Clustering
        Saved in ``RunFolder.clusterings`` under its name.
    """
    members = np.flatnonzero(clustering.mask(which))
    parts = yield from cluster(space_points(latent, settings.space)[members], settings)
    taken = [str(column) for column in latent.columns.columns]
    found = clustering.split(which, parts, free_name(f"{clustering.name}_split", taken))
    save_clustering(run, latent.rows, found)
    return found
