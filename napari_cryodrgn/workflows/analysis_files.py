"""The files of ``analyze.N``: read with every check, and listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.io.pickles import read_array
from napari_cryodrgn.latent.clustering import KMeansResult
from napari_cryodrgn.run import AnalysisFolder
from napari_cryodrgn.workflows.z_values import read_z_values

LARGEST = 16 << 20
"""Bytes of row numbers as text."""

LABELS, CENTERS, CENTERS_IND, Z_VALUES = (
    "labels.pkl",
    "centers.txt",
    "centers_ind.txt",
    "z_values.txt",
)


@dataclass(frozen=True, eq=False)
class AnalysisVolume:
    """A volume that the run's folder already holds.

    Parameters
    ----------
    path : Path
        The ``.mrc`` file.
    group : str
        What it is one of: "kmeans20", "pc1" …, or "reconstruction".
    number : int
        Its number within the group, from 1.
    z : (zdim,) float32 array or None
        Its latent point; None where nothing says it.
    """

    path: Path
    group: str
    number: int
    z: npt.NDArray[np.float32] | None


def volume_name(number: int, prefix: str = "vol_") -> str:
    """File name of a volume: three digits at least, as cryoDRGN writes them."""
    return f"{prefix}{number:03d}.mrc"


def read_umap(path: Path, n: int) -> npt.NDArray[np.float32]:
    """Read ``umap.pkl`` of N particles, (N, 2).

    Raises
    ------
    InputError
        Where it cannot be read, has another shape or is not finite.
    """
    array = read_array(path)
    if array.shape != (n, 2):
        raise InputError(
            f"UMAP coordinates of {n} particles have the shape ({n}, 2)",
            file=path,
            field="shape",
            value=array.shape,
        )
    if not np.isfinite(array).all():
        raise InputError("some UMAP coordinates are NaN or infinite", file=path)
    return array.astype(np.float32)


def read_labels(path: Path, n: int, n_clusters: int) -> npt.NDArray[np.int64]:
    """Read ``labels.pkl`` of N particles: clusters counted from 0.

    Raises
    ------
    InputError
        Where it cannot be read, has another length, or labels are out of range.
    """
    array = read_array(path)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise InputError(
            f"cluster labels of {n} particles are as many whole numbers",
            file=path,
            field="shape",
            value=f"{array.shape} {array.dtype}",
        )
    if array.size and not 0 <= array.min() <= array.max() < n_clusters:
        worst = int(array.min() if array.min() < 0 else array.max())
        raise InputError(
            f"labels of {n_clusters} clusters are 0 to {n_clusters - 1}",
            file=path,
            field="label",
            value=worst,
        )
    return array.astype(np.int64)


def read_kmeans(folder: Path, mu: npt.NDArray[np.float32], n_clusters: int) -> KMeansResult:
    """Read the clusters in ``kmeansK``, and check them against the latents.

    Raises
    ------
    InputError
        Where a file is missing or damaged, or the representatives are other
        points than those of `mu`.
    """
    labels = read_labels(folder / LABELS, len(mu), n_clusters)
    centers = read_z_values(folder / CENTERS, mu.shape[1])
    positions = read_positions(folder / CENTERS_IND)
    if not len(centers) == len(positions) == n_clusters:
        raise InputError(
            f"there are {len(centers)} centres and {len(positions)} representatives "
            f"of {n_clusters} clusters",
            file=folder,
        )
    if positions.min() < 0 or positions.max() >= len(mu):
        raise InputError(
            f"a representative lies outside the {len(mu)} particles",
            file=folder / CENTERS_IND,
        )
    if not np.allclose(mu[positions], centers, atol=1e-4, rtol=1e-4):
        raise InputError("the centres are not those of these latents", file=folder / CENTERS)
    return KMeansResult(labels, centers, positions)


def list_volumes(analysis: AnalysisFolder) -> list[AnalysisVolume]:
    """Volumes that an analysis has, k-means first, each with its latent point if that is known."""
    groups = [f"kmeans{count}" for count in analysis.kmeans_counts()]
    groups += [f"pc{number}" for number in analysis.pc_numbers()]
    return [volume for group in groups for volume in _volumes_of(analysis.path / group)]


def read_positions(path: Path) -> npt.NDArray[np.int64]:
    """Read ``centers_ind.txt``: positions of the clusters' representatives, one a line.

    Raises
    ------
    InputError
        Where it is missing or holds anything but whole numbers.
    """
    # Not with `read_z_values`, whose float32 ends at 2**24.
    text = read_text(path, LARGEST)
    try:
        values = np.array(text.split(), dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"these are no row numbers ({error})", file=path) from error
    if not values.size or not (np.abs(values) < 2**53).all() or (values % 1).any():
        raise InputError("these are no row numbers", file=path)
    return values.astype(np.int64)


def _volumes_of(folder: Path) -> list[AnalysisVolume]:
    found = []
    try:
        z = read_z_values(folder / Z_VALUES)
    except InputError:
        # Volumes can be shown without their latent points; `info` names the damage.
        z = np.zeros((0, 0), np.float32)
    for path in sorted(folder.glob("*.mrc")):
        match = re.fullmatch(r"vol_(\d+)\.mrc", path.name)
        if match:
            number = int(match.group(1))
            known = z[number - 1] if 1 <= number <= len(z) else None
            found.append(AnalysisVolume(path, folder.name, number, known))
    return found
