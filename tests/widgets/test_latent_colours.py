"""Colours of the particles, and legends that say what they mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.widgets.latent_colours import (
    CategoryLegend,
    ScaleLegend,
    colour_by,
    default_colormap,
    is_category,
)
from napari_cryodrgn.widgets.theme import CATEGORY_COLOURS


def hexes(rgba: np.ndarray) -> list[str]:
    return ["#" + "".join(f"{round(value * 255):02x}" for value in row[:3]) for row in rgba]


def test_each_cluster_has_the_colour_that_its_legend_shows():
    values = pd.Series(pd.Categorical(np.arange(60) % 20), name="kmeans20")
    colouring = colour_by(values, "viridis", 60)
    legend = colouring.legend
    assert isinstance(legend, CategoryLegend)
    assert [entry.name for entry in legend.categories] == [str(i) for i in range(20)]
    assert [entry.count for entry in legend.categories] == [3] * 20
    shown = hexes(colouring.rgba)
    for position in range(60):
        assert shown[position] == legend.categories[position % 20].colour


def test_many_clusters_are_all_told_apart():
    values = pd.Series(pd.Categorical(np.arange(50)), name="kmeans50")
    legend = colour_by(values, "viridis", 50).legend
    assert len({entry.colour for entry in legend.categories}) == 50


def test_of_many_names_the_commonest_keep_a_colour_and_the_rest_is_counted():
    names = [f"mic_{i:03d}" for i in range(100)]
    counts = np.arange(100, 0, -1)
    values = pd.Series(np.repeat(names, counts), name="micrograph")
    colouring = colour_by(values, "viridis", len(values))
    entries = colouring.legend.categories
    shown = len(CATEGORY_COLOURS) - 1
    assert [entry.name for entry in entries[:-1]] == names[:shown]
    assert entries[-1].name == f"{100 - shown} others"
    assert sum(entry.count for entry in entries) == len(values)
    assert hexes(colouring.rgba[[0, -1]]) == [entries[0].colour, entries[-1].colour]


def test_a_class_keeps_its_colour_when_particles_change_class():
    before = pd.Series(pd.Categorical([0, 0, 1, 2]), name="kmeans3")
    after = pd.Series(pd.Categorical([2, 1, 0, 0], categories=[0, 1, 2]), name="kmeans3")
    one, other = colour_by(before, "viridis", 4), colour_by(after, "viridis", 4)
    np.testing.assert_array_equal(one.rgba[2], other.rgba[1])


def test_a_quantity_runs_along_its_colormap_between_percentiles(rng):
    values = pd.Series(np.append(rng.uniform(0, 1, 999), 1e6), name="loss")
    colouring = colour_by(values, "gray", 1000)
    legend = colouring.legend
    assert isinstance(legend, ScaleLegend)
    assert legend.high < 2  # one outlier does not make all the others black
    order = np.argsort(values.to_numpy())
    assert (np.diff(colouring.rgba[order, 0]) >= 0).all()
    assert colouring.rgba[order[-1], 0] == 1
    assert colouring.rgba[order[0], 0] == 0


def test_missing_values_have_a_colour_of_their_own_and_are_counted():
    values = pd.Series([0.0, 1.0, np.nan, 0.5], name="defocus_u")
    colouring = colour_by(values, "viridis", 4)
    assert colouring.legend.missing == 1
    others = colouring.rgba[[0, 1, 3]]
    assert not (others == colouring.rgba[2]).all(axis=1).any()
    named = colour_by(pd.Series(["a", None, "b"], name="micrograph"), "viridis", 3)
    assert named.legend.categories[-1].name == "no value"


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [np.nan, np.nan, np.nan]])
def test_values_without_a_range_are_no_fault(values):
    rgba = colour_by(pd.Series(values, name="loss"), "viridis", 3).rgba
    assert np.isfinite(rgba).all()


@pytest.mark.parametrize(
    ("values", "category"),
    [
        (pd.Series([0.1, 0.2]), False),
        (pd.Series(np.arange(100)), False),
        (pd.Series(np.arange(100) % 3), True),
        (pd.Series([True, False]), True),
        (pd.Series(["a", "b"]), True),
        (pd.Series(pd.Categorical(np.arange(100))), True),
    ],
)
def test_classes_and_quantities_are_told_apart(values, category):
    assert is_category(values) is category


def test_one_colour_needs_no_legend():
    colouring = colour_by(None, "viridis", 5)
    assert colouring.legend is None
    assert len(np.unique(colouring.rgba, axis=0)) == 1


def test_angles_that_go_round_have_a_cyclic_colormap_over_the_whole_circle():
    colormap = default_colormap("angle_psi")
    values = pd.Series([-180.0, 180.0, 0.0], name="angle_psi")
    colouring = colour_by(values, colormap, 3)
    assert (colouring.legend.low, colouring.legend.high) == (-180, 180)
    np.testing.assert_allclose(colouring.rgba[0], colouring.rgba[1], atol=0.05)
    assert not np.allclose(colouring.rgba[0], colouring.rgba[2], atol=0.2)
