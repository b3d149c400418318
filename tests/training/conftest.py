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


def blob_images(
    rotations: np.ndarray, distances: np.ndarray, shifts_px: np.ndarray, box: int
) -> np.ndarray:
    """Exact projections (N, box, box) of a volume of two Gaussian blobs.

    The larger is at (d / 2, 0, 0), the smaller at (-d / 2, 2, 1), d being the distance; the
    given shifts centre the images.
    """
    axis = np.arange(box) - box // 2
    images = np.zeros((len(rotations), box, box))
    half, zero = distances / 2, np.zeros(len(distances))
    for weight, place in ((1.0, (half, zero, zero)), (0.6, (-half, zero + 2, zero + 1))):
        # A point p of the volume is seen at R p: the rows of R are the view's axes.
        seen = np.einsum("nij,jn->ni", rotations, np.array(place))[:, :2] - shifts_px
        x = np.exp(-((axis - seen[:, :1]) ** 2) / 4)
        y = np.exp(-((axis - seen[:, 1:2]) ** 2) / 4)
        images += weight * y[:, :, None] * x[:, None, :]
    return images.astype(np.float32)


@pytest.fixture
def particles(rng: np.random.Generator) -> Particles:
    rotations = random_rotations(N_IMAGES, rng)
    shifts = rng.uniform(-0.1, 0.1, (N_IMAGES, 2)).astype(np.float32)
    images = blob_images(rotations, rng.uniform(2, 9, N_IMAGES), shifts * BOX, BOX)
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
