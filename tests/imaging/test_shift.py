"""Shifts of images through their transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cryodrgn.imaging.hartley import inverse_hartley_2d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley
from napari_cryodrgn.imaging.shift import shift_hartley, shift_values, shifts_in_pixels
from napari_cryodrgn.io.image_stack import FileImageStack


def shifted_image(image, shift):
    box = image.shape[-1]
    lattice = Lattice(box, dtype=image.dtype)
    transforms = to_hartley(image[None], invert=False).reshape(1, -1)
    moved = shift_hartley(transforms, torch.tensor([shift], dtype=image.dtype), lattice)
    return inverse_hartley_2d(moved.reshape(box + 1, box + 1)[:-1, :-1])


def test_content_moves_by_plus_t():
    image = torch.zeros(16, 16, dtype=torch.float64)
    image[8, 8] = 1
    moved = shifted_image(image, (3.0, -2.0))
    assert torch.argmax(moved) == (8 - 2) * 16 + (8 + 3)  # row y, column x
    assert moved.max() == pytest.approx(1, abs=1e-9)


def test_whole_pixels_are_a_roll(rng):
    image = torch.from_numpy(rng.normal(size=(16, 16)))
    assert torch.allclose(shifted_image(image, (5.0, -3.0)), image.roll((-3, 5), dims=(0, 1)))


def test_there_and_back(rng):
    lattice = Lattice(16, dtype=torch.float64)
    points = lattice.coords[lattice.disc(7)]
    values = torch.from_numpy(rng.normal(size=(4, len(points))))
    shifts = torch.from_numpy(rng.uniform(-4, 4, size=(4, 2)))
    back = shift_values(shift_values(values, shifts, points), -shifts, points)
    assert torch.allclose(back, values)


def test_a_disc_is_shifted_as_the_whole_lattice_is(rng):
    lattice = Lattice(16)
    disc = lattice.disc(8)
    transforms = torch.from_numpy(rng.normal(size=(4, 17 * 17)).astype(np.float32))
    shifts = torch.from_numpy(rng.uniform(-4, 4, size=(4, 2)).astype(np.float32))
    whole = shift_hartley(transforms, shifts, lattice)[:, disc]
    part = shift_values(transforms[:, disc], shifts, lattice.coords[disc])
    assert torch.allclose(whole, part, atol=1e-6)


def test_fractions_become_pixels_of_the_lattice():
    """cryoDRGN multiplies by the lattice's side, box + 1."""
    assert torch.allclose(
        shifts_in_pixels(torch.tensor([[0.1, -0.2]]), 64), torch.tensor([[6.5, -13]])
    )


@pytest.mark.data
def test_shifted_image_is_cryodrgns(data_folder):
    folder = data_folder / "cryodrgn-tests"
    stack = FileImageStack.of_files([folder / "hand.mrcs"])
    image = torch.tensor(stack.read(np.array([0])))[0]
    expected = np.load(folder / "im_shifted.npy")
    assert np.abs(shifted_image(image, (5.0, 10.0)).numpy() - expected).max() < 1e-5
