"""The grid over points finds what a look at all of them finds."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.latent.plane_index import index_points


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_the_nearest_is_that_of_all(rng, n):
    # Heavy tails: most points share few cells.
    points = rng.standard_cauchy(size=(n, 2)).astype(np.float32)
    index = index_points(points)
    for place in rng.standard_cauchy(size=(40, 2)) * 3:
        squares = np.square(points - place).sum(axis=1)
        assert squares[index.nearest(place)] == squares.min()


def test_beyond_the_radius_there_is_none():
    index = index_points(np.array([[0, 0], [1, 1]], np.float32))
    assert index.nearest((0.2, 0), 0.3) == 0
    assert index.nearest((0.4, 0), 0.3) is None
    assert index.nearest((50, 50), 10) is None
    assert index_points(np.zeros((0, 2), np.float32)).nearest((0, 0)) is None


def test_points_on_one_place_are_found():
    index = index_points(np.full((10, 2), 3, np.float32))
    assert index.nearest((3, 3), 0.1) == 0


def test_a_rectangle_holds_what_lies_in_it(rng):
    points = rng.normal(size=(5000, 2)).astype(np.float32)
    index = index_points(points)
    for low in rng.normal(size=(20, 2)):
        high = low + rng.uniform(0, 2, size=2)
        expected = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
        np.testing.assert_array_equal(np.sort(index.inside(low, high)), expected)
    assert index.counts.sum() == 5000
