"""Micrographs of simulated particles, and their CTF parameters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.particles import CTFParameters
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.simulation.gaussians import grid_frequencies, half_grid_frequencies

PARTICLES_A_MICROGRAPH = 40
# Ice is some tens of nanometres thick; particles lie at different heights in it.
HEIGHT_SPREAD = 120.0


def micrograph_numbers(n: int) -> npt.NDArray[np.int64]:
    """Micrograph of each of `n` particles, from 0."""
    return np.arange(n, dtype=np.int64) // PARTICLES_A_MICROGRAPH


def draw_ctf(
    config: SimulationConfig, box: int, pixel_size: float, rng: np.random.Generator
) -> CTFParameters:
    """CTF parameters: those of each micrograph, and each particle's height in the ice.

    Parameters
    ----------
    config : SimulationConfig
        Ranges of defocus and astigmatism, and the microscope.
    box : int
        Side of the images, px.
    pixel_size : float
        Å per pixel.
    rng : Generator
        Source of randomness.

    Returns
    -------
    CTFParameters
    """
    n = config.n_particles
    micrographs = micrograph_numbers(n)
    n_micrographs = int(micrographs[-1]) + 1
    mean = rng.uniform(config.defocus_min, config.defocus_max, n_micrographs)[micrographs]
    difference = rng.uniform(0, config.astigmatism, n_micrographs)[micrographs]
    angle = rng.uniform(0, 180, n_micrographs)[micrographs]
    mean = np.clip(mean + rng.normal(0, HEIGHT_SPREAD, n), config.defocus_min, config.defocus_max)
    table = np.empty((n, len(CTFParameters.COLUMNS)))
    values: dict[str, npt.NDArray[np.float64] | float] = {
        "box": box,
        "pixel_size": pixel_size,
        "defocus_u": mean + difference / 2,
        "defocus_v": mean - difference / 2,
        "defocus_angle": angle,
        "voltage": config.voltage,
        "spherical_aberration": config.spherical_aberration,
        "amplitude_contrast": config.amplitude_contrast,
        "phase_shift": 0.0,
    }
    for column, name in enumerate(CTFParameters.COLUMNS):
        table[:, column] = values[name]
    # Pickles of these are float32; rounding here makes every file say the same.
    return CTFParameters(table.astype(np.float32).astype(np.float64))


def ctf_images(ctf: CTFParameters, box: int, pixel_size: float) -> torch.Tensor:
    """CTF of each particle on the grid of a real FFT, (B, box, box // 2 + 1) float32."""
    y, x = torch.meshgrid(
        grid_frequencies(box, pixel_size), half_grid_frequencies(box, pixel_size), indexing="ij"
    )
    points = torch.stack([x.reshape(-1), y.reshape(-1)], dim=1)
    parameters = torch.from_numpy(ctf.table[:, 1:].astype(np.float32))
    return ctf_2d(points, parameters).reshape(-1, box, box // 2 + 1)
