"""What is drawn of many particles, and which one a click means."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.widgets.latent_scatter import prepare_scatter


def test_all_are_drawn_where_they_are_few(rng):
    scatter = prepare_scatter(rng.normal(size=(100, 2)).astype(np.float32))
    np.testing.assert_array_equal(scatter.drawn, np.arange(100))
    assert scatter.density is None
    assert scatter.shown_text == "showing 100 of 100 particles"


def test_a_sample_is_drawn_of_many_and_says_so(rng):
    points = rng.normal(size=(5000, 2)).astype(np.float32)
    scatter = prepare_scatter(points, most=1000)
    assert len(scatter.drawn) == 1000
    assert len(np.unique(scatter.drawn)) == 1000
    assert scatter.shown_text == "showing 1,000 of 5,000 particles"
    np.testing.assert_array_equal(prepare_scatter(points, most=1000).drawn, scatter.drawn)


def test_small_clusters_are_not_lost_in_a_sample(rng):
    groups = np.zeros(100_000, np.int64)
    groups[::5000] = 1  # 20 of them
    points = rng.normal(size=(100_000, 2)).astype(np.float32)
    drawn = prepare_scatter(points, groups, most=1000).drawn
    assert (groups[drawn] == 1).sum() == 20
    assert len(drawn) < 1100


def test_the_density_counts_every_particle_where_it_lies():
    points = np.repeat(np.array([[0, 0], [0, 10], [5, 10]], np.float32), [5, 300, 1000], axis=0)
    density = prepare_scatter(points, most=100).density
    counts = np.expm1(density.image)
    assert counts.sum() == pytest.approx(1305, rel=1e-4)
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    place = density.corner + density.step * (row, column)
    np.testing.assert_allclose(place, (5, 10), atol=density.step.max())


def test_the_nearest_is_found_among_all_and_not_only_the_drawn(rng):
    points = rng.uniform(size=(3000, 2)).astype(np.float32)
    scatter = prepare_scatter(points, most=100)
    for _ in range(20):
        place = rng.uniform(size=2)
        expected = int(np.linalg.norm(points - place, axis=1).argmin())
        assert scatter.nearest(place, 1.0) == expected


def test_beyond_the_radius_there_is_none():
    scatter = prepare_scatter(np.array([[0, 0], [1, 1]], np.float32))
    assert scatter.nearest((0.2, 0), 0.3) == 0
    assert scatter.nearest((0.4, 0), 0.3) is None


def test_particles_without_a_value_are_neither_drawn_nor_found():
    points = np.array([[0, 0], [np.nan, 1], [2, 2]], np.float32)
    scatter = prepare_scatter(points)
    np.testing.assert_array_equal(scatter.drawn, [0, 2])
    assert scatter.nearest((2, 2), 0.1) == 2
    assert scatter.shown_text == "showing 2 of 3 particles, 1 without a value"


def test_no_particle_with_a_value_is_no_fault():
    scatter = prepare_scatter(np.full((3, 2), np.nan, np.float32))
    assert scatter.nearest((0, 0), 1.0) is None
    assert len(scatter.drawn) == 0
