"""Backprojection against a map known in closed form: place, hand, scale, CTF, shifts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.reconstruction.accumulate import BackprojectionProgress, accumulate
from napari_cryodrgn.reconstruction.backprojection import (
    Backprojection,
    backproject_images,
    wiener_factors,
)
from napari_cryodrgn.reconstruction.fourier_grid import (
    add_images,
    empty_sums,
    map_of_spectrum,
    shell_means,
    symmetrised,
    volume_of_sums,
)
from napari_cryodrgn.reconstruction.fsc import FSCCurve, fourier_shell_correlation
from napari_cryodrgn.reconstruction.half_plane import HalfPlane, half_spectra
from napari_cryodrgn.reconstruction.particle_spectra import (
    KeptSpectra,
    ParticleSpectra,
    plane_that_fits,
)

BOX = 24
COUNT = 600


def ctf_images(particles: Particles) -> np.ndarray:
    """CTFs on the grid of rfft2, by the formula that training uses."""
    assert particles.ctf is not None
    y, x = np.meshgrid(np.fft.fftfreq(BOX), np.fft.rfftfreq(BOX), indexing="ij")
    points = torch.tensor(np.stack([x, y], axis=-1).reshape(-1, 2) / 3.0)
    values = ctf_2d(points, torch.tensor(particles.ctf.table[:, 1:]))
    return values.numpy().reshape(-1, BOX, BOX // 2 + 1)


@pytest.fixture
def clean(toy: SimpleNamespace, rng: np.random.Generator) -> Particles:
    rotations, shifts = toy.views(COUNT, rng)
    images = toy.images_of(toy.centres(BOX), rotations, shifts, BOX)
    return toy.make_particles(images, rotations, shifts)


@pytest.fixture
def truth(toy: SimpleNamespace) -> np.ndarray:
    return toy.volume_of(toy.centres(BOX), BOX)


def reconstructed(
    particles: Particles, *, invert: bool = False, **options: object
) -> Backprojection:
    source = ParticleSpectra(particles, HalfPlane(particles.box), invert)
    return run_to_end(backproject_images(source, np.arange(len(particles)), **options))


def test_is_the_true_map_in_place_hand_and_scale(clean: Particles, truth: np.ndarray) -> None:
    made = reconstructed(clean)
    assert fourier_shell_correlation(made.volume, truth).values[:-1].min() > 0.97
    mirrored = fourier_shell_correlation(made.volume, truth[::-1]).values
    assert mirrored[3:8].max() < 0.8
    # The zero frequency is not seen, so only differences of density count.
    slope, _ = np.polyfit(truth.reshape(-1), made.volume.reshape(-1), 1)
    assert slope == pytest.approx(1, abs=0.04)
    assert made.n_particles == COUNT
    assert fourier_shell_correlation(made.half_a, made.half_b).values[:9].min() > 0.95


def test_ctf_and_contrast_are_undone(
    toy: SimpleNamespace, clean: Particles, truth: np.ndarray, rng: np.random.Generator
) -> None:
    """As RELION extracts them: the microscope's image, with its sign turned round."""
    ctf = toy.ctf_parameters(COUNT, BOX, rng)
    assert clean.poses is not None
    plain = clean.images.read(np.arange(COUNT))
    bare = toy.make_particles(plain, clean.poses.rotations, clean.poses.shifts, ctf)
    seen = -toy.with_ctf(plain, ctf_images(bare))
    particles = toy.make_particles(seen, clean.poses.rotations, clean.poses.shifts, ctf)
    made = reconstructed(particles, invert=True)
    curve = fourier_shell_correlation(made.volume, truth).values
    assert curve[1:-1].min() > 0.95
    assert np.corrcoef(made.volume.reshape(-1), truth.reshape(-1))[0, 1] > 0.95
    opposite = reconstructed(particles, invert=False)
    np.testing.assert_allclose(opposite.volume, -made.volume, atol=1e-5)


