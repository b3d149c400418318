"""Preparation of images: window, contrast, normalisation; against cryoDRGN's own arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.hartley import inverse_hartley_2d
from napari_cryodrgn.imaging.prepare import measure_norm, to_hartley, window_mask
from napari_cryodrgn.io.image_stack import ArrayImageStack, FileImageStack

# The images of hand.mrcs whose transforms upstream's tests hold.
HAND_IMAGES = np.array([43, 12, 53, 64, 31, 56, 75, 63, 27, 62, 96])


def test_window_is_one_inside_and_falls_to_zero():
    mask = window_mask(64, 0.5)
    centre = mask[32]
    assert centre[32] == 1
    assert centre[32 + 16] == 1
    assert centre[32 + 17] < 1
    assert centre[0] == 0
    assert mask[0, 0] == 0
    # Halfway between 0.5 and 0.99 of half the box.
    halfway = torch.tensor([0.745 * 32])
    assert torch.lerp(centre[32 + 23], centre[32 + 24], halfway % 1) == pytest.approx(0.5, abs=1e-6)


def test_inversion_and_window_come_before_the_transform(rng):
    images = torch.from_numpy(rng.normal(size=(2, 16, 16)))
    mask = window_mask(16, 0.6)
    transforms = to_hartley(images, invert=True, window=mask)
    assert transforms.shape == (2, 17, 17)
    assert torch.allclose(inverse_hartley_2d(transforms[:, :-1, :-1]), -images * mask)


def test_norm_is_the_deviation_of_the_transforms(rng):
    images = rng.normal(3, 2, size=(2500, 8, 8)).astype(np.float32)
    mean, deviation = measure_norm(ArrayImageStack(images), invert=True)
    drawn = to_hartley(torch.from_numpy(images[::2]), invert=True)
    assert mean == 0.0
    assert deviation == pytest.approx(float(drawn.std()), rel=1e-6)


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        (np.full((3, 8, 8), 0.0), "no contrast"),
        (np.full((3, 8, 8), np.nan), "not finite"),
        (np.zeros((0, 8, 8)), "no images"),
    ],
)
def test_norm_of_unusable_images_is_refused(images, problem):
    with pytest.raises(InputError, match=problem):
        measure_norm(ArrayImageStack(images.astype(np.float32)), invert=False)


@pytest.mark.data
def test_transforms_are_cryodrgns(data_folder):
    stack = FileImageStack.of_files([data_folder / "cryodrgn-tests" / "hand.mrcs"])
    expected = np.load(data_folder / "cryodrgn-tests" / "hand_11_particles.npy")
    images = torch.tensor(stack.read(HAND_IMAGES))
    mean, deviation = measure_norm(stack, invert=True)
    found = to_hartley(images, invert=True, window=window_mask(64, 0.85)) / deviation + mean
    assert np.abs(found.numpy() - expected).max() < 3e-6


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"), [("hand.mrcs", 94.4595), ("toy_projections.mrcs", 25.7870)]
)
def test_norm_is_cryodrgns(data_folder, name, expected):
    stack = FileImageStack.of_files([data_folder / "cryodrgn-tests" / name])
    assert measure_norm(stack, invert=True) == (0.0, pytest.approx(expected, abs=5e-5))
