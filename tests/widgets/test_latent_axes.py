"""Axes of the latent plot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.latent.space import make_latent_space
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.widgets.latent_axes import (
    axis_columns,
    column_title,
    identity_text,
    plot_axes,
    plot_points,
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
    points = plot_points(columns, ("UMAP1", "UMAP2"))
    np.testing.assert_allclose(points[:, 1], columns["UMAP1"], rtol=1e-6)
    np.testing.assert_allclose(points[:, 0], columns["UMAP2"], rtol=1e-6)


def test_axes_of_two_kinds_have_the_same_length(columns):
    points = plot_points(columns, ("defocus_u", "z0"))
    np.testing.assert_allclose(np.ptp(points, axis=0), 1.0, rtol=1e-5)
    order = np.argsort(columns["defocus_u"])
    assert (np.diff(points[order, 1]) >= 0).all()


def test_free_axes_lead_to_z_and_back_and_leave_the_rest_alone(rng):
    mu = rng.normal(size=(50, 4)).astype(np.float32) @ rng.normal(size=(4, 4)).astype(np.float32)
    latent = make_latent_space(mu, ParticleRows.every(50), epoch=1)
    base, place = mu[3], np.array([0.7, -1.2])
    signs = {"PC1": -1.0}
    for names in (("z2", "z0"), ("PC1", "PC3"), ("PC4", "PC1")):
        axes = plot_axes(names, latent, signs)
        assert axes.free
        z = axes.to_z(place, base)
        np.testing.assert_allclose(axes.from_z(z), place, atol=1e-5)
        np.testing.assert_allclose(axes.to_z(axes.from_z(base), base), base, atol=1e-5)
    # A particle is seen where its columns say, turned round or not.
    axes = plot_axes(("PC1", "PC2"), latent, signs)
    seen = latent.columns[["PC2", "PC1"]].to_numpy()[5] * (1, -1)
    np.testing.assert_allclose(axes.from_z(mu[5]), seen, atol=1e-5)
    # The other components stay as they were.
    moved = latent.components.axes @ (axes.to_z(place, base) - base)
    np.testing.assert_allclose(moved[2:], 0, atol=1e-5)


def test_axes_of_no_latent_meaning_are_not_free(rng):
    mu = rng.normal(size=(50, 4)).astype(np.float32)
    latent = make_latent_space(mu, ParticleRows.every(50), epoch=1)
    for names, kind in ((("UMAP1", "UMAP2"), "umap"), (("z0", "PC1"), "columns")):
        axes = plot_axes(names, latent)
        assert (axes.kind, axes.free) == (kind, False)
        assert axes.to_z((0, 0), mu[0]) is None
        assert axes.from_z(mu[0]) is None
    three = plot_axes(("z0", "z1", "z3"), latent)
    assert not three.free
    np.testing.assert_allclose(three.from_z(mu[0]), mu[0][[3, 1, 0]])


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
