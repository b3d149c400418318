from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.palette import BACKGROUND
from napari_cryodrgn.export.rasterise import Raster, draw_triangles
from napari_cryodrgn.export.surface_mesh import SurfaceMesh, contour_level, surface_mesh
from napari_cryodrgn.export.surface_render import View, render_surfaces, view_rotation

RED, BLUE = (230, 40, 40), (40, 40, 230)


def _ball(box: int, centre: tuple[float, float, float], width: float) -> np.ndarray:
    """Gaussian at x, y, z from the centre, voxels."""
    grid = np.arange(box) - box // 2
    x, y, z = (grid - place for place in centre)
    squared = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2
    return np.exp(-squared / (2 * width**2)).astype(np.float32)


def _centre_of(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Mean column and row of what is rather of one colour than of the other."""
    strong = int(np.argmax(colour))
    others = [channel for channel in range(3) if channel != strong]
    mask = picture[..., strong].astype(int) > picture[..., others].max(axis=2).astype(int) + 40
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def test_the_surface_lies_where_the_density_is_the_level() -> None:
    mesh = surface_mesh(_ball(32, (2, -3, 4), 4.0), 0.5, pixel_size=2.5)
    centre = np.array([2, -3, 4]) * 2.5
    distance = np.linalg.norm(mesh.vertices - centre, axis=1)
    expected = 4.0 * np.sqrt(2 * np.log(2)) * 2.5
    np.testing.assert_allclose(distance, expected, rtol=0.01)
    outward = (mesh.vertices - centre) / distance[:, None]
    np.testing.assert_allclose((outward * mesh.normals).sum(axis=1), 1, atol=0.01)


def test_surfaces_are_closed_at_the_edge_of_the_box() -> None:
    mesh = surface_mesh(_ball(16, (7, 0, 0), 3.0), 0.5)
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()


@pytest.mark.parametrize("level", [-1.0, 0.0, 2.0])
def test_a_level_outside_the_volume_is_refused(level: float) -> None:
    volume = _ball(16, (0, 0, 0), 2.0)
    volume -= volume.min()
    with pytest.raises(InputError, match="outside the volume"):
        surface_mesh(volume, level)


def test_one_contour_encloses_the_same_share_on_average() -> None:
    volumes = [_ball(32, (0, 0, 0), width) for width in (3.0, 4.0)]
    level = contour_level(volumes, enclosed=0.05)
    ball = np.linalg.norm(np.indices((32, 32, 32)) - 16, axis=0) <= 16
    shares = [float((volume[ball] > level).mean()) for volume in volumes]
    assert np.mean(shares) == pytest.approx(0.05, rel=0.05)
    assert shares[0] < shares[1]


def test_views_are_proper_rotations() -> None:
    for azimuth, elevation in [(0, 0), (37, 12), (-110, 80)]:
        rotation = view_rotation(azimuth, elevation)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_pictures_show_the_true_hand() -> None:
    """From in front of -y, with z up, x goes to the right."""
    view = View(view_rotation(-90, 0), 16, (64, 64))
    right = surface_mesh(_ball(32, (8, 0, 0), 2.0), 0.5)
    above = surface_mesh(_ball(32, (0, 0, 8), 2.0), 0.5)
    picture = render_surfaces([(right, RED), (above, BLUE)], view)
    x, y = _centre_of(picture, RED)
    assert (x, y) == pytest.approx((32 + 16, 32), abs=1.5)
    x, y = _centre_of(picture, BLUE)
    assert (x, y) == pytest.approx((32, 32 - 16), abs=1.5)


def test_what_is_in_front_hides_what_is_behind() -> None:
    near = surface_mesh(_ball(32, (0, -8, 0), 2.0), 0.5)
    far = surface_mesh(_ball(32, (0, 8, 0), 2.0), 0.5)
    for azimuth, seen in ((-90, RED), (90, BLUE)):
        view = View(view_rotation(azimuth, 0), 16, (64, 64))
        for surfaces in ([(near, RED), (far, BLUE)], [(far, BLUE), (near, RED)]):
            middle = render_surfaces(surfaces, view)[32, 32].astype(int)
            assert middle.argmax() == np.argmax(seen)


def test_the_order_of_triangles_does_not_matter() -> None:
    mesh = surface_mesh(_ball(24, (3, 2, 1), 4.0), 0.3)
    shuffled = SurfaceMesh(
        mesh.vertices, mesh.normals, np.random.default_rng(0).permutation(mesh.faces)
    )
    view = View(view_rotation(20, 20), 12, (48, 48))
    one, other = (render_surfaces([(m, RED)], view).astype(int) for m in (mesh, shuffled))
    assert np.abs(one - other).max() <= 2


def test_nothing_in_view_is_the_background() -> None:
    mesh = surface_mesh(_ball(24, (9, 0, 0), 1.0), 0.5)
    picture = render_surfaces([(mesh, RED)], View(view_rotation(-90, 0), 3, (32, 24)))
    assert picture.shape == (24, 32, 3)
    assert (picture == BACKGROUND).all()


def test_a_triangle_covers_its_pixels_once() -> None:
    """Two triangles of a square leave neither holes nor rims."""
    corners = np.array([[2, 2, 5], [9, 2, 5], [9, 7, 5], [2, 7, 5]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    raster = Raster.empty(10, 12)
    normals = np.tile(np.array([0, 0, 1], np.float32), (4, 1))
    draw_triangles(raster, corners, normals, faces, np.ones(3, np.float32))
    expected = np.zeros((10, 12), bool)
    expected[2:8, 2:10] = True
    np.testing.assert_array_equal(np.isfinite(raster.depth), expected)
    np.testing.assert_allclose(raster.depth[expected], 5, rtol=1e-6)
    behind = corners - [0, 0, 3]
    draw_triangles(raster, behind.astype(np.float32), normals, faces, np.zeros(3, np.float32))
    assert (raster.colours[expected] == 1).all()
    draw_triangles(raster, corners, -normals, faces, np.zeros(3, np.float32))
    assert (raster.colours[expected] == 1).all()
