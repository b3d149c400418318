"""Particles are placed between the landmarks that are near them in z."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.embedding import LANDMARKS_BEYOND, UmapSettings
from napari_cryodrgn.latent.landmarks import choose_landmarks, placed_by_landmarks
from napari_cryodrgn.latent.umap_process import fraction_reported


@pytest.mark.parametrize("zdim", [2, 20])
def test_places_are_inverse_distance_means_of_five(zdim: int, rng: np.random.Generator) -> None:
    mu = rng.normal(size=(300, zdim)).astype(np.float32)
    chosen = choose_landmarks(300, 60)
    places = rng.normal(size=(60, 2)).astype(np.float32)
    told: list[int] = []
    found = placed_by_landmarks(mu, chosen, places, told.append)
    assert_array_equal(found[chosen], places)
    apart = np.linalg.norm(mu[:, None] - mu[chosen][None], axis=2)
    for particle in np.setdiff1d(np.arange(300), chosen):
        near = np.argsort(apart[particle])[:5]
        weights = 1 / apart[particle, near]
        expected = weights @ places[near] / weights.sum()
        assert_allclose(found[particle], expected, rtol=1e-3, atol=1e-4)
    assert told == [300]


def test_a_particle_on_a_landmark_has_its_place(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(40, 3)).astype(np.float32)
    mu[30] = mu[3]
    places = rng.normal(size=(20, 2)).astype(np.float32)
    found = placed_by_landmarks(mu, np.arange(20), places)
    assert_allclose(found[30], places[3], atol=1e-4)


def test_fewer_landmarks_than_neighbours(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(9, 3)).astype(np.float32)
    found = placed_by_landmarks(mu, np.array([4]), np.array([[1.0, 2.0]], np.float32))
    assert_array_equal(found, np.tile([[1.0, 2.0]], (9, 1)))


def test_landmarks_are_taken_of_many_only() -> None:
    assert UmapSettings().landmarks_of(LANDMARKS_BEYOND) is None
    assert UmapSettings().landmarks_of(LANDMARKS_BEYOND + 1) == 20_000
    assert UmapSettings(landmarks=0).landmarks_of(10**6) is None
    assert UmapSettings(landmarks=500).landmarks_of(400) is None
    assert_array_equal(choose_landmarks(1000, 10), choose_landmarks(1000, 10))
    assert len(np.unique(choose_landmarks(1000, 10))) == 10


@pytest.mark.parametrize(
    "wrong",
    [{"n_neighbors": 1}, {"min_dist": 2}, {"metric": "levenshtein"}, {"seed": -1},
     {"landmarks": 2}],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        UmapSettings(**wrong)


def test_progress_of_a_fit_by_landmarks_goes_on_to_the_end() -> None:
    log = "started\nlandmarks\nimported\n"
    shares = []
    for line in ("", "epoch 100/200", "epoch 200/200", "placed 50/100", "placed 100/100"):
        log += f"{line}\n"
        shares.append(fraction_reported(log))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares[2] < 0.9
