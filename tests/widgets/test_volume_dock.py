"""The Volume dock: a click changes the volume and nothing else; by real events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Surface
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.session_records import IntensityScale, ShownVolume
from napari_cryodrgn.widgets.opening import open_run_in
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.widgets.volume_layers import IMAGE_NAME, SURFACE_NAME, VolumeLayers

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
BOX = 16


def blob(centre: tuple[float, float, float], brightness: float = 1.0) -> np.ndarray:
    grid = np.indices((BOX,) * 3, dtype=np.float32)
    squares = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
    return (brightness * np.exp(-squares / 8)).astype(np.float32)


def shown(data: np.ndarray, pixel_size: float | None = 2.5) -> ShownVolume:
    return ShownVolume(data, pixel_size, np.zeros(3, np.float32), 2, "exact, 16 px", None, 0.1)


@pytest.fixture
def open_dock(viewer) -> Callable[[], VolumeDock]:
    def make() -> VolumeDock:
        dock = VolumeDock(viewer)
        viewer.window.add_dock_widget(dock, name="Volume", area="right")
        QApplication.processEvents()
        return dock

    return make


def test_a_picked_particle_is_decoded_and_nothing_but_the_volume_changes(
    qtbot, open_dock, settle, viewer, small_run, tmp_path
):
    dock, session = open_dock(), session_for(viewer)
    assert dock.empty.isVisible()
    open_run_in(session, small_run.path)
    settle(lambda: session.volume is not None and SURFACE_NAME in viewer.layers)
    image, surface = viewer.layers[IMAGE_NAME], viewer.layers[SURFACE_NAME]
    np.testing.assert_allclose(np.abs(image.scale), 2.5)
    assert {str(unit) for unit in image.units} == {"angstrom"}
    assert viewer.dims.ndisplay == 3
    # Somebody turns the camera, and moves contour and contrast by hand.
    camera = viewer.scene.camera
    camera.angles, camera.zoom = (10, 20, 30), camera.zoom * 1.3
    dock.contour.slider.setFocus()
    for _ in range(3):
        qtbot.keyClick(dock.contour.slider, Qt.Key.Key_Right)
    level = dock.layers.level
    assert level != session.scale.level
    image.contrast_limits = (0.0, image.contrast_limits[1] * 1.5)
    kept = (camera.angles, camera.zoom, camera.center, tuple(image.contrast_limits))
    for position in (3, 50, 90):
        # Settled first: a surface of the volume before may still be on its way.
        settle(lambda: dock.layers.painted is session.volume and session.volume.last)
        before, vertices = image.data, surface.data[0]
        session.pick(position)
        settle(lambda position=position: session.volume.pick.position == position)
        settle(lambda: dock.layers.painted is session.volume and session.volume.last)
        assert surface.data[0] is not vertices
        assert not np.array_equal(image.data, before)
        assert [layer.name for layer in viewer.layers] == [IMAGE_NAME, SURFACE_NAME]
        now = (camera.angles, camera.zoom, camera.center, tuple(image.contrast_limits))
        assert now == kept
        assert dock.layers.level == image.iso_threshold == level
    assert dock.title().startswith("Particle 90")
    assert "2.5 Å/voxel" in dock.facts()
    # It is kept as a layer of its own, and saved in true units.
    qtbot.mouseClick(dock.keep_button, LEFT)
    copy = viewer.layers["particle 90 · epoch 2"]
    assert isinstance(copy, type(dock.layers.live))
    assert copy.metadata["particle_row"] == 90
    session.pick(10)
    settle(lambda: session.volume.pick.position == 10)
    if isinstance(copy, Surface):
        assert copy.data[0] is not surface.data[0]
    dock.save_to(tmp_path / "state.mrc", session.volume.pixel_size)
    settle(lambda: "Saved" in dock.notices.text())
    saved = read_volume(tmp_path / "state.mrc")
    np.testing.assert_array_equal(saved.data, session.volume.data)
    assert saved.pixel_size == pytest.approx((2.5, 2.5, 2.5))


def test_surface_and_volume_rendering_are_switched_by_their_buttons(qtbot, open_dock, settle):
    dock = open_dock()
    volume = shown(blob((8, 8, 8)))
    dock.layers.show(volume, IntensityScale.of(volume.data))
    qtbot.mouseClick(dock.volume_button, LEFT)
    viewer = dock.viewer
    assert viewer.layers[IMAGE_NAME].visible
    qtbot.mouseClick(dock.surface_button, LEFT)
    settle(lambda: SURFACE_NAME in viewer.layers)
    assert viewer.layers[SURFACE_NAME].visible
    assert not viewer.layers[IMAGE_NAME].visible


def test_the_layers(viewer, settle):
    """Scale, hand, deletion, another scale: without a dock, for speed."""
    layers = VolumeLayers(viewer, "surface")
    first = shown(blob((8, 8, 8)))
    scale = IntensityScale.of(first.data)
    layers.show(first, scale)
    settle(lambda: SURFACE_NAME in viewer.layers)
    image, surface = viewer.layers[IMAGE_NAME], viewer.layers[SURFACE_NAME]
    # The surface lies at the contour of the image, in the same place.
    low, high = image.extent.world
    vertices = surface.data[0] * surface.scale + surface.translate
    assert (vertices >= low).all()
    assert (vertices <= high).all()
    np.testing.assert_allclose(vertices.mean(axis=0), 0, atol=0.3)
    # z points away from the viewer, as x points right and y down: no mirror image.
    off = shown(blob((12, 8, 8)))
    layers.show(off, scale)
    settle(lambda: (surface.data[0] * surface.scale + surface.translate)[:, 0].mean() < -5)
    assert image.data_to_world((12, 8, 8))[0] == pytest.approx(-4 * 2.5)
    assert viewer.scene.camera.view_direction[0] == -1  # looks along -z of the scene
    # A brighter volume shows at the same contour and contrast.
    limits = tuple(image.contrast_limits)
    layers.show(shown(blob((8, 8, 8), 30.0)), scale)
    assert tuple(image.contrast_limits) == limits
    assert layers.level == scale.level
    # Another epoch's scale keeps the contour where it was in sigma.
    layers.set_level(scale.density(3.0))
    other = replace(scale, mean=scale.mean + 1, sigma=2 * scale.sigma)
    layers.show(first, other)
    assert other.in_sigma(layers.level) == pytest.approx(3.0)
    # A smaller box fills the same space.
    extent = image.extent.world
    layers.show(shown(first.data[::2, ::2, ::2], 5.0), other)
    np.testing.assert_allclose(image.extent.world, extent, atol=5.0)
    assert viewer.layers[IMAGE_NAME] is image
    # What somebody deletes from the list comes back with the next volume.
    viewer.layers.clear()
    layers.show(first, other)
    settle(lambda: {IMAGE_NAME, SURFACE_NAME} <= {layer.name for layer in viewer.layers})
    # Above all density there is nothing to see, and no fault.
    layers.set_level(1e6)
    settle(lambda: len(viewer.layers[SURFACE_NAME].data[0]) == 3)
    # Without a pixel size nothing claims Å.
    layers.show(shown(first.data, None), other)
    units = {str(unit) for unit in viewer.layers[IMAGE_NAME].units}
    assert units == {"pixel"}
    assert isinstance(viewer.layers[IMAGE_NAME], Image)
    layers.shutdown()


@pytest.mark.data
def test_camera_contour_and_size_stay_from_rung_to_rung(viewer, settle):
    layers = VolumeLayers(viewer, "surface")
    grid = np.indices((32,) * 3, dtype=np.float32) - 16
    data = np.exp(-np.square(grid / np.array([9, 6, 4])[:, None, None, None]).sum(axis=0))
    scale = IntensityScale.of(data)
    exact = replace(shown(data), rung="exact", full_box=32)
    # The even voxels of a box of 32 are those of a box of 16 about the same middle.
    coarse = replace(exact, data=data[::2, ::2, ::2].copy(), pixel_size=5.0, last=False)
    seen = []
    for volume in (replace(coarse, rung="surrogate"), replace(coarse, rung="preview"), exact):
        layers.show(volume, scale)
        settle(lambda volume=volume: layers.painted is volume)
        surface, camera = viewer.layers[SURFACE_NAME], viewer.scene.camera
        vertices = surface.data[0] * surface.scale + surface.translate
        view = (*camera.center, camera.zoom, *camera.angles)
        seen.append((np.ptp(vertices, axis=0), vertices.mean(axis=0), view, layers.level))
    layers.shutdown()
    for extent, middle, view, level in seen[:2]:
        np.testing.assert_allclose(extent, seen[2][0], atol=1.5)  # Å, of 2.5 Å voxels
        np.testing.assert_allclose(middle, seen[2][1], atol=0.5)
        assert view == seen[2][2]
        assert level == seen[2][3]


def test_a_run_without_weights_shows_a_volume_and_says_which(
    open_dock, settle, viewer, data_folder
):
    dock, session = open_dock(), session_for(viewer)
    open_run_in(session, data_folder / "cftr-cryodrgn-demo" / "train")
    settle(lambda: session.volume is not None)
    assert "nearest to particle" in dock.title()
    assert "Not decoded" in dock.note()
    assert "kmeans20/vol_" in dock.note()
    assert "pixel size unknown" in dock.facts()


def test_a_kept_state_is_decoded_again_at_another_epoch(
    qtbot, open_dock, settle, viewer, small_run
):
    dock, session = open_dock(), session_for(viewer)
    session.open_run(small_run.path, 1)
    settle(
        lambda: session.volume is not None and not session.busy and SURFACE_NAME in viewer.layers
    )
    session.pick(7)
    settle(lambda: session.volume.pick.position == 7 and not session.busy)
    qtbot.mouseClick(dock.keep_button, LEFT)
    (pin,) = dock.pins.pins
    vertices = pin.layer.metadata["volume"]
    session.open_run(small_run.path, 2)
    settle(lambda: pin.newest.epoch == 2 and pin.layer.metadata["epoch"] == 2)
    assert pin.newest.pick.row == 7
    np.testing.assert_array_equal(pin.newest.z, session.latent.mu[7])
    assert not np.array_equal(pin.layer.metadata["volume"], vertices)
    # The epoch before can still be looked at.
    dock.pins.list.setCurrentRow(0)
    assert [dock.pins.epoch_box.itemData(i) for i in range(2)] == [2, 1]
    dock.pins.epoch_box.setCurrentIndex(1)
    dock.pins.epoch_box.activated.emit(1)
    settle(lambda: pin.layer.metadata["epoch"] == 1)
    qtbot.mouseClick(dock.pins.delete_button, LEFT)
    assert pin.layer not in viewer.layers
    assert dock.pins.pins == ()


def test_filters_change_what_is_shown_and_are_saved_only_if_asked(
    qtbot, open_dock, settle, viewer, small_run, tmp_path
):
    dock, session = open_dock(), session_for(viewer)
    session.open_run(small_run.path)
    settle(
        lambda: session.volume is not None and not session.busy and SURFACE_NAME in viewer.layers
    )
    image = viewer.layers[IMAGE_NAME]
    decoded = session.volume.data
    dock.filters.low_pass.setValue(15.0)
    settle(lambda: image.data is not decoded)
    assert image.data.shape == decoded.shape
    assert np.abs(image.data).std() < decoded.std()
    assert session.volume.data is decoded
    for name, ticked in (("raw", False), ("filtered", True)):
        dock.filters.save_filtered.setChecked(ticked)
        dock.save_to(tmp_path / f"{name}.mrc", 2.5)
        settle(lambda name=name: (tmp_path / f"{name}.mrc").exists())
    np.testing.assert_array_equal(read_volume(tmp_path / "raw.mrc").data, decoded)
    np.testing.assert_allclose(read_volume(tmp_path / "filtered.mrc").data, image.data, atol=1e-6)
    dock.filters.low_pass.setValue(0.0)
    settle(lambda: image.data is session.volume.data)


def test_what_a_preview_is_saved_as_is_the_exact_volume(
    open_dock, settle, viewer, small_run, tmp_path
):
    dock, session = open_dock(), session_for(viewer)
    session.open_run(small_run.path)
    settle(lambda: session.volume is not None and not session.busy)
    exact = session.volume
    rough = replace(
        exact, data=exact.data[::2, ::2, ::2], rung="preview", pixel_size=5.0, full_box=16
    )
    dock._show_volume(replace(rough, last=False))
    assert "preview, 8 px of 16" in dock.facts()
    assert "preview" in str(viewer.status)
    dock.save_to(tmp_path / "state.mrc", 5.0)
    settle(lambda: (tmp_path / "state.mrc").exists())
    saved = read_volume(tmp_path / "state.mrc")
    np.testing.assert_allclose(saved.data, exact.data, atol=1e-6)
    assert saved.pixel_size == pytest.approx((2.5, 2.5, 2.5))
