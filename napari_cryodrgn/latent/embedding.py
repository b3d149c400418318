"""Embeddings of the latent space: principal components and UMAP."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.umap_process import UmapProcess
from napari_cryodrgn.progress import Progress, Task

MIN_UMAP_PARTICLES = 5
_POLL_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Principal components of a latent space.

    Parameters
    ----------
    coordinates : (N, K) float32 array
        Particles along the components, K = min(N, zdim).
    axes : (K, zdim) float64 array
        Unit vector of each component in z.
    mean : (zdim,) float64 array
        Origin of the components in z.
    explained : (K,) float64 array
        Share of the variance that each explains.
    """

    coordinates: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    explained: npt.NDArray[np.float64]

    def to_z(self, coordinates: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Latent coordinates (n, zdim) of points (n, K) given along the components."""
        return np.asarray(coordinates, dtype=np.float64) @ self.axes + self.mean


def principal_components(mu: npt.NDArray[np.float32]) -> PrincipalComponents:
    """Principal components of latent coordinates.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates; at least one particle.

    Returns
    -------
    PrincipalComponents
        With the signs of scikit-learn, as cryoDRGN has them.
    """
    if len(mu) == 1:
        # One particle has no variance to divide; its component is the first axis.
        return PrincipalComponents(
            np.zeros((1, 1), np.float32), np.eye(1, mu.shape[1]), mu[0].astype(float), np.zeros(1)
        )
    fitted = PCA(min(mu.shape))
    # Particles that all lie on one point: scikit-learn divides by their variance.
    with np.errstate(invalid="ignore", divide="ignore"):
        coordinates = fitted.fit_transform(mu)
    spread = fitted.explained_variance_
    total = float(spread.sum())
    return PrincipalComponents(
        coordinates.astype(np.float32),
        fitted.components_.astype(np.float64),
        fitted.mean_.astype(np.float64),
        (spread / total if total > 0 else np.zeros_like(spread)).astype(np.float64),
    )


def start_umap(
    mu: npt.NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int | None = None,
) -> UmapProcess:
    """Begin a UMAP in a process of its own, so that other work can go on beside it.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates, finite.
    n_neighbors : int
        Size of the neighbourhoods; bounded by N - 1.
    min_dist : float
        Least distance of points in the embedding.
    seed : int, optional
        Makes the result repeatable, on one core. Without it umap-learn uses
        all cores and gives another layout each time.

    Returns
    -------
    UmapProcess

    Raises
    ------
    InputError
        Where there are too few particles or a coordinate is not finite.
    """
    if len(mu) < MIN_UMAP_PARTICLES:
        raise InputError(
            f"a UMAP needs at least {MIN_UMAP_PARTICLES} particles, and there are {len(mu)}",
            hint="Leave it out with --skip-umap",
        )
    bad = ~np.isfinite(mu).all(axis=1)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} particles have latent coordinates that are not finite",
            field="particle at position",
            value=int(np.flatnonzero(bad)[0]),
        )
    neighbours = max(2, min(n_neighbors, len(mu) - 1))
    return UmapProcess(mu, n_neighbors=neighbours, min_dist=min_dist, seed=seed)


def wait_for_umap(process: UmapProcess) -> Task[npt.NDArray[np.float32]]:
    """Wait for a UMAP that was begun, reporting its progress; closing the task kills it.

    Parameters
    ----------
    process : UmapProcess
        As `start_umap` gave it.

    Returns
    -------
    (N, 2) float32 array
    """
    with process:
        while not process.finished():
            done = process.fraction()
            yield Progress(done, 1.0, "UMAP", process.watch.seconds_left(done))
            time.sleep(_POLL_SECONDS)
        embedding = process.result()
    yield Progress(1.0, 1.0, "UMAP", 0.0)
    return embedding


def fit_umap(
    mu: npt.NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int | None = None,
) -> Task[npt.NDArray[np.float32]]:
    """UMAP of latent coordinates, as a long task that can be cancelled at any moment.

    Parameters and errors are those of `start_umap`.

    Returns
    -------
    (N, 2) float32 array
    """
    embedding = yield from wait_for_umap(
        start_umap(mu, n_neighbors=n_neighbors, min_dist=min_dist, seed=seed)
    )
    return embedding
