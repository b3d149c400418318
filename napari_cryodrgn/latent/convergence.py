"""How far particles move in latent space from one epoch to another.

A latent space may turn, shift and stretch as a whole without saying anything else of the
particles. What counts is how far they move beyond that, and whether they keep their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import orthogonal_procrustes
from sklearn.neighbors import NearestNeighbors

from napari_cryodrgn.errors import InputError

N_NEIGHBOURS = 20
N_SAMPLE = 3000


@dataclass(frozen=True)
class Movement:
    """What changed in latent space between two epochs.

    Parameters
    ----------
    before, after : int
        The epochs.
    moved : float
        Root mean square distance that particles moved, in units of their spread, after the best
        turn, shift and stretch of the whole (Procrustes): 0 for not at all, 1 where nothing is
        as it was.
    kept : float
        Share of each particle's twenty nearest neighbours that are so in both.
    by_chance : float
        That share for particles thrown together at random.
    """

    before: int
    after: int
    moved: float
    kept: float
    by_chance: float


def movement(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    epochs: tuple[int, int],
    *,
    seed: int = 0,
) -> Movement:
    """Compare the latent coordinates of the same particles at two epochs.

    Parameters
    ----------
    before, after : (N, zdim) arrays
        Latent coordinates, in the same order.
    epochs : (int, int)
        The epochs.
    seed : int
        Draws the particles that are looked at, where there are many.

    Raises
    ------
    InputError
        Where they are not of the same particles, or of fewer than three.
    """
    if before.shape != after.shape:
        raise InputError(
            "latents of two epochs are of different particles or dimensions",
            field="z: shape",
            value=f"{before.shape} and {after.shape}",
        )
    there = np.flatnonzero(np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1))
    if len(there) < 3:
        raise InputError(
            "at least three particles are needed to compare epochs",
            field="particles",
            value=len(there),
        )
    if len(there) > N_SAMPLE:
        there = np.random.default_rng(seed).choice(there, N_SAMPLE, replace=False)
    first, second = (_standard(z[there].astype(float)) for z in (before, after))
    k = min(N_NEIGHBOURS, len(there) - 1)
    kept = _neighbours_kept(first, second, k)
    return Movement(*epochs, _moved(first, second), kept, k / (len(there) - 1))


def _standard(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Centred, of unit spread."""
    centred = z - z.mean(axis=0)
    size = float(np.linalg.norm(centred))
    return np.asarray(centred / size if size > 0 else centred)


def _moved(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    turn, stretch = orthogonal_procrustes(second, first)
    return float(np.linalg.norm(first - stretch * (second @ turn)))


def _neighbours_kept(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], k: int
) -> float:
    near = [
        NearestNeighbors(n_neighbors=k).fit(z).kneighbors(return_distance=False)
        for z in (first, second)
    ]
    # Each pair of particle and neighbour as one number, to count those that are in both.
    numbers = [(np.arange(len(one))[:, None] * len(one) + one).ravel() for one in near]
    return float(len(np.intersect1d(*numbers)) / numbers[0].size)
