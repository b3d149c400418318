"""Particles made of Gaussians: their projections and maps are known in closed form."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.image_stack import ArrayImageStack
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Particles, Poses, SourceTable

WIDTH = 0.9
PIXEL_SIZE = 3.0


def centres(box: int, seed: int = 5) -> np.ndarray:
    """Places of the Gaussians, px from the centre: without any symmetry, so with a hand."""
    return np.random.default_rng(seed).uniform(-0.22, 0.22, (9, 3)) * box


def volume_of(points: np.ndarray, box: int) -> np.ndarray:
    axis = np.arange(box) - box // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    grid = np.stack([x, y, z], axis=-1)[..., None, :]
    squared = np.square(grid - points).sum(axis=-1)
    return np.exp(-squared / (2 * WIDTH**2)).sum(axis=-1).astype(np.float32)


def images_of(
    points: np.ndarray, rotations: np.ndarray, shifts: np.ndarray, box: int
) -> np.ndarray:
    """Projections along z of the view; content lies at −shift, which the pose's shift undoes."""
    axis = np.arange(box) - box // 2
    images = np.empty((len(rotations), box, box), np.float32)
    for number, (matrix, shift) in enumerate(zip(rotations, shifts, strict=True)):
        places = points @ matrix.T - np.append(shift * box, 0)
        along_x = np.exp(-np.square(axis[:, None] - places[:, 0]) / (2 * WIDTH**2))
        along_y = np.exp(-np.square(axis[:, None] - places[:, 1]) / (2 * WIDTH**2))
        images[number] = np.sqrt(2 * np.pi) * WIDTH * (along_y @ along_x.T)
    return images


def with_ctf(images: np.ndarray, ctf: np.ndarray) -> np.ndarray:
    """Images seen through CTFs given on the grid of their rfft2."""
    return np.fft.irfft2(np.fft.rfft2(images) * ctf, images.shape[1:]).astype(np.float32)


def ctf_parameters(n: int, box: int, rng: np.random.Generator) -> CTFParameters:
    table = np.zeros((n, 9))
    table[:, 0], table[:, 1] = box, PIXEL_SIZE
    table[:, 2] = rng.uniform(9000, 16000, n)
    table[:, 3] = table[:, 2] - 300
    table[:, 4] = rng.uniform(0, 180, n)
    table[:, 5:8] = 300, 2.7, 0.1
    return CTFParameters(table)


def make_particles(
    images: np.ndarray,
    rotations: np.ndarray | None,
    shifts: np.ndarray | None = None,
    ctf: CTFParameters | None = None,
) -> Particles:
    n = len(images)
    poses = None
    if rotations is not None:
        moves = np.zeros((n, 2), np.float32) if shifts is None else shifts.astype(np.float32)
        poses = Poses(rotations.astype(np.float32), moves)
    return Particles(
        SourceTable(Path("particles.star"), "star", n, "a" * 8),
        ParticleRows.every(n, "a" * 8),
        ArrayImageStack(images.astype(np.float32), PIXEL_SIZE),
        poses,
        ctf,
        pd.DataFrame(index=range(n)),
        PIXEL_SIZE,
    )


def views(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random rotations, and shifts of up to 4 % of the box."""
    return random_rotations(n, rng), rng.uniform(-0.04, 0.04, (n, 2)).astype(np.float32)


@pytest.fixture
def toy() -> SimpleNamespace:
    """The functions of this file."""
    names = "centres volume_of images_of with_ctf ctf_parameters make_particles views"
    return SimpleNamespace(**{name: globals()[name] for name in names.split()})
