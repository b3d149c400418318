"""Axes of the latent plot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.widgets.latent_axes import (
    axis_columns,
    column_title,
    identity_text,
    plot_frame,
    views,
    with_steady_signs,
)


@pytest.fixture
def columns(rng) -> pd.DataFrame:
    content = {name: rng.normal(size=30) for name in ("z0", "z1", "PC1", "PC2", "UMAP1", "UMAP2")}
    content["defocus_u"] = rng.uniform(8000, 22000, 30)
    content["row"] = np.arange(100, 130)
    content["image_name"] = [f"{i:06d}@a.mrcs" for i in range(30)]
    content["kmeans3"] = pd.Categorical(np.arange(30) % 3)
    return pd.DataFrame(content)


def test_umap_comes_first_and_pca_where_there_is_none(columns):
    assert [view.name for view in views(columns)] == ["UMAP", "PCA", "z"]
    assert views(columns.drop(columns=["UMAP1", "UMAP2"]))[0].name == "PCA"


def test_one_latent_dimension_still_gives_a_plot():
    columns = pd.DataFrame({"z0": [1.0, 2.0], "PC1": [0.0, 1.0], "row": [0, 1]})
    assert [(view.x, view.y) for view in views(columns)] == [("PC1", "row")]


def test_only_numbers_can_be_axes(columns):
    assert {"image_name", "kmeans3"}.isdisjoint(axis_columns(columns))
    assert {"z0", "defocus_u", "row"} <= set(axis_columns(columns))


def test_axes_of_one_kind_keep_their_proportion(columns):
    points = plot_frame(columns, "UMAP1", "UMAP2").points
    np.testing.assert_allclose(points[:, 1], columns["UMAP1"], rtol=1e-6)
    np.testing.assert_allclose(points[:, 0], columns["UMAP2"], rtol=1e-6)


def test_axes_of_two_kinds_have_the_same_length(columns):
    points = plot_frame(columns, "defocus_u", "z0").points
    np.testing.assert_allclose(np.ptp(points, axis=0), 1.0, rtol=1e-5)
    order = np.argsort(columns["defocus_u"])
    assert (np.diff(points[order, 1]) >= 0).all()


def test_components_are_turned_as_they_were_and_nothing_else_is(columns):
    turned = columns.assign(PC1=-columns["PC1"], z0=-columns["z0"])
    steady = with_steady_signs(turned, columns)
    pd.testing.assert_series_equal(steady["PC1"], columns["PC1"])
    pd.testing.assert_series_equal(steady["z0"], turned["z0"])
    pd.testing.assert_frame_equal(with_steady_signs(columns, columns), columns)


def test_other_particles_have_no_signs_to_keep(columns):
    turned = columns.assign(PC1=-columns["PC1"])
    assert with_steady_signs(turned, columns.iloc[:10]) is turned
    assert with_steady_signs(turned, None) is turned


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("UMAP1", "UMAP 1"),
        ("PC12", "PC 12"),
        ("kmeans20", "k-means 20"),
        ("defocus_u", "Defocus U (Å)"),
        ("refined_angle_rot", "Refined rot (°)"),
        ("rlnSomething", "rlnSomething"),
    ],
)
def test_titles_are_for_people(name, title):
    assert column_title(name) == title


def test_a_particle_is_named_by_its_row_and_image_and_not_by_its_position(columns):
    text = identity_text(columns, 3, ["kmeans3", "UMAP1"])
    assert text.startswith("particle 103  ·  000003@a.mrcs  ·  k-means 3: 0  ·  UMAP 1: ")
