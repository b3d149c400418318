"""Embeddings of the latent space: principal components and UMAP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.landmarks import N_LANDMARKS
from napari_cryodrgn.latent.umap_process import UmapProcess
from napari_cryodrgn.progress import Progress, Task

MIN_UMAP_PARTICLES = 5
LANDMARKS_BEYOND = 200_000
"""Particles beyond which UMAP is fitted to landmarks if nothing else is asked for."""
METRICS = ("euclidean", "cosine", "manhattan", "correlation")


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


@dataclass(frozen=True)
class UmapSettings:
    """How a UMAP is made.

    Parameters
    ----------
    n_neighbors : int
        Size of the neighbourhoods, at least 2; small ones show details, large ones the whole.
    min_dist : float
        Least distance of points in the embedding, 0 to 1.
    metric : {"euclidean", "cosine", "manhattan", "correlation"}
        Distance in z.
    seed : int or None
        Makes the result repeatable, on one core. Without it umap-learn uses all cores and
        gives another layout each time.
    landmarks : int or None
        Fit so many particles and place the rest by them (see `latent.landmarks`); 0 fits all.
        None chooses by their number: all up to 200,000, else 20,000 landmarks.

    Raises
    ------
    InputError
        Where a value is impossible.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: str = "euclidean"
    seed: int | None = None
    landmarks: int | None = None

    def __post_init__(self) -> None:
        problems = {
            "n_neighbors": self.n_neighbors < 2 and "neighbourhoods have 2 particles or more",
            "min_dist": not 0 <= self.min_dist <= 1 and "it lies between 0 and 1",
            "metric": self.metric not in METRICS and f"one of {', '.join(METRICS)} is wanted",
            "seed": self.seed is not None
            and not 0 <= self.seed < 2**32
            and "a seed is a whole number from 0 to 4294967295",
            "landmarks": self.landmarks is not None
            and self.landmarks != 0
            and self.landmarks < MIN_UMAP_PARTICLES
            and f"at least {MIN_UMAP_PARTICLES} are needed",
        }
        for field, problem in problems.items():
            if problem:
                raise InputError(problem, field=field, value=getattr(self, field))

    def landmarks_of(self, n: int) -> int | None:
        """Landmarks fitted for N particles; None where all are fitted."""
        if self.landmarks is None:
            return N_LANDMARKS if n > LANDMARKS_BEYOND else None
        return self.landmarks if 0 < self.landmarks < n else None


def start_umap(
    mu: npt.NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int | None = None,
    metric: str = "euclidean",
    landmarks: int | None = None,
) -> UmapProcess:
    """Begin a UMAP in a process of its own, so that other work can go on beside it.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates, finite.
    n_neighbors, min_dist, seed, metric, landmarks
        As in `UmapSettings`; the neighbourhoods are bounded by the particles there are.

    Returns
    -------
    UmapProcess
        To be waited for, or closed.

    Raises
    ------
    InputError
        Where there are too few particles, a coordinate is NaN or infinite, or a setting is
        impossible.
    """
    settings = UmapSettings(n_neighbors, min_dist, metric, seed, landmarks)
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
    fitted = settings.landmarks_of(len(mu))
    neighbours = max(2, min(n_neighbors, (fitted or len(mu)) - 1))
    return UmapProcess(
        mu,
        n_neighbors=neighbours,
        min_dist=min_dist,
        seed=seed,
        metric=metric,
        landmarks=fitted,
    )


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
        yield from process.waiting()
        embedding = process.result()
    yield Progress(1.0, 1.0, "UMAP", 0.0)
    return embedding


def fit_umap(
    mu: npt.NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int | None = None,
    metric: str = "euclidean",
    landmarks: int | None = None,
) -> Task[npt.NDArray[np.float32]]:
    """UMAP of latent coordinates, as a long task that can be cancelled at any moment.

    Parameters and errors are those of `start_umap`.

    Returns
    -------
    (N, 2) float32 array
    """
    process = start_umap(
        mu,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        seed=seed,
        metric=metric,
        landmarks=landmarks,
    )
    embedding = yield from wait_for_umap(process)
    return embedding
