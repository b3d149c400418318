"""Surfaces of constant density."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.widgets.volume_mesh import doubled, layer_data, mesh_of


def ball(box: int, centre: tuple[float, float, float], width: float) -> np.ndarray:
    grid = np.indices((box,) * 3, dtype=np.float32)
    squares = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
    return np.exp(-squares / (2 * width**2)).astype(np.float32)


@pytest.mark.parametrize("box", [32, 96, 170])
def test_a_ball_has_its_radius_and_place_whatever_the_box(box):
    centre, width = (box / 2 + 3, box / 2 - 2, box / 2), box / 12
    mesh = mesh_of(ball(box, centre, width), float(np.exp(-0.5)))
    distances = np.linalg.norm(mesh.vertices - centre, axis=1)
    np.testing.assert_allclose(distances, width, rtol=0.03)
    assert len(mesh.faces) > 100


def test_the_doubled_density_passes_through_the_voxels(rng):
    data = ball(16, (8, 7, 9), 2.5)
    fine = doubled(data)
    assert fine.shape == (32, 32, 32)
    assert fine.dtype == np.float32
    np.testing.assert_allclose(fine[::2, ::2, ::2], data, atol=2e-3)
    np.testing.assert_allclose(fine[1::2, ::2, ::2][7], ball(16, (7.5, 7, 9), 2.5)[7], atol=2e-3)


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0, 5.0])
def test_where_no_density_crosses_the_level_there_is_no_surface(level):
    mesh = mesh_of(np.zeros((8, 8, 8), np.float32), level)
    assert mesh.empty
    vertices, faces, values = layer_data(mesh)
    assert len(vertices) == len(values)
    assert faces.max() < len(vertices)


def test_vertices_of_a_layer_have_z_turned_away():
    mesh = mesh_of(ball(16, (10, 8, 8), 2), 0.5)
    vertices, _, _ = layer_data(mesh)
    np.testing.assert_allclose(vertices, mesh.vertices * (-1, 1, 1))
