"""The latent space of one epoch: where each particle lies, and what to colour it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.embedding import PrincipalComponents, principal_components
from napari_cryodrgn.particles import ParticleRows

PCA_NAME = "PCA"
UMAP_NAME = "UMAP"


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """Latent coordinates of N particles at one epoch.

    Parameters
    ----------
    epoch : int or None
        The epoch, counted from 1; None for latents without a number.
    mu : (N, zdim) float32 array
        Mean of each particle's posterior: its place in the latent space.
    logvar : (N, zdim) float32 array or None
        Log variance of the posterior; None for kinds of run that have none.
    rows : ParticleRows
        Which particles they are, in the order of `mu`.
    columns : DataFrame
        N rows: ``z0`` …, ``z_norm``, ``PC1`` …, ``UMAP1`` and ``UMAP2``,
        cluster labels (categorical, ``kmeans20``) and the particles' metadata.
    embeddings : dict of str to (N, 2 or more) float32 array
        Coordinates to plot, by name: "PCA" always, "UMAP" where one was made.
    components : PrincipalComponents
        Those of "PCA", with which a point along them is turned into z.
    """

    epoch: int | None
    mu: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32] | None
    rows: ParticleRows
    columns: pd.DataFrame
    embeddings: dict[str, npt.NDArray[np.float32]]
    components: PrincipalComponents

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def zdim(self) -> int:
        """Latent dimensions."""
        return int(self.mu.shape[1])


def make_latent_space(
    mu: npt.NDArray[np.float32],
    rows: ParticleRows,
    *,
    epoch: int | None,
    logvar: npt.NDArray[np.float32] | None = None,
    umap: npt.NDArray[np.float32] | None = None,
    labels: Mapping[str, npt.NDArray[np.int64]] | None = None,
    metadata: pd.DataFrame | None = None,
) -> LatentSpace:
    """Put a latent space together from what a run has.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    rows : ParticleRows
        Which particles they are.
    epoch : int or None
        The epoch, from 1.
    logvar : (N, zdim) float32 array, optional
        Log variance of the posterior.
    umap : (N, 2) float32 array, optional
        UMAP coordinates.
    labels : mapping of str to (N,) int array, optional
        Cluster labels by column name.
    metadata : DataFrame, optional
        N rows of particle metadata. A column that bears the name of one of
        ours is kept as ``particles <name>``.

    Returns
    -------
    LatentSpace

    Raises
    ------
    InputError
        Where something has another number of rows than `mu`.
    """
    counts = {"particle rows": len(rows)}
    if logvar is not None:
        counts["z_logvar"] = len(logvar)
    if umap is not None:
        counts["umap"] = len(umap)
    if metadata is not None:
        counts["metadata"] = len(metadata)
    counts |= {name: len(values) for name, values in (labels or {}).items()}
    for name, count in counts.items():
        if count != len(mu):
            raise InputError(
                f"it has {count} rows where the latent space has {len(mu)} particles", field=name
            )
    components = principal_components(mu)
    embeddings = {PCA_NAME: components.coordinates}
    if umap is not None:
        embeddings[UMAP_NAME] = umap
    columns = _columns(mu, rows, embeddings, labels or {})
    if metadata is not None:
        columns = pd.concat([columns, _renamed(metadata, columns)], axis=1)
    return LatentSpace(epoch, mu, logvar, rows, columns, embeddings, components)


def _columns(
    mu: npt.NDArray[np.float32],
    rows: ParticleRows,
    embeddings: Mapping[str, npt.NDArray[np.float32]],
    labels: Mapping[str, npt.NDArray[np.int64]],
) -> pd.DataFrame:
    pca = embeddings[PCA_NAME]
    content: dict[str, object] = {f"z{axis}": mu[:, axis] for axis in range(mu.shape[1])}
    content["z_norm"] = np.linalg.norm(mu, axis=1)
    content |= {f"PC{axis + 1}": pca[:, axis] for axis in range(pca.shape[1])}
    if UMAP_NAME in embeddings:
        content |= {f"UMAP{axis + 1}": embeddings[UMAP_NAME][:, axis] for axis in range(2)}
    content |= {name: pd.Categorical(values) for name, values in labels.items()}
    content["row"] = rows.rows
    return pd.DataFrame(content)


def _renamed(metadata: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    clashing = {name: f"particles {name}" for name in metadata.columns if name in ours.columns}
    return metadata.rename(columns=clashing).reset_index(drop=True)
