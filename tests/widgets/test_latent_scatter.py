"""What is drawn of many particles, and which one a click means."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.widgets.latent_colours import colour_by
from napari_cryodrgn.widgets.latent_drawing import DIMMED, Drawing, make_drawing
from napari_cryodrgn.widgets.latent_scatter import prepare_scatter


def drawing(points, *, most=1000, masks=(), groups=None, region=None) -> Drawing:
    colouring = colour_by(None, "viridis", len(points))
    return make_drawing(prepare_scatter(points, groups), colouring, masks, most=most, region=region)


def test_all_are_drawn_where_they_are_few(rng):
    drawn = drawing(rng.normal(size=(100, 2)).astype(np.float32))
    np.testing.assert_array_equal(drawn.drawn, np.arange(100))
    assert drawn.density is None
    assert drawn.text == "showing 100 of 100 particles"


def test_a_sample_is_drawn_of_many_and_says_so(rng):
    points = rng.normal(size=(5000, 2)).astype(np.float32)
    drawn = drawing(points)
    assert len(np.unique(drawn.drawn)) == len(drawn.drawn) == 1000
    assert drawn.text == "showing 1,000 of 5,000 particles"
    np.testing.assert_array_equal(drawing(points).drawn, drawn.drawn)
    np.testing.assert_array_equal(drawn.places[:, :2], points[drawn.drawn][:, ::-1])


def test_small_clusters_are_not_lost_in_a_sample(rng):
    groups = np.zeros(100_000, np.int64)
    groups[::5000] = 1  # 20 of them
    points = rng.normal(size=(100_000, 2)).astype(np.float32)
    drawn = drawing(points, groups=groups).drawn
    assert (groups[drawn] == 1).sum() == 20
    assert len(drawn) == 1000


def test_near_by_every_particle_in_view_is_drawn(rng):
    points = rng.normal(size=(20_000, 2)).astype(np.float32)
    low, high = np.array([0.1, 0.2]), np.array([0.4, 0.5])
    drawn = drawing(points, region=(low, high))
    inside = ((points >= low) & (points <= high)).all(axis=1)
    np.testing.assert_array_equal(drawn.drawn, np.flatnonzero(inside))
    assert drawn.whole
    assert "every one in view" in drawn.text


def test_selected_particles_are_drawn_last_in_their_colour_and_the_others_dimmed(rng):
    points = rng.normal(size=(50_000, 2)).astype(np.float32)
    few = np.zeros(50_000, bool)
    few[:400] = True
    drawn = drawing(points, masks=[(few, "#ff0000")])
    assert few[drawn.drawn].sum() == 400  # all of them, though one in fifty is drawn
    assert few[drawn.drawn[-400:]].all()
    np.testing.assert_allclose(drawn.rgba[-400:], [[1, 0, 0, 1]] * 400)
    np.testing.assert_allclose(drawn.rgba[:-400, 3], DIMMED)
    # Of a selection that is too large to draw, the density shows the rest.
    many = points[:, 0] > 0
    tinted = drawing(points, masks=[(many, "#ff0000")]).density.image
    there = drawing(points[many], most=10).density
    assert (tinted[..., 0] == 255).any()
    assert (tinted[..., 0] == 255).sum() > 0.5 * (there.counts > 0).sum()


def test_the_density_counts_every_particle_where_it_lies():
    points = np.repeat(np.array([[0, 0], [0, 10], [5, 10]], np.float32), [5, 300, 1000], axis=0)
    density = drawing(points, most=100).density
    assert density.counts.sum() == 1305
    row, column = np.unravel_index(density.counts.argmax(), density.counts.shape)
    place = density.corner + density.step * (row + 0.5, column + 0.5)
    np.testing.assert_allclose(place, (5, 10), atol=density.step.max())


def test_the_nearest_is_found_among_all_and_not_only_the_drawn(rng):
    points = rng.uniform(size=(3000, 2)).astype(np.float32)
    scatter = prepare_scatter(points)
    for _ in range(20):
        place = rng.uniform(size=2)
        expected = int(np.linalg.norm(points - place, axis=1).argmin())
        assert scatter.nearest(place, 1.0) == expected


def test_particles_without_a_value_are_neither_drawn_nor_found():
    points = np.array([[0, 0], [np.nan, 1], [2, 2]], np.float32)
    drawn = drawing(points)
    np.testing.assert_array_equal(drawn.drawn, [0, 2])
    assert prepare_scatter(points).nearest((2, 2), 0.1) == 2
    assert drawn.text == "showing 2 of 3 particles, 1 without a value"


@pytest.mark.parametrize("n_axes", [2, 3])
def test_no_particle_with_a_value_is_no_fault(n_axes):
    points = np.full((3, n_axes), np.nan, np.float32)
    assert prepare_scatter(points).nearest((0, 0), 1.0) is None
    assert len(drawing(points).drawn) == 0