def test_wrong_shifts_would_be_noticed(toy: SimpleNamespace, clean: Particles, truth) -> None:
    assert clean.poses is not None
    images = clean.images.read(np.arange(COUNT))
    unshifted = toy.make_particles(images, clean.poses.rotations)
    right = fourier_shell_correlation(reconstructed(clean).volume, truth).area()
    wrong = fourier_shell_correlation(reconstructed(unshifted).volume, truth).area()
    assert wrong < right - 0.02


def test_half_spectra_are_centred_transforms(rng: np.random.Generator) -> None:
    """A point at the centre has phase 0 everywhere; one at −t is moved there by a shift of t."""
    images = np.zeros((2, 16, 16), np.float32)
    images[0, 8, 8] = images[1, 8 - 3, 8 + 2] = 1
    plane = HalfPlane(16)
    shifts = np.array([[0, 0], [-2, 3]], np.float32) / 16
    values = half_spectra(images, shifts, plane, invert=False)
    np.testing.assert_allclose(values, 1, atol=1e-5)
    np.testing.assert_allclose(half_spectra(images, shifts, plane, invert=True), -1, atol=1e-5)


def test_half_plane_has_one_of_each_pair() -> None:
    plane = HalfPlane(16)
    pairs = {tuple(point) for point in plane.points.astype(int).tolist()}
    assert len(pairs) == len(plane)
    assert not pairs & {(-x, -y) for x, y in pairs}
    assert (0, 0) not in pairs
    axis = np.arange(-8, 9)
    x, y = np.meshgrid(axis, axis)
    assert 2 * len(plane) == int((x**2 + y**2 < 64).sum()) - 1
    assert HalfPlane(16, 4).limit == 4
    with pytest.raises(InputError, match="even"):
        HalfPlane(15)


def test_sums_are_the_definition(rng: np.random.Generator) -> None:
    """Eight shares of each sample and its mate, against a loop over a whole volume."""
    box, plane = 8, HalfPlane(8)
    n, points = 3, plane.points
    values = (rng.standard_normal((n, len(plane), 2)).astype(np.float32)).view(np.complex64)[..., 0]
    ctf = rng.standard_normal((n, len(plane))).astype(np.float32)
    weights = rng.random(n).astype(np.float32)
    from napari_cryodrgn.imaging.rotation import random_rotations

    rotations = random_rotations(n, rng)
    sums = empty_sums(1, box)
    add_images(sums, np.zeros(n, np.int64), weights, values, ctf, rotations, points)
    found = symmetrised(sums[0])
    whole = np.zeros((box + 1,) * 3 + (3,))
    for image in range(n):
        for sign in (1, -1):
            places = sign * np.append(points, np.zeros((len(points), 1)), 1) @ rotations[image]
            for place, value, transfer in zip(places, values[image], ctf[image], strict=True):
                share = weights[image] * transfer
                what = np.array([value.real, sign * value.imag, transfer]) * share
                low = np.floor(place).astype(int)
                for corner in np.ndindex(2, 2, 2):
                    at = low + corner
                    factor = np.prod(1 - np.abs(place - at))
                    whole[at[2] + 4, at[1] + 4, at[0] + 4] += factor * what
    np.testing.assert_allclose(found, whole[:, :, 4:], atol=1e-4)


def test_spectrum_of_the_map_is_real_in_space(clean: Particles) -> None:
    """The plane x = 0 is its own mirror image, so that no part of it is lost."""
    source = ParticleSpectra(clean, HalfPlane(BOX), invert=False)
    sums = run_to_end(accumulate(source, np.arange(50), np.zeros(50, np.int64)))
    plane = symmetrised(sums[0])[:, :, 0]
    np.testing.assert_allclose(plane[::-1, ::-1] * [1, -1, 1], plane, rtol=1e-4, atol=1e-3)


