"""A small particle set in memory: two blobs whose distance is the conformation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.image_stack import ArrayImageStack
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Particles, Poses, SourceTable

BOX, N_IMAGES, PIXEL_SIZE = 16, 40, 4.0


def blob_images(rotations: np.ndarray, distances: np.ndarray, box: int) -> np.ndarray:
    """Projections (N, box, box) of two Gaussian blobs at ± distance / 2 on x, exact up to scale."""
    axis = np.arange(box) - box // 2
    images = np.zeros((len(rotations), box, box))
    for sign in (-0.5, 0.5):
        # A point p of the volume is seen at R p (rows of R are the view's axes).
        centre = rotations[:, :, 0] * (sign * distances)[:, None]
        x = np.exp(-((axis - centre[:, :1]) ** 2) / 4)
        y = np.exp(-((axis - centre[:, 1:2]) ** 2) / 4)
        images += y[:, :, None] * x[:, None, :]
    return images.astype(np.float32)


@pytest.fixture
def particles(rng: np.random.Generator) -> Particles:
    rotations = random_rotations(N_IMAGES, rng)
    images = blob_images(rotations, rng.uniform(2, 9, N_IMAGES), BOX)
    images += rng.normal(0, 0.1, images.shape).astype(np.float32)
    shifts = rng.uniform(-0.1, 0.1, (N_IMAGES, 2)).astype(np.float32)
    table = np.tile([BOX, PIXEL_SIZE, 15000, 14000, 20, 300, 2.7, 0.1, 0], (N_IMAGES, 1))
    table[:, 2:4] += rng.normal(0, 2000, (N_IMAGES, 1))
    # Every second row of a larger table, so that positions and rows cannot be mixed up.
    rows = ParticleRows(np.arange(N_IMAGES) * 2 + 1, 2 * N_IMAGES, "fingerprint")
    return Particles(
        SourceTable(Path("particles.star"), "star", 2 * N_IMAGES, "fingerprint"),
        rows,
        ArrayImageStack(images, PIXEL_SIZE),
        Poses(rotations, shifts),
        CTFParameters(table),
        pd.DataFrame(index=range(N_IMAGES)),
        PIXEL_SIZE,
    )
