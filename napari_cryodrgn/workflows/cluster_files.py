"""Clusterings and embeddings that were made beside the analysis: kept with the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.clusters import NO_CLUSTER, Clustering
from napari_cryodrgn.latent.embedding import UmapSettings
from napari_cryodrgn.latent.particle_values import ParticleValues, read_values, write_values
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.run import RunFolder

_ENDING = ".npz"
_PLAIN_NAME = re.compile(r"[\w][\w .()+-]{0,79}")


def with_clustering(latent: LatentSpace, clustering: Clustering) -> LatentSpace:
    """A latent space that has cluster labels as a column, under their name."""
    if len(clustering.labels) != len(latent):
        raise InputError(
            f"it has {len(clustering.labels)} labels where there are {len(latent)} particles",
            field=clustering.name,
        )
    columns = latent.columns.copy(deep=False)
    columns[clustering.name] = clustering.column()
    return replace(latent, columns=columns)


def with_embedding(latent: LatentSpace, name: str, places: npt.NDArray[np.float32]) -> LatentSpace:
    """A latent space that has one more embedding, with its axes as columns "<name> 1", "<name> 2".

    Particles without a place have NaN.
    """
    if len(places) != len(latent):
        raise InputError(
            f"it has {len(places)} places where there are {len(latent)} particles", field=name
        )
    columns = latent.columns.copy(deep=False)
    for axis in range(places.shape[1]):
        columns[f"{name} {axis + 1}"] = places[:, axis]
    return replace(latent, columns=columns, embeddings={**latent.embeddings, name: places})


def save_clustering(run: RunFolder, rows: ParticleRows, clustering: Clustering) -> Path:
    """Save cluster labels with the run, under their name."""
    path = _file(run.clusterings, clustering.name)
    about = {
        "name": clustering.name,
        "names": list(clustering.names),
        "made": clustering.made,
    }
    write_values(path, rows, ParticleValues(clustering.labels.astype(np.int32), about))
    return path


def read_clustering(path: Path, rows: ParticleRows) -> Clustering:
    """Read cluster labels for the particles of a run."""
    found = read_values(path, rows, NO_CLUSTER)
    names = found.about.get("names")
    if found.values.ndim != 1 or not isinstance(names, list):
        raise InputError("these are no cluster labels", file=path)
    return Clustering(
        str(found.about.get("name", path.stem)),
        found.values.astype(np.int64),
        tuple(map(str, names)),
        str(found.about.get("made", "")),
    )


def save_embedding(
    run: RunFolder,
    rows: ParticleRows,
    name: str,
    places: npt.NDArray[np.float32],
    settings: UmapSettings,
    key: str,
) -> Path:
    """Save an embedding with the run, under its name; `key` is a digest of what it is of."""
    path = _file(run.embeddings, name)
    about = {"name": name, "key": key, "settings": asdict(settings)}
    write_values(path, rows, ParticleValues(places.astype(np.float32), about))
    return path


def read_embedding(path: Path, rows: ParticleRows) -> tuple[str, npt.NDArray[np.float32], str]:
    """Name, places (NaN where there is none) and key of an embedding."""
    found = read_values(path, rows, np.nan)
    if found.values.ndim != 2 or found.values.shape[1] < 2 or found.values.dtype.kind != "f":
        raise InputError("this is no embedding", file=path)
    name = str(found.about.get("name", path.stem))
    return name, found.values.astype(np.float32), str(found.about.get("key", ""))


def saved_files(folder: Path) -> Sequence[Path]:
    """The files of a folder of ours, by name."""
    return sorted(folder.glob(f"*{_ENDING}"))


def restored(latent: LatentSpace, run: RunFolder) -> tuple[LatentSpace, list[str]]:
    """A latent space with all clusterings and embeddings that were saved with its run.

    Parameters
    ----------
    latent : LatentSpace
    run : RunFolder

    Returns
    -------
    latent : LatentSpace
    problems : list of str
        Why some could not be used.
    """
    problems: list[str] = []
    for path in saved_files(run.clusterings):
        try:
            latent = with_clustering(latent, read_clustering(path, latent.rows))
        except InputError as error:
            problems.append(str(error))
    for path in saved_files(run.embeddings):
        try:
            name, places, _ = read_embedding(path, latent.rows)
            latent = with_embedding(latent, name, places)
        except InputError as error:
            problems.append(str(error))
    return latent, problems


def _file(folder: Path, name: str) -> Path:
    if not _PLAIN_NAME.fullmatch(name):
        raise InputError(
            "a name has letters, digits, blanks and . ( ) + - _, at most 80",
            field="name",
            value=name,
        )
    return folder / f"{name}{_ENDING}"
