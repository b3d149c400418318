"""The surface that follows the mouse: looks as napari's, and gives way to it at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.session_records import IntensityScale, ShownVolume
from napari_cryodrgn.widgets.sessions import is_closed
from napari_cryodrgn.widgets.volume_layers import SURFACE_NAME, VolumeLayers
from napari_cryodrgn.widgets.volume_prepared import prepared_volume

pytestmark = pytest.mark.gui

BOX = 24


def blobs(shift: float = 0.0) -> ShownVolume:
    grid = np.indices((BOX,) * 3, dtype=np.float32)
    data = np.zeros((BOX,) * 3, np.float32)
    for centre in ((8, 9, 12 + shift), (15, 14, 10 - shift)):
        squares = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
        data += np.exp(-squares / 12).astype(np.float32)
    return ShownVolume(data, 2.0, np.zeros(3, np.float32), 2, "exact, 24 px", None, 0.1)


@pytest.fixture
def layers(viewer, settle):
    given = []
    layers = VolumeLayers(viewer, "surface", given.append)
    layers.given = given
    yield layers
    layers.shutdown()


def show(layers, settle, volume, scale=None):
    layers.show(volume, layers.scale or IntensityScale.of(volume.data))
    settle(lambda: layers.painted is volume)


def picture(viewer) -> np.ndarray:
    QApplication.processEvents()
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def test_what_moves_looks_as_what_rests(viewer, layers, settle):
    volume = blobs()
    show(layers, settle, volume)
    viewer.scene.camera.angles = (20, 40, 60)
    at_rest = picture(viewer)
    assert at_rest.max() > 100  # something is seen
    # The same volume, decoded anew while something is dragged; not smoothed, so compare loosely
    # at edges and closely elsewhere.
    moving = replace(volume, moving=True)
    layers._moving.show(viewer.layers[SURFACE_NAME], *_arrays(layers, volume))
    assert layers._moving.shown
    in_motion = picture(viewer)
    different = np.abs(at_rest - in_motion).max(axis=-1)
    assert np.percentile(different, 99) <= 8
    # Turned meanwhile, its light turns with it.
    viewer.scene.camera.angles = (70, -30, 10)
    in_motion = picture(viewer)
    show(layers, settle, replace(moving, moving=False))
    assert not layers._moving.shown
    different = np.abs(picture(viewer) - in_motion).max(axis=-1)
    assert np.percentile(different, 99) <= 8


def _arrays(layers, volume):
    from napari_cryodrgn.widgets.placement import AWAY
    from napari_cryodrgn.widgets.volume_look import true_size

    mesh = layers._mesh
    vertices, faces, _ = true_size(mesh, volume)
    normals = (mesh.normals * AWAY).astype(np.float32)
    return vertices, normals, faces.astype(np.uint32), np.ones(len(vertices), np.float32)


def test_the_layer_has_the_surface_once_it_rests(viewer, layers, settle):
    first, second, third = blobs(), replace(blobs(1.0), moving=True), blobs(2.0)
    show(layers, settle, first)
    surface = viewer.layers[SURFACE_NAME]
    resting = surface.data[0]
    drawn = viewer.window._qt_viewer.canvas.layer_to_visual[surface].node
    show(layers, settle, second)
    assert surface.data[0] is resting
    assert not drawn.visible
    show(layers, settle, third)
    assert surface.data[0] is not resting
    assert drawn.visible
    assert layers.given == [first, second, third]


@pytest.mark.parametrize("change", ["wireframe", "hidden", "2D"])
def test_what_only_napari_draws_is_left_to_it(viewer, layers, settle, change):
    show(layers, settle, blobs())
    surface = viewer.layers[SURFACE_NAME]
    if change == "wireframe":
        surface.wireframe.visible = True
    elif change == "hidden":
        surface.visible = False
    else:
        viewer.dims.ndisplay = 2
    resting = surface.data[0]
    show(layers, settle, replace(blobs(1.0), moving=True))
    assert surface.data[0] is not resting
    assert not layers._moving.shown


def test_normals_point_outwards(layers):
    from napari_cryodrgn.widgets.volume_mesh import mesh_of

    grid = np.indices((BOX,) * 3, dtype=np.float32) - BOX // 2
    mesh = mesh_of(np.exp(-(grid**2).sum(axis=0) / 30).astype(np.float32), 0.4)
    outwards = mesh.vertices - BOX // 2
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", mesh.normals, outwards) > 0.9).all()


def test_a_surface_that_comes_after_the_window_is_closed_does_no_harm(viewer, layers, settle):
    volume = blobs()
    show(layers, settle, volume)
    layers._moving.show(viewer.layers[SURFACE_NAME], *_arrays(layers, volume))
    prepared = prepared_volume(volume, layers.level, layers.filter, True, None)
    viewer.close()
    layers.show(volume, layers.scale)
    layers._take_mesh(prepared)  # which adds a layer where there is none
    assert not viewer.layers
    layers._moving.hide()
    assert not layers._moving.shown


def test_it_ends_in_silence_where_the_window_was_closed_with_its_cross(
    viewer, layers, settle, caplog
):
    volume = blobs()
    show(layers, settle, volume)
    layers._moving.show(viewer.layers[SURFACE_NAME], *_arrays(layers, volume))
    assert layers._moving.shown
    heard = []
    viewer.layers[SURFACE_NAME].events.data.connect(heard.append)
    prepared = prepared_volume(volume, layers.level, layers.filter, True, None)
    viewer.window._qt_window.windowHandle().close()
    settle(lambda: is_closed(viewer))
    with caplog.at_level("ERROR"):
        layers._take_mesh(prepared)
        layers.shutdown()
    del viewer.window._qt_window  # or the fixture would close it a second time
    assert heard == []
    assert caplog.records == []
