"""Backprojection: a map and two half maps from particles whose poses are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.reconstruction.accumulate import accumulate
from napari_cryodrgn.reconstruction.fourier_grid import (
    Sums,
    map_of_spectrum,
    map_spectrum,
    symmetrised,
    volume_of_sums,
)
from napari_cryodrgn.reconstruction.fsc import FSCCurve, fourier_shell_correlation
from napari_cryodrgn.reconstruction.particle_spectra import SpectraSource

LEAST_PARTICLES = 2
"""Fewer make no half maps."""

LIGHT_REGULARISATION = 0.01
"""Of half maps: fills gaps, and is too little to change the FSC of a shell."""
_SNAPSHOT_REGULARISATION = 0.1
_LEAST_FSC, _MOST_REGULARISATION = 0.02, 3.0


@dataclass(frozen=True, eq=False)
class Backprojection:
    """A reconstruction.

    Parameters
    ----------
    volume : (box, box, box) float32 array
        Map of all particles.
    half_a, half_b : (box, box, box) float32 array
        Maps of every other particle, beginning with the first and the second.
    n_particles : int
        How many there were.
    """

    volume: npt.NDArray[np.float32]
    half_a: npt.NDArray[np.float32]
    half_b: npt.NDArray[np.float32]
    n_particles: int


def backproject_images(
    source: SpectraSource,
    positions: npt.NDArray[np.int64],
    *,
    weights: npt.NDArray[np.float32] | None = None,
    regularisation: float | None = None,
    threads: int | None = None,
    snapshots: bool = False,
) -> Task[Backprojection]:
    """Reconstruct particles by CTF-weighted backprojection.

    Parameters
    ----------
    source : SpectraSource
        Gives the particles' spectra.
    positions : (n,) int64 array
        Which of them.
    weights : (n,) float32 array, optional
        How much each counts; 1 if not given.
    regularisation : float, optional
        Added to Σ CTF², as a multiple of its mean in the shell. If not given it follows,
        shell by shell, from the agreement of the half maps.
    threads : int, optional
        See `accumulate`.
    snapshots : bool
        Report maps of the images so far.

    Returns
    -------
    Backprojection
        With the same place, hand and scale as decoded maps.

    Raises
    ------
    InputError
        Where there are fewer than two particles, or an image cannot be used.
    """
    require_enough(len(positions))
    halves = np.arange(len(positions), dtype=np.int64) % 2
    sums = yield from accumulate(
        source,
        positions,
        halves,
        weights=weights,
        threads=threads,
        picture=_snapshot if snapshots else None,
    )
    yield Progress(len(positions), len(positions), "Making maps", 0.0)
    one, two = symmetrised(sums[0]), symmetrised(sums[1])
    half_a, half_b = (
        map_of_spectrum(map_spectrum(half, LIGHT_REGULARISATION)) for half in (one, two)
    )
    factors: float | npt.NDArray[np.float64]
    if regularisation is None:
        factors = wiener_factors(fourier_shell_correlation(half_a, half_b))
    else:
        factors = regularisation
    volume = map_of_spectrum(map_spectrum(one + two, factors))
    return Backprojection(volume, half_a, half_b, len(positions))


def wiener_factors(half_maps: FSCCurve) -> npt.NDArray[np.float64]:
    """Regularisation of each shell, from the FSC of half maps.

    The ratio of signal to noise of the whole map is 2 FSC / (1 − FSC) (Rosenthal and Henderson,
    2003). Half of its inverse is taken, for the noise fills the sphere that the FSC
    compares, the particle no more than half of it.

    Returns
    -------
    (S + 1,) float64 array
        Of shells 0, 1, …
    """
    fsc = np.clip(np.append(1.0, half_maps.values), _LEAST_FSC, 1.0)
    return np.asarray(np.minimum((1 - fsc) / (4 * fsc), _MOST_REGULARISATION), np.float64)


def require_enough(count: int) -> None:
    """Raise `InputError` where there are too few particles for two half maps."""
    if count < LEAST_PARTICLES:
        raise InputError(
            "a reconstruction needs at least two particles, one for each half map",
            field="particles",
            value=count,
        )


def _snapshot(sums: Sums) -> npt.NDArray[np.float32]:
    return volume_of_sums(sums.sum(axis=0), _SNAPSHOT_REGULARISATION)
