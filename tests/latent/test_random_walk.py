"""The random walk: repeatable, smooth, everywhere among the particles, never far from them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from napari_cryodrgn.latent.neighbours import LatentNeighbours
from napari_cryodrgn.latent.random_walk import RandomWalk


def ring(rng: np.random.Generator, n: int = 1500, zdim: int = 4) -> np.ndarray:
    """Particles along a ring, with empty space in its middle."""
    angle = rng.uniform(0, 2 * np.pi, n)
    mu = rng.normal(scale=0.05, size=(n, zdim))
    mu[:, 0] += 3 * np.cos(angle)
    mu[:, 1] += 3 * np.sin(angle)
    return mu.astype(np.float32)


def steps(walk: RandomWalk, n: int) -> np.ndarray:
    return np.array(list(islice(walk, n)))


def test_a_walk_stays_where_particles_are_and_gets_about(rng: np.random.Generator) -> None:
    mu = ring(rng)
    neighbours = LatentNeighbours(mu)
    points = steps(RandomWalk(neighbours, mu[7], seed=1, frames=8), 1200)
    assert points.dtype == np.float32
    # Never into the empty middle, nor outside.
    radii = np.hypot(points[:, 0], points[:, 1])
    assert radii.min() > 2.4
    assert radii.max() < 3.4
    distances = neighbours.query(points)[0][:, 0]
    assert np.mean(distances <= neighbours.far_distance) > 0.8
    # With momentum it comes round: all eight parts of the ring are visited.
    parts = np.floor((np.arctan2(points[:, 1], points[:, 0]) + np.pi) / (np.pi / 4)).astype(int)
    assert len(set(np.clip(parts, 0, 7))) == 8


def test_a_walk_is_smooth_and_even(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(2000, 3)).astype(np.float32)
    walk = RandomWalk(LatentNeighbours(mu), mu[0], seed=2, frames=10)
    points = steps(walk, 400)
    moves = np.diff(points, axis=0)
    lengths = np.linalg.norm(moves, axis=1)
    assert lengths.max() < 3 * walk.step / 10
    # A jump of direction from one frame to the next is the exception.
    turns = np.sum(moves[1:] * moves[:-1], axis=1) / np.maximum(lengths[1:] * lengths[:-1], 1e-12)
    assert np.median(turns) > 0.97
    # Twice the frames, half the pace.
    slow = RandomWalk(LatentNeighbours(mu), mu[0], seed=2, frames=20)
    slow_lengths = np.linalg.norm(np.diff(steps(slow, 400), axis=0), axis=1)
    assert np.median(slow_lengths) == pytest.approx(np.median(lengths) / 2, rel=0.25)


def test_the_same_seed_gives_the_same_walk(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(500, 20)).astype(np.float32)
    neighbours = LatentNeighbours(mu)
    one, again, other = (steps(RandomWalk(neighbours, mu[3], seed=seed), 120) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


def test_a_walk_does_not_leap_between_clusters(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(1000, 8)).astype(np.float32)
    mu[500:, 0] += 60
    points = steps(RandomWalk(LatentNeighbours(mu), mu[0], seed=3), 400)
    assert points[:, 0].max() < 10


def test_a_walk_from_a_free_point_goes_to_the_particles(rng: np.random.Generator) -> None:
    mu = rng.normal(size=(300, 2)).astype(np.float32)
    points = steps(RandomWalk(LatentNeighbours(mu), np.array([9.0, 9.0]), seed=0), 300)
    assert np.linalg.norm(points[0] - 9.0) < 2
    assert np.linalg.norm(points[-1]) < 5


@pytest.mark.parametrize("mu", [np.ones((1, 2)), np.ones((40, 3)), np.array([[0.0], [1.0]])])
def test_a_walk_among_next_to_nothing_does_not_hang(mu: np.ndarray) -> None:
    points = steps(RandomWalk(LatentNeighbours(mu.astype(np.float32)), mu[0]), 30)
    assert np.isfinite(points).all()
