"""The surrogate: near the truth among its data, silent elsewhere, honest about its error."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.decoding.surrogate import fewest_points, fit_surrogate
from napari_cryodrgn.decoding.surrogate_store import SurrogateStore

BOX = 16


def smooth_volume(z):
    """A blob that moves with z[0] and grows with z[1]."""
    axis = np.arange(BOX) - BOX / 2
    z_axis, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    moved = np.square(x - 2 * z[0]) + np.square(y) + np.square(z_axis)
    return np.exp(-moved / (8 + z[1])).astype(np.float32)


def states(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, size=(n, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def surrogate():
    z = states(40)
    return fit_surrogate(z, np.stack([smooth_volume(point) for point in z]))


def test_it_passes_through_what_was_decoded(surrogate):
    for z in states(40)[:5]:
        found, expected = surrogate.volume(z), smooth_volume(z)
        assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)
        assert surrogate.expected_error(z) <= surrogate.record.error * 3


def test_it_is_near_between_them_and_says_how_near(surrogate):
    held_out = states(50, seed=1)
    errors, correlations = [], []
    for z in held_out:
        found, expected = surrogate.volume(z), smooth_volume(z)
        errors.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
        correlations.append(np.corrcoef(found.ravel(), expected.ravel())[0, 1])
    assert np.median(correlations) > 0.99
    assert surrogate.record.error == pytest.approx(np.median(errors), rel=2)
    assert surrogate.record.n_volumes == 40
    assert surrogate.record.box == BOX


def test_it_stands_back_outside_its_data(surrogate):
    assert all(surrogate.trusts(z) for z in states(20, seed=2) * 0.8)
    assert not any(surrogate.trusts(z) for z in ([3, 0], [0, -3], [50, 50]))


def test_it_stands_back_where_it_is_poor():
    """Volumes that have nothing to do with z cannot be guessed."""
    z = states(30)
    noise = np.random.default_rng(0).normal(size=(30, BOX, BOX, BOX)).astype(np.float32)
    made = fit_surrogate(z, noise)
    assert made.record.error > 0.5
    assert not any(made.trusts(point) for point in states(20, seed=2))


def test_there_is_none_of_too_little():
    few = fewest_points(2) - 1
    volumes = np.stack([smooth_volume(z) for z in states(few)])
    assert fit_surrogate(states(few), volumes) is None
    same = np.zeros((20, BOX, BOX, BOX), np.float32)
    assert fit_surrogate(states(20), same) is None


def test_the_store_keeps_its_bound_and_drops_what_is_close():
    room = 12
    store = SurrogateStore(BOX, 2, max_bytes=room * 4 * BOX**3)
    for z in states(40):
        store.add(z, smooth_volume(z))
    assert len(store) == room
    assert store.full
    assert not store.add(store._z[0], smooth_volume(store._z[0]))
    assert store.stale
    store.refit()
    assert store.surrogate.record.n_volumes == room
    assert not store.stale


def test_a_model_without_latent_has_no_surrogate():
    store = SurrogateStore(BOX, 0)
    assert not store.add(np.zeros(0, np.float32), np.zeros((BOX,) * 3, np.float32))
    assert not store.stale
