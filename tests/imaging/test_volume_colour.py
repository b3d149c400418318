"""What a surface is coloured by: differences at its vertices, and the spread of states."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.imaging.volume_colour import Spread, SurfaceColouring, values_at
from napari_cryodrgn.imaging.volume_filter import VolumeFilter

PLAIN = VolumeFilter()


def smooth(box: int, shift: float = 0.0) -> np.ndarray:
    """A blob of the same size and place in the field of view, whatever the box."""
    grid = (np.indices((box,) * 3) - box // 2) / box
    squares = grid[0] ** 2 + grid[1] ** 2 + (grid[2] - shift) ** 2
    return np.exp(-squares / 0.02).astype(np.float32)


def test_a_difference_is_that_of_the_densities_at_the_vertices():
    data, reference = smooth(24), smooth(24, 0.1)
    vertices = np.random.default_rng(0).uniform(6, 17, (50, 3)).astype(np.float32)
    values = SurfaceColouring("difference", reference).values(data, vertices, PLAIN, 2.0)
    expected = values_at(data, vertices) - values_at(reference, vertices)
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert values.max() > 0.1
    assert values.min() < -0.1


@pytest.mark.parametrize("box", [24, 48])
def test_a_reference_in_another_box_lies_in_the_same_place(box):
    vertices = np.random.default_rng(0).uniform(8, 15, (50, 3)).astype(np.float32)
    values = SurfaceColouring("difference", smooth(box)).values(smooth(24), vertices, PLAIN, 2.0)
    assert np.abs(values).max() < 0.05


def test_the_hand_is_turned_of_both():
    data, reference = smooth(24, 0.15), smooth(24, 0.15)
    turned = VolumeFilter(flip_hand=True)
    vertices = np.random.default_rng(0).uniform(6, 17, (50, 3)).astype(np.float32)
    colouring = SurfaceColouring("difference", reference)
    values = colouring.values(turned.apply(data, 2.0), vertices, turned, 2.0)
    np.testing.assert_allclose(values, 0, atol=1e-6)


def test_the_spread_is_that_of_all_maps():
    maps = np.random.default_rng(1).normal(3, 2, (7, 5, 5, 5)).astype(np.float32)
    spread = Spread()
    assert spread.mean is None
    for one in maps:
        spread.add(one)
    np.testing.assert_allclose(spread.mean, maps.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(spread.deviation, maps.std(axis=0), rtol=1e-4)
    alone = Spread()
    alone.add(maps[0])
    assert alone.deviation is None
