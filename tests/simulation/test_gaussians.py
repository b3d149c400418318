from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.simulation.gaussians import (
    GaussianMolecule,
    density,
    images_of,
    project,
    resolution_width,
    volume_of,
    volume_transform,
)

BOX, PIXEL = 24, 5.0


@pytest.fixture
def molecule(rng: np.random.Generator) -> GaussianMolecule:
    return GaussianMolecule(
        rng.normal(0, 12, (40, 3)).astype(np.float32),
        rng.uniform(0.5, 2, 40).astype(np.float32),
        rng.uniform(5, 7, 40).astype(np.float32),
    )


def _projections(molecule: GaussianMolecule, rotations: np.ndarray) -> torch.Tensor:
    return project(
        torch.from_numpy(molecule.positions)[None],
        torch.from_numpy(molecule.weights)[None],
        torch.from_numpy(molecule.widths),
        torch.from_numpy(rotations),
        BOX,
        PIXEL,
    )


def _analytic(molecule: GaussianMolecule, points: np.ndarray) -> np.ndarray:
    """Transform at points (P, 3) in 1/Å, straight from the definition, in double precision."""
    phase = np.exp(-2j * np.pi * points @ molecule.positions.astype(float).T)
    squared = (points**2).sum(axis=1)[:, None]
    envelope = np.exp(-2 * np.pi**2 * squared * molecule.widths.astype(float) ** 2)
    return (phase * envelope * molecule.weights).sum(axis=1)


def test_a_projection_is_the_slice_of_the_transform(
    molecule: GaussianMolecule, rng: np.random.Generator
) -> None:
    rotations = random_rotations(3, rng)
    found = _projections(molecule, rotations).numpy()
    y, x = np.meshgrid(np.fft.fftfreq(BOX, PIXEL), np.fft.rfftfreq(BOX, PIXEL), indexing="ij")
    plane = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    for image, rotation in zip(found, rotations, strict=True):
        # Row vectors of the image plane times the matrix lie in the volume frame.
        expected = _analytic(molecule, plane @ rotation.astype(float))
        np.testing.assert_allclose(image.reshape(-1), expected, atol=2e-4)


def test_the_volume_is_the_transform_and_projects_to_the_image(molecule: GaussianMolecule) -> None:
    transform = volume_transform(molecule, BOX, PIXEL)
    points = [(0, 0, 0), (3, 2, 5), (BOX - 4, 7, 1)]
    full, half = np.fft.fftfreq(BOX, PIXEL), np.fft.rfftfreq(BOX, PIXEL)
    for z, y, x in points:
        expected = _analytic(molecule, np.array([[half[x], full[y], full[z]]]))[0]
        assert abs(complex(transform[z, y, x]) - expected) < 2e-4
    front = images_of(_projections(molecule, np.eye(3, dtype=np.float32)[None]))[0]
    np.testing.assert_allclose(density(molecule, BOX, PIXEL).sum(axis=0), front, atol=1e-4)


def test_density_sits_where_the_atom_is() -> None:
    atom = GaussianMolecule(
        np.array([[3 * PIXEL, -5 * PIXEL, 2 * PIXEL]], np.float32),
        np.ones(1, np.float32),
        np.full(1, 6.0, np.float32),
    )
    volume = density(atom, BOX, PIXEL)
    middle = BOX // 2
    assert np.unravel_index(volume.argmax(), volume.shape) == (middle + 2, middle - 5, middle + 3)
    assert volume.sum() == pytest.approx(1, abs=1e-4)


def test_volume_and_its_transform_are_a_pair(molecule: GaussianMolecule) -> None:
    volume = volume_of(volume_transform(molecule, BOX, PIXEL)).numpy()
    again = np.fft.rfftn(np.fft.ifftshift(volume))
    inner = np.s_[: BOX // 2 - 1, : BOX // 2 - 1, : BOX // 2 - 1]
    expected = volume_transform(molecule, BOX, PIXEL).numpy()
    np.testing.assert_allclose(again[inner], expected[inner], atol=2e-3)


def test_blur_leaves_the_resolution_asked_for() -> None:
    width = resolution_width(12.0)
    assert np.exp(-2 * np.pi**2 * width**2 / 12.0**2) == pytest.approx(np.exp(-1))
    atom = GaussianMolecule(
        np.zeros((1, 3), np.float32), np.ones(1, np.float32), np.full(1, 3.0, np.float32)
    )
    assert atom.blurred(4.0).widths[0] == pytest.approx(5.0)
