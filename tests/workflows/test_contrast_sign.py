"""Bright or dark, told from the images."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.io.image_stack import ArrayImageStack, FileImageStack
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.contrast_sign import ContrastSign, measure_contrast
from napari_cryodrgn.workflows.sample_images import bin_images, low_pass, sample_images

BOX = 32


def images_with_a_disc(rng, height, n=200):
    axis = np.arange(BOX) - BOX // 2
    disc = np.hypot(axis[:, None], axis[None, :]) < BOX / 5
    return (rng.normal(size=(n, BOX, BOX)) + height * disc).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "looks", "with_ctf", "without"),
    [(0.5, "bright", True, False), (-0.5, "dark", False, True), (0.0, "unclear", None, None)],
)
def test_the_sign_and_what_follows_for_training(rng, height, looks, with_ctf, without):
    sign = run_to_end(measure_contrast(ArrayImageStack(images_with_a_disc(rng, height))))
    assert sign.looks == looks
    assert sign.n_images == 200
    assert sign.suggested_inversion(has_ctf=True) is with_ctf
    assert sign.suggested_inversion(has_ctf=False) is without


def test_inverted_images_give_the_opposite(rng):
    images = images_with_a_disc(rng, 0.3)
    one = run_to_end(measure_contrast(ArrayImageStack(images)))
    other = run_to_end(measure_contrast(ArrayImageStack(-images)))
    assert one.difference == pytest.approx(-other.difference)
    assert one.error == pytest.approx(other.error)


def test_scale_and_offset_of_the_images_do_not_matter(rng):
    images = images_with_a_disc(rng, 0.3)
    one = run_to_end(measure_contrast(ArrayImageStack(images)))
    other = run_to_end(measure_contrast(ArrayImageStack(7 * images + 100)))
    assert one.difference == pytest.approx(other.difference, rel=1e-4)


def test_flat_images_are_unclear_and_not_an_error():
    sign = run_to_end(measure_contrast(ArrayImageStack(np.zeros((5, BOX, BOX), np.float32))))
    assert sign == ContrastSign(0.0, 0.0, 0)
    assert sign.looks == "unclear"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("tomodrgn-10076-DE/10076_classD_32_clean.mrcs", "bright"),
        ("tomodrgn-10076-DE/10076_classE_32_sim.mrcs", "dark"),
        ("cryodrgn-tests/hand.mrcs", "bright"),
        ("aspire/sample.mrcs", "bright"),  # experimental
        ("cryodrgn-tests/relion31.mrcs", "unclear"),  # five images
    ],
)
def test_real_stacks(data_folder, name, looks):
    sign = run_to_end(measure_contrast(FileImageStack.of_files([data_folder / name])))
    assert sign.looks == looks


def test_binning_keeps_slow_waves_and_the_mean():
    x = np.arange(256) / 256
    wave = 3 + np.cos(2 * np.pi * 5 * x)[None, :] * np.ones((256, 1))
    binned = bin_images(wave[None].astype(np.float32), 128)[0]
    assert binned.shape == (128, 128)
    np.testing.assert_allclose(binned, wave[::2, ::2], atol=1e-4)


def test_small_images_are_not_binned(rng):
    images = images_with_a_disc(rng, 1.0, n=2)
    assert bin_images(images, 128) is images


def test_the_low_pass_is_a_gaussian_in_frequency():
    x = np.arange(64) / 64
    wave = (np.cos(2 * np.pi * 8 * x)[None, :] * np.ones((64, 1)))[None].astype(np.float32)
    np.testing.assert_allclose(low_pass(wave, 8.0), wave * np.exp(-1), atol=1e-5)
    assert low_pass(wave, None) is wave


def test_a_sample_says_which_particles_it_shows(data_folder):
    from napari_cryodrgn.io.import_particles import read_particles

    particles = read_particles(data_folder / "cryodrgn-tests" / "hand.mrcs")
    sample = run_to_end(sample_images(particles, 12, seed=4))
    assert sample.images.shape == (12, 64, 64)
    positions = particles.rows.positions_of(sample.particles)
    np.testing.assert_array_equal(sample.images, particles.images.read(positions))
    other = run_to_end(sample_images(particles, 12, seed=5))
    assert other.particles != sample.particles
