"""Kernel-weighted maps: nearer the truth at a point than the map of all particles."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.reconstruction.backprojection import backproject_images
from napari_cryodrgn.reconstruction.fourier_grid import map_spectrum, symmetrised
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.reconstruction.half_plane import HalfPlane
from napari_cryodrgn.reconstruction.kernel_maps import (
    candidate_counts,
    kernel_map,
    prediction_errors,
)
from napari_cryodrgn.reconstruction.latent_distance import latent_distances
from napari_cryodrgn.reconstruction.particle_spectra import ParticleSpectra

BOX = 24
COUNT = 1200


@pytest.fixture
def moving(toy: SimpleNamespace, rng: np.random.Generator) -> SimpleNamespace:
    """One Gaussian of nine moves by a quarter of the box; z says how far, with some error."""
    rotations, shifts = toy.views(COUNT, rng)
    places = rng.uniform(0, 1, COUNT)
    fixed = toy.centres(BOX)

    def points(place: float) -> np.ndarray:
        moved = fixed.copy()
        moved[0] = [-0.3 * BOX, (place - 0.5) * 0.5 * BOX, 0.1 * BOX]
        return np.repeat(moved, [4] + [1] * (len(moved) - 1), axis=0)

    images = np.concatenate(
        [
            toy.images_of(points(place), rotations[i : i + 1], shifts[i : i + 1], BOX)
            for i, place in enumerate(places)
        ]
    )
    images += rng.standard_normal(images.shape).astype(np.float32) * 3
    mu = (places + 0.02 * rng.standard_normal(COUNT))[:, None].astype(np.float32)
    source = ParticleSpectra(toy.make_particles(images, rotations, shifts), HalfPlane(BOX), False)
    return SimpleNamespace(source=source, mu=mu, truth=lambda p: toy.volume_of(points(p), BOX))


def test_is_nearer_the_truth_than_the_map_of_all(moving: SimpleNamespace) -> None:
    whole = run_to_end(backproject_images(moving.source, np.arange(COUNT))).volume
    for place in (0.1, 0.9):
        made = run_to_end(kernel_map(moving.source, latent_distances(moving.mu, None, [place])))
        truth = moving.truth(place)
        here = fourier_shell_correlation(made.volume, truth).values[:6].mean()
        everywhere = fourier_shell_correlation(whole, truth).values[:6].mean()
        assert here > everywhere + 0.02
        assert set(made.chosen) <= set(made.candidates)
        assert made.chosen[2] < COUNT / 2
        assert made.n_particles == COUNT


def test_fine_shells_take_more_particles_than_coarse_ones(moving: SimpleNamespace) -> None:
    made = run_to_end(kernel_map(moving.source, latent_distances(moving.mu, None, [0.5])))
    assert made.chosen[8:].mean() > made.chosen[1:4].mean()


def test_particles_without_structure_are_averaged(moving: SimpleNamespace) -> None:
    """Where nearness says nothing, all of them are taken in the shells that show something."""
    rng = np.random.default_rng(3)
    made = run_to_end(kernel_map(moving.source, rng.random(COUNT)))
    assert np.median(made.chosen[1:6]) > COUNT / 2


def test_prediction_errors_are_those_of_the_images(moving: SimpleNamespace) -> None:
    """Up to what no map changes: the map of the images themselves predicts them best."""
    from napari_cryodrgn.reconstruction.accumulate import accumulate

    sums = run_to_end(accumulate(moving.source, np.arange(300), np.arange(300) % 2))
    own, other = symmetrised(sums[0]), symmetrised(sums[1])
    best = prediction_errors(map_spectrum(own, 0.0), own)
    for other_map in (map_spectrum(other, 0.0), map_spectrum(own, 1.0)):
        assert (prediction_errors(other_map, own)[1:-1] > best[1:-1]).all()
    expected = -(own[..., 0] ** 2 + own[..., 1] ** 2) / np.maximum(own[..., 2], 1e-9)
    assert best.sum() == pytest.approx(expected[own[..., 2] > 0].sum(), rel=0.1)


def test_candidates_grow_from_few_to_all() -> None:
    assert candidate_counts(3000)[[0, -1]].tolist() == [50, 3000]
    assert candidate_counts(10**6)[-1] == 20_000
    assert candidate_counts(20).tolist() == [20]
    assert (np.diff(candidate_counts(500)) > 0).all()


def test_distances_use_the_encoders_variance() -> None:
    mu = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    logvar = np.log(np.full((3, 2), [0.01, 1.0]))
    np.testing.assert_allclose(latent_distances(mu, logvar, [0, 0]), [0, 10, 1])
    np.testing.assert_allclose(
        latent_distances(mu, None, [0, 0]), [0, 1 / mu[:, 0].std(), 1 / mu[:, 1].std()]
    )
