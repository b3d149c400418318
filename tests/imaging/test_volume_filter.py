"""Filters of maps: what must stay as it is, and what must change by how much."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from napari_cryodrgn.imaging.volume_filter import (
    VolumeFilter,
    crop_to_contents,
    filtered,
    flipped_hand,
    frequencies,
    sharpened,
    soft_mask,
    sphere_mask,
)

BOX, PIXEL = 24, 3.0


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(BOX,) * 3).astype(np.float32)


def test_low_pass_keeps_what_is_coarser_and_leaves_nothing_finer(noise):
    limit = 15.0
    before, after = scipy.fft.rfftn(noise), scipy.fft.rfftn(filtered(noise, PIXEL, low_pass=limit))
    s = frequencies(noise.shape, PIXEL)
    coarse, fine = s < 0.94 / limit, s > 1.06 / limit
    np.testing.assert_allclose(after[coarse], before[coarse], rtol=1e-3, atol=1e-2)
    assert np.abs(after[fine]).max() < 1e-3 * np.abs(before).max()


def test_a_low_pass_in_true_units_depends_on_the_pixel_size(noise):
    one = filtered(noise, PIXEL, low_pass=15.0)
    np.testing.assert_allclose(one, filtered(noise, 2 * PIXEL, low_pass=30.0), atol=1e-5)


def test_sharpening_by_a_b_factor_and_blurring_by_it_cancel(noise):
    there = sharpened(noise, PIXEL, -80.0)
    np.testing.assert_allclose(sharpened(there, PIXEL, 80.0), noise, atol=1e-4)
    assert there.std() > noise.std()  # negative sharpens
    ratio = scipy.fft.rfftn(there)[0, 0, 5] / scipy.fft.rfftn(noise)[0, 0, 5]
    assert ratio.real == pytest.approx(np.exp(80 / 4 * (5 / (BOX * PIXEL)) ** 2), rel=1e-3)


def test_nothing_moves_and_the_mean_stays(noise):
    point = np.zeros((BOX,) * 3, np.float32)
    point[5, 9, 14] = 1
    for result in (filtered(point, PIXEL, low_pass=12.0), sharpened(point, PIXEL, 200.0)):
        assert np.unravel_index(result.argmax(), result.shape) == (5, 9, 14)
        assert result.mean() == pytest.approx(point.mean(), rel=1e-4)


def test_a_soft_mask_is_one_inside_and_zero_beyond_its_edge():
    data = np.zeros((BOX,) * 3, np.float32)
    data[12, 12, 12] = 1
    mask = soft_mask(data, 0.5, extend=3, edge=4)
    np.testing.assert_allclose(mask[12, 12, 9:16], 1)
    assert mask[12, 12, 17] == pytest.approx(0.5)
    assert mask[12, 12, 19:].max() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(mask, sphere_mask(data.shape, 3, 4), atol=1e-6)
    assert soft_mask(data, 2.0, 3, 4).max() == 0


def test_flipping_the_hand_twice_is_nothing_and_keeps_the_middle(noise):
    once = flipped_hand(noise)
    np.testing.assert_array_equal(flipped_hand(once), noise)
    np.testing.assert_array_equal(once[BOX // 2], noise[BOX // 2])
    np.testing.assert_array_equal(once[BOX // 2 + 3], noise[BOX // 2 - 3])


def test_a_crop_holds_all_the_density_and_says_where_it_was():
    data = np.zeros((BOX,) * 3, np.float32)
    data[4:9, 10:12, 0:3] = 1
    cropped, corner = crop_to_contents(data, 0.5, margin=2)
    assert corner == (2, 8, 0)
    assert cropped.shape == (9, 6, 5)
    assert cropped.sum() == data.sum()
    same, corner = crop_to_contents(data, 5.0)
    assert same is data
    assert corner == (0, 0, 0)


def test_a_filter_that_does_nothing_leaves_the_array_itself(noise):
    assert VolumeFilter().does_nothing
    assert VolumeFilter().apply(noise, PIXEL) is noise
    both = VolumeFilter(low_pass=20.0, mask_level=0.1, sphere=30.0, flip_hand=True)
    assert not both.does_nothing
    assert both.apply(noise, PIXEL).shape == noise.shape
