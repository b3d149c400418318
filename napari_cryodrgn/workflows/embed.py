"""A UMAP of a run's particles, or of some of them, beside the one of its analysis."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.clusters import free_name
from napari_cryodrgn.latent.embedding import UmapSettings, fit_umap
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.cluster_files import read_embedding, save_embedding, saved_files


@dataclass(frozen=True, eq=False)
class Embedding:
    """An embedding of a run's particles.

    Parameters
    ----------
    name : str
        Says how it was made: "UMAP k 30, dist 0.3, 20000 landmarks".
    places : (N, 2) float32 array
        NaN for particles that were not embedded.
    new : bool
        False where the same one was there already.
    """

    name: str
    places: npt.NDArray[np.float32]
    new: bool


def embedding_name(settings: UmapSettings, n: int, of: str = "") -> str:
    """Name of an embedding of n particles: what differs from the defaults, and landmarks."""
    parts = []
    if settings.n_neighbors != 15:
        parts.append(f"k {settings.n_neighbors}")
    if settings.min_dist != 0.1:
        parts.append(f"dist {settings.min_dist:g}")
    if settings.metric != "euclidean":
        parts.append(settings.metric)
    if settings.seed is not None:
        parts.append(f"seed {settings.seed}")
    if settings.landmarks_of(n) is not None:
        parts.append(f"{settings.landmarks_of(n)} landmarks")
    # Plain signs only: it is the name of a file too.
    shown = "UMAP" if not of else f"UMAP of {of}"
    return f"{shown} ({' + '.join(parts)})" if parts else f"{shown} (new)" if not of else shown


def embed_run(
    run: RunFolder,
    latent: LatentSpace,
    settings: UmapSettings,
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    of: str = "selection",
    name: str = "",
) -> Task[Embedding]:
    """Embed all particles of a run or a selection, and keep the result with the run.

    Parameters
    ----------
    run : RunFolder
    latent : LatentSpace
        Its latent space.
    settings : UmapSettings
    mask : (N,) bool array, optional
        The particles to embed; all if not given.
    of : str
        What the mask is, for the name: that of a named selection.
    name : str
        Name of the embedding; made from the settings if not given.

    Returns
    -------
    Embedding
        Where the same latents were embedded with the same settings before, that one, at once.

    Raises
    ------
    InputError
        Where the name is taken, or too few particles are selected.
    """
    chosen = np.arange(len(latent)) if mask is None else np.flatnonzero(mask)
    if mask is not None and np.shape(mask) != (len(latent),):
        raise InputError(f"a selection says yes or no of each of {len(latent)} particles", field=of)
    key = _key(latent.mu[chosen], chosen, settings)
    for path in saved_files(run.embeddings):
        try:
            found, places, known = read_embedding(path, latent.rows)
        except InputError:
            continue  # said when the run was opened; it is not this one
        if known == key and name in ("", found):
            return Embedding(found, places, new=False)
    taken = list(latent.embeddings)
    if name in taken:
        raise InputError("there is an embedding of this name already", field="name", value=name)
    wanted = embedding_name(settings, len(chosen), "" if mask is None else of)
    fitted = yield from fit_umap(latent.mu[chosen], **asdict(settings))
    places = np.full((len(latent), 2), np.nan, np.float32)
    places[chosen] = fitted
    result = Embedding(name or free_name(wanted, taken), places, new=True)
    save_embedding(run, latent.rows, result.name, places, settings, key)
    return result


def _key(mu: npt.NDArray[np.float32], chosen: npt.NDArray[np.int64], settings: UmapSettings) -> str:
    """Digest of everything that an embedding follows from."""
    digest = hashlib.sha256(np.ascontiguousarray(mu).tobytes())
    digest.update(chosen.tobytes())
    digest.update(json.dumps(asdict(settings), sort_keys=True).encode())
    return digest.hexdigest()