def test_regularisation_is_a_multiple_of_the_shells_mean(clean: Particles) -> None:
    source = ParticleSpectra(clean, HalfPlane(BOX), invert=False)
    sums = run_to_end(accumulate(source, np.arange(200), np.zeros(200, np.int64)))
    means = shell_means(symmetrised(sums[0])[..., 2])
    assert (np.diff(means[2 : BOX // 2]) < 0).all()
    light, heavy = volume_of_sums(sums[0], 0.01), volume_of_sums(sums[0], 1.0)
    assert heavy.std() < 0.7 * light.std()
    curve = FSCCurve(np.arange(1, 4) / 6, np.array([1.0, 0.5, -0.2]))
    np.testing.assert_allclose(wiener_factors(curve), [0, 0, 0.25, 3.0])


def test_weights_leave_out_what_weighs_nothing(clean: Particles) -> None:
    weights = np.zeros(COUNT, np.float32)
    weights[:100] = 1
    weighted = reconstructed(clean, weights=weights)
    chosen = reconstructed(clean.at(np.arange(100)))
    np.testing.assert_allclose(weighted.volume, chosen.volume, atol=1e-5)


def test_threads_and_memory_change_nothing_but_rounding(clean: Particles) -> None:
    one = reconstructed(clean, threads=1)
    two = reconstructed(clean, threads=2)
    np.testing.assert_array_equal(two.volume, reconstructed(clean, threads=2).volume)
    np.testing.assert_allclose(two.volume, one.volume, atol=1e-4)
    kept = KeptSpectra(ParticleSpectra(clean, HalfPlane(BOX), invert=False))
    for _ in range(2):
        made = run_to_end(backproject_images(kept, np.arange(COUNT)))
        # Half precision keeps three digits, and errors of many images cancel.
        assert np.abs(made.volume - one.volume).max() < 2e-3 * one.volume.max()


def test_less_memory_gives_a_smaller_box_of_the_same_map(clean: Particles, truth) -> None:
    plane = plane_that_fits(BOX, COUNT, COUNT * 4 * 120)
    assert plane.limit == 8
    made = run_to_end(
        backproject_images(KeptSpectra(ParticleSpectra(clean, plane, False)), np.arange(COUNT))
    )
    assert made.volume.shape == (16,) * 3
    spectrum = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(truth)))[4:20, 4:20, 4:20]
    small = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(spectrum)).real)
    assert fourier_shell_correlation(made.volume, small).values[:7].min() > 0.97
    with pytest.raises(InputError, match="memory"):
        plane_that_fits(BOX, COUNT, 1000)


def test_snapshots_sharpen_and_closing_ends_it(
    clean: Particles, truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_cryodrgn.reconstruction.accumulate._FIRST_PICTURE", 0.0)
    monkeypatch.setattr("napari_cryodrgn.reconstruction.accumulate._CHUNK_PIXELS", 20 * BOX**2)
    source = ParticleSpectra(clean, HalfPlane(BOX), invert=False)
    task = backproject_images(source, np.arange(COUNT), snapshots=True, threads=1)
    pictures = [
        report.snapshot
        for report in task
        if isinstance(report, BackprojectionProgress) and report.snapshot is not None
    ]
    assert len(pictures) >= 4
    first, last = (fourier_shell_correlation(p, truth).area() for p in (pictures[0], pictures[-1]))
    assert last > first
    stopped = backproject_images(source, np.arange(COUNT), threads=1)
    next(stopped)
    stopped.close()
    with pytest.raises(StopIteration):
        next(stopped)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_particles_are_refused(clean: Particles, count: int) -> None:
    with pytest.raises(InputError, match="at least two particles"):
        reconstructed(clean.at(np.arange(count)))


def test_bad_images_and_missing_poses_are_named(toy: SimpleNamespace, clean: Particles) -> None:
    images = clean.images.read(np.arange(8))
    images[5, 3, 3] = np.nan
    with pytest.raises(InputError, match=r"counted from 1\) = 6.*NaN"):
        reconstructed(toy.make_particles(images, clean.at(np.arange(8)).poses.rotations))
    with pytest.raises(InputError, match="no poses"):
        reconstructed(toy.make_particles(images, None))


def test_maps_fade_out_at_the_edge_of_the_box() -> None:
    box = 16
    spectrum = np.ones((box + 1, box + 1, box // 2 + 1), np.complex64)
    point = map_of_spectrum(spectrum)
    assert np.unravel_index(point.argmax(), point.shape) == (8, 8, 8)
    assert np.abs(point[0]).max() < 1e-6
