"""Nearest particles, and what counts as far from the data."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.neighbours import MOST_TREE_DIMENSIONS, LatentNeighbours


@pytest.mark.parametrize("zdim", [1, 3, MOST_TREE_DIMENSIONS, MOST_TREE_DIMENSIONS + 1, 32])
def test_the_nearest_are_those_of_all_distances(rng: np.random.Generator, zdim: int) -> None:
    mu = rng.normal(size=(300, zdim)).astype(np.float32)
    mu[5], mu[70] = np.nan, np.inf
    points = rng.normal(size=(20, zdim)).astype(np.float32)
    neighbours = LatentNeighbours(mu)
    all_distances = np.linalg.norm(points[:, None].astype(float) - mu[None], axis=2)
    all_distances[:, [5, 70]] = np.inf
    distances, positions = neighbours.query(points, 4)
    np.testing.assert_array_equal(positions, np.argsort(all_distances, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(all_distances, axis=1)[:, :4], rtol=1e-5)
    assert neighbours.nearest(points[3]).position == positions[3, 0]


def test_particles_are_near_the_data_and_what_lies_outside_is_not(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(2000, 4)).astype(np.float32)
    neighbours = LatentNeighbours(mu)
    for position in (0, 1999):
        nearest = neighbours.nearest(mu[position])
        assert (nearest.position, nearest.far) == (position, False)
        assert nearest.distance == pytest.approx(0, abs=1e-6)
    outside = neighbours.nearest(np.full(4, 6.0))
    assert outside.far
    assert outside.relative == pytest.approx(outside.distance / neighbours.typical)
    # New draws from the same distribution: about one in a hundred is far, by definition.
    fresh = rng.normal(size=(1000, 4))
    share = np.mean(neighbours.query(fresh)[0][:, 0] > neighbours.far_distance)
    assert 0.001 < share < 0.03


def test_distances_do_not_depend_on_the_unit_of_z(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(500, 3)).astype(np.float32)
    point = np.array([2.5, 0.0, -1.0])
    one, other = (
        LatentNeighbours(mu).nearest(point),
        LatentNeighbours(100 * mu).nearest(100 * point),
    )
    assert one.relative == pytest.approx(other.relative, rel=1e-4)
    assert one.far == other.far


@pytest.mark.parametrize("mu", [np.ones((1, 3)), np.ones((50, 3)), np.ones((50, 20))])
def test_particles_on_one_point_have_no_typical_distance(mu: np.ndarray) -> None:
    neighbours = LatentNeighbours(mu.astype(np.float32))
    nearest = neighbours.nearest(np.zeros(mu.shape[1]))
    assert nearest.distance == pytest.approx(np.sqrt(mu.shape[1]))
    assert nearest.relative is None
    assert not nearest.far
    assert neighbours.query(np.zeros((2, mu.shape[1])), 99)[1].shape == (2, len(mu))


@pytest.mark.parametrize("mu", [np.zeros((5, 0)), np.full((5, 2), np.nan)])
def test_no_latent_space_is_said(mu: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"^z"):
        LatentNeighbours(mu.astype(np.float32))
