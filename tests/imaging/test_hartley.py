"""The Hartley transform: its own inverse, its relation to Fourier, its centre."""

from __future__ import annotations

import math

import pytest
import torch

from napari_cryodrgn.imaging.hartley import (
    hartley_2d,
    hartley_3d,
    inverse_hartley_2d,
    inverse_hartley_3d,
    symmetrise,
)
from napari_cryodrgn.imaging.lattice import Lattice


@pytest.fixture
def images():
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_twice_is_the_number_of_pixels(images):
    assert torch.allclose(hartley_2d(hartley_2d(images)), images * 16**2)


def test_inverses(images):
    assert torch.allclose(inverse_hartley_2d(hartley_2d(images)), images)
    volume = images[:, :3, :3].reshape(3, 3, 3)[:2, :2, :2]
    assert torch.allclose(inverse_hartley_3d(hartley_3d(volume)), volume)


def test_is_the_sum_over_pixels_of_cosine_plus_sine(images):
    """The definition, about the centre pixel, at every frequency of the lattice."""
    transforms = symmetrise(hartley_2d(images)).reshape(3, -1)
    pixel = torch.arange(16, dtype=torch.float64) - 8
    y, x = torch.meshgrid(pixel, pixel, indexing="ij")
    places = torch.stack((x, y), dim=-1).reshape(-1, 2)
    phases = 2 * math.pi * (Lattice(16, dtype=torch.float64).coords[:, :2] @ places.T)
    expected = images.reshape(3, -1) @ (phases.cos() + phases.sin()).T
    assert torch.allclose(transforms, expected)


def test_zero_frequency_is_in_the_centre_of_the_symmetrised_transform(images):
    transforms = symmetrise(hartley_2d(images))
    assert transforms.shape == (3, 17, 17)
    assert torch.allclose(transforms[:, 8, 8], images.sum(dim=(1, 2)))
    assert torch.equal(transforms[:, 0], transforms[:, -1])
    assert torch.equal(transforms[:, :, 0], transforms[:, :, -1])


def test_central_slice_of_a_volume_is_the_transform_of_its_projection():
    generator = torch.Generator().manual_seed(1)
    volume = torch.randn(12, 12, 12, generator=generator, dtype=torch.float64)
    assert torch.allclose(hartley_3d(volume)[6], hartley_2d(volume.sum(dim=0)))
