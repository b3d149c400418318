"""Kernel-weighted maps: what the particles around a latent point show.

Few particles close to the point blur nothing and are noisy; many smooth the noise and mix
states. How many are best differs from shell to shell: the shape of a domain needs
neighbours only, fine detail that all states share needs all particles. All candidate numbers of
neighbours are accumulated in one pass, as sums over rings of growing distance; for each shell
that number is taken whose map from one half of the particles best predicts the nearest particles
of the other half (the idea of RECOVAR's bandwidths: Gilles and Singer, PNAS 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.reconstruction.accumulate import accumulate
from napari_cryodrgn.reconstruction.backprojection import (
    LIGHT_REGULARISATION,
    require_enough,
    wiener_factors,
)
from napari_cryodrgn.reconstruction.fourier_grid import (
    Sums,
    grid_shells,
    map_of_spectrum,
    map_spectrum,
    symmetrised,
    volume_of_sums,
)
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.reconstruction.particle_spectra import SpectraSource

LEAST_NEIGHBOURS = 50
MOST_NEIGHBOURS = 20_000
_CANDIDATES = 9
# Errors of prediction are compared over so many shells, for single ones are noisy.
_SMOOTHED_SHELLS = 5
_SNAPSHOT_REGULARISATION = 0.3


@dataclass(frozen=True, eq=False)
class KernelMap:
    """A map of the particles around a latent point.

    Parameters
    ----------
    volume : (box, box, box) float32 array
        The map; same place, hand and scale as decoded maps.
    half_a, half_b : (box, box, box) float32 array
        The same of every other neighbour, in the order of distance.
    candidates : (B,) int64 array
        Numbers of nearest particles that were tried, ascending.
    chosen : (S + 1,) int64 array
        Which of them each shell was made from, shells 0, 1, … box / 2.
    n_particles : int
        Particles that were read: the greatest candidate.
    """

    volume: npt.NDArray[np.float32]
    half_a: npt.NDArray[np.float32]
    half_b: npt.NDArray[np.float32]
    candidates: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.int64]
    n_particles: int


def candidate_counts(n: int, most: int = MOST_NEIGHBOURS) -> npt.NDArray[np.int64]:
    """Numbers of neighbours to try, of n particles: few to many, in equal ratios."""
    most = min(n, most)
    least = min(LEAST_NEIGHBOURS, most)
    return np.unique(np.rint(np.geomspace(least, most, _CANDIDATES)).astype(np.int64))


def kernel_map(
    source: SpectraSource,
    distances: npt.NDArray[np.floating],
    *,
    most: int = MOST_NEIGHBOURS,
    threads: int | None = None,
    snapshots: bool = False,
) -> Task[KernelMap]:
    """Reconstruct the particles around a latent point.

    Parameters
    ----------
    source : SpectraSource
        Gives the particles' spectra.
    distances : (N,) array
        Distance of each particle of the source from the point.
    most : int
        At most so many of the nearest are used.
    threads : int, optional
        See `accumulate`.
    snapshots : bool
        Report maps of the images so far.

    Raises
    ------
    InputError
        Where there are fewer than two particles, or an image cannot be used.
    """
    require_enough(len(distances))
    counts = candidate_counts(len(distances), most)
    nearest = np.argsort(distances, kind="stable")[: counts[-1]].astype(np.int64)
    ranks = np.arange(len(nearest))
    rings = np.searchsorted(counts, ranks, side="right")
    sums = yield from accumulate(
        source,
        nearest,
        2 * rings + ranks % 2,
        threads=threads,
        picture=_snapshot if snapshots else None,
    )
    report = Progress(len(nearest), len(nearest), "Choosing the bandwidths", 0.0)
    halves = yield from _cumulated(sums, report)
    errors, whole, parts = [], [], []
    for pair in halves:
        yield report
        low, other = (map_of_spectrum(map_spectrum(half, LIGHT_REGULARISATION)) for half in pair)
        factors = wiener_factors(fourier_shell_correlation(low, other))
        # A half has half the signal.
        spectra = [map_spectrum(half, 2 * factors) for half in pair]
        errors.append(
            prediction_errors(spectra[0], halves[0][1])
            + prediction_errors(spectra[1], halves[0][0])
        )
        parts.append(spectra)
        whole.append(map_spectrum(pair[0] + pair[1], factors))
        yield report
    choice = uniform_filter1d(np.array(errors), _SMOOTHED_SHELLS, axis=1, mode="nearest").argmin(0)
    half_a, half_b = (
        map_of_spectrum(_by_shell([pair[half] for pair in parts], choice)) for half in range(2)
    )
    volume = map_of_spectrum(_by_shell(whole, choice))
    return KernelMap(volume, half_a, half_b, counts, counts[choice], len(nearest))


def prediction_errors(
    spectrum: npt.NDArray[np.complex64], held_out: Sums
) -> npt.NDArray[np.float64]:
    """How badly a map predicts images that it was not made from, by shell.

    Σ |Y − CTF · V|² over the images' Fourier pixels Y, less Σ |Y|², which no map changes: at a
    voxel, V* V Σ CTF² − 2 Re V* Σ CTF · Y, which the sums of the images give without reading
    them again.

    Parameters
    ----------
    spectrum : (box + 1, box + 1, box // 2 + 1) complex64 array
        Of the map, from `map_spectrum`.
    held_out : (box + 1, box + 1, box // 2 + 1, 3) float32 array
        From `symmetrised`, of the images to predict.

    Returns
    -------
    (box // 2 + 1,) float64 array
    """
    power = spectrum.real**2 + spectrum.imag**2
    common = spectrum.real * held_out[..., 0] + spectrum.imag * held_out[..., 1]
    values = held_out[..., 2] * power - 2 * common
    shells = grid_shells(len(spectrum) - 1).reshape(-1)
    errors = np.bincount(shells, values.reshape(-1).astype(np.float64))
    return np.asarray(errors[: spectrum.shape[2]], np.float64)


def _cumulated(sums: Sums, report: Progress) -> Task[list[tuple[Sums, Sums]]]:
    """Sums of both halves of all particles up to each ring."""
    halves: list[tuple[Sums, Sums]] = []
    for ring in range(0, len(sums), 2):
        if ring:
            sums[ring] += sums[ring - 2]
            sums[ring + 1] += sums[ring - 1]
        halves.append((symmetrised(sums[ring]), symmetrised(sums[ring + 1])))
        yield report
    return halves


def _by_shell(
    spectra: list[npt.NDArray[np.complex64]], choice: npt.NDArray[np.int64]
) -> npt.NDArray[np.complex64]:
    """A spectrum of which each shell is that of the one chosen for it."""
    shells = grid_shells(len(spectra[0]) - 1)
    # Corners beyond the last shell are empty in all of them.
    number = choice[np.minimum(shells, len(choice) - 1)]
    mixed = np.zeros_like(spectra[0])
    for each in np.unique(choice):
        np.copyto(mixed, spectra[each], where=number == each)
    return mixed


def _snapshot(sums: Sums) -> npt.NDArray[np.float32]:
    """Map of the nearer rings, of those images that are in."""
    nearer = max(2, len(sums) // 2)
    return volume_of_sums(sums[:nearer].sum(axis=0), _SNAPSHOT_REGULARISATION)
