"""Shapes in a plot select exactly what lies within them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection import (
    combined,
    inside_brush,
    inside_polygon,
    inside_rectangle,
    nearest_k,
)

FEW = settings(max_examples=60, deadline=None)
WHOLE = st.integers(0, 6)
CORNERS = st.lists(st.tuples(WHOLE, WHOLE), min_size=0, max_size=9)


def brute_force(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Each point against each edge, in whole numbers or with the textbook's division."""
    y, x = np.asarray(points, np.float64).T
    inside = np.zeros(len(points), bool)
    for (y0, x0), (y1, x1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crossed = (y >= min(y0, y1)) & (y < max(y0, y1))
        inside ^= crossed & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def lasso(n: int, seed: int) -> np.ndarray:
    """An outline as a hand draws it, which may cross itself."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radii = 1 + 0.3 * np.sin(5 * angles) + 0.1 * rng.normal(size=n)
    centre = rng.normal(size=2)
    return centre + radii[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)


@pytest.mark.parametrize("n", [3, 4, 17, 200])
@pytest.mark.parametrize("kind", ["lasso", "scribble"])
def test_a_polygon_selects_what_a_test_of_every_point_with_every_edge_selects(
    rng: np.random.Generator, n: int, kind: str
) -> None:
    points = rng.normal(size=(20_000, 2)).astype(np.float32)
    polygon = lasso(n, n) if kind == "lasso" else rng.normal(size=(n, 2))
    expected = brute_force(points, polygon)
    assert_array_equal(inside_polygon(points, polygon), expected)
    assert expected.any()
    assert not expected.all()


@FEW
@given(CORNERS)
def test_points_on_the_outline_follow_the_rule(corners: list[tuple[int, int]]) -> None:
    """On a grid of whole numbers every kind of meeting occurs; nothing is rounded there."""
    grid = np.stack(np.meshgrid(np.arange(-1, 8), np.arange(-1, 8)), -1).reshape(-1, 2)
    polygon = np.array(corners, float).reshape(-1, 2)
    twelfths = polygon * 12  # divisible by every rise up to 6 but 5: no rounding in the division
    if len(corners) < 3:
        assert not inside_polygon(grid, polygon).any()
        return
    expected = brute_force(grid * 12 * 5, twelfths * 5)
    assert_array_equal(inside_polygon(grid, polygon), expected)


def test_of_two_polygons_with_a_common_edge_each_point_on_it_belongs_to_one() -> None:
    grid = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).reshape(-1, 2).astype(float)
    below = np.array([[0, 0], [0, 8], [8, 8]], float)
    above = np.array([[0, 0], [8, 8], [8, 0]], float)
    square = np.array([[0, 0], [0, 8], [8, 8], [8, 0]], float)
    assert_array_equal(
        inside_polygon(grid, below) ^ inside_polygon(grid, above), inside_polygon(grid, square)
    )
    assert not (inside_polygon(grid, below) & inside_polygon(grid, above)).any()
    assert inside_polygon(grid, square).sum() == 64


def test_what_a_polygon_goes_round_twice_is_outside() -> None:
    star = np.array([[np.sin(a), np.cos(a)] for a in np.arange(5) * 4 * np.pi / 5])
    middle_and_tip = np.array([[0.0, 0.0], [0.9 * star[1][0], 0.9 * star[1][1]]])
    assert_array_equal(inside_polygon(middle_and_tip, star), [False, True])


def test_points_that_are_not_finite_lie_within_nothing() -> None:
    points = np.array([[0, 0], [np.nan, 0], [0, np.inf], [-np.inf, 0]], np.float32)
    big = np.array([[-9, -9], [-9, 9], [9, 9], [9, -9]], float)
    only_first = [True, False, False, False]
    assert_array_equal(inside_polygon(points, big), only_first)
    assert_array_equal(inside_rectangle(points, [-9, -9], [9, 9]), only_first)
    assert_array_equal(inside_brush(points, np.zeros((1, 2)), 5), only_first)
    assert_array_equal(nearest_k(points, [0, 0], 4), [0])


@pytest.mark.parametrize("polygon", [np.zeros((3, 2)), [[50, 50], [50, 51], [51, 50]]])
def test_tiny_polygons_and_those_outside_the_data_select_nothing(
    rng: np.random.Generator, polygon: np.ndarray
) -> None:
    assert not inside_polygon(rng.normal(size=(500, 2)), np.asarray(polygon, float)).any()


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.array([[0, 0], [1, np.nan], [2, 2]])])
def test_outlines_that_are_none_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="polygon"):
        inside_polygon(np.zeros((5, 2)), bad)


def test_a_rectangle_has_its_outline_and_any_two_corners(rng: np.random.Generator) -> None:
    points = rng.integers(0, 9, size=(3000, 2)).astype(np.float32)
    expected = ((points >= [2, 3]) & (points <= [5, 7])).all(axis=1)
    for corner, opposite in (([2, 3], [5, 7]), ([5, 3], [2, 7]), ([5, 7], [2, 3])):
        assert_array_equal(inside_rectangle(points, corner, opposite), expected)


@pytest.mark.parametrize(("n", "radius"), [(1, 0.7), (2, 0.3), (40, 0.05), (40, 1.0)])
def test_a_brush_selects_what_is_near_enough_to_its_way(
    rng: np.random.Generator, n: int, radius: float
) -> None:
    points = rng.normal(size=(4000, 2)).astype(np.float32)
    stroke = np.cumsum(rng.normal(size=(n, 2)) * 0.2, axis=0)
    # Discs set so closely that what lies between them is less than what separates points.
    steps = np.linspace(0, 1, 400)[:, None]
    ends = stroke[1:] if n > 1 else stroke
    nearest = np.full(len(points), np.inf)
    for start, end in zip(stroke, ends, strict=False):
        for centre in start + steps * (end - start):
            nearest = np.minimum(nearest, np.linalg.norm(points - centre, axis=1))
    found = inside_brush(points, stroke, radius)
    clear = np.abs(nearest - radius) > 1e-3
    assert_array_equal(found[clear], (nearest < radius)[clear])
    assert found.any()


def test_the_nearest_come_first_and_ties_by_position(rng: np.random.Generator) -> None:
    points = rng.integers(0, 5, size=(300, 3)).astype(np.float32)
    distances = np.linalg.norm(points - [1, 2, 3], axis=1)
    for k in (0, 1, 7, 300, 900):
        expected = np.argsort(distances, kind="stable")[:k]
        assert_array_equal(nearest_k(points, np.array([1, 2, 3]), k), expected)


def test_ways_of_combining() -> None:
    before, mask = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert_array_equal(combined(before, mask, "replace"), mask)
    assert_array_equal(combined(before, mask, "add"), [True, True, True, False])
    assert_array_equal(combined(before, mask, "subtract"), [False, True, False, False])
    assert_array_equal(combined(before, mask, "intersect"), [True, False, False, False])
    with pytest.raises(InputError, match="replace, add"):
        combined(before, mask, "xor")  # type: ignore[arg-type]
