"""The Particles dock, driven by keys, clicks and drops."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.widgets.image_layers import LazyImages
from napari_cryodrgn.widgets.particle_images import grey_picture
from napari_cryodrgn.widgets.particles_dock import ParticlesDock, verdict_text
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.workflows.contrast_sign import ContrastSign

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def model():
    """A viewer without a window: what the dock needs of one, and quick to make."""
    return ViewerModel()


@pytest.fixture
def dock(model, qtbot):
    dock = ParticlesDock(model)
    qtbot.addWidget(dock)
    dock.resize(400, 900)
    dock.show()
    yield dock
    dock.shutdown()


@pytest.fixture
def opened(dock, tiny_set, settle):
    dock.open_path(tiny_set / "particles.star")
    settle(lambda: dock.sign is not None and dock.images.grid.n_shown() > 0)
    return dock


def drop(widget, path):
    """A file dropped from a file manager; whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, button = Qt.DropAction.CopyAction, LEFT
    key = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), action, data, button, key)
    QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), action, data, button, key))
    return enter.isAccepted()


def test_a_typed_path_and_a_click_open_the_set(dock, tiny_set, qtbot, settle):
    assert not dock.open_button.isEnabled()
    edit = dock.files.form.rows["particles"].editor.widget.edit
    edit.setFocus()
    qtbot.keyClicks(edit, str(tiny_set / "particles.star"))
    qtbot.mouseClick(dock.open_button, LEFT)
    settle(lambda: dock.session.particles is not None)
    assert len(dock.session.particles) == 64
    lines = dock.summary.lines
    assert lines["Particles"] == "64"
    assert lines["Images"] == "16 × 16 px"
    assert lines["Pixel size"] == "16 Å"
    assert lines["Field of view"] == "256 Å"
    assert lines["CTF"].startswith("defocus ")
    assert lines["CTF"].endswith("300 kV")
    assert lines["Poses"].startswith("orientations, shifts up to")
    assert lines["Table"] == str(tiny_set / "particles.star")


def test_a_dropped_file_is_opened_and_others_are_not_taken(dock, tiny_set, settle):
    assert not drop(dock, tiny_set / "truth.csv")
    assert drop(dock, tiny_set / "particles.star")
    settle(lambda: dock.session.particles is not None)


def test_images_are_shown_and_another_handful_is_another(opened, qtbot, settle):
    grid = opened.images.grid
    assert grid.n_shown() == 12
    before = list(grid._names)
    qtbot.mouseClick(opened.images.more_button, LEFT)
    settle(lambda: grid._names != before)
    assert grid.n_shown() == 12


def test_the_filter_changes_the_pictures_only(opened, qtbot):
    grid = opened.images.grid
    smooth = [picture.copy() for picture in grid._pictures]
    opened.images.filter_box.setCurrentIndex(0)
    assert grid._pictures != smooth
    assert opened.images.filter_box.currentText() == "off"


def test_the_contrast_is_told_and_its_setting_shared(opened, model, settle):
    assert "bright on dark" in opened.verdict.text()
    assert "keep “Invert contrast” on" in opened.verdict.text()
    assert session_for(model).particle_config.invert_data
    opened.invert_box.click()
    assert not session_for(model).particle_config.invert_data
    assert "turn “Invert contrast” on" in opened.verdict.text()
    assert opened.verdict.notice.kind == "warning"
    session_for(model).set_invert_data(True)
    assert opened.invert_box.isChecked()


def test_a_stack_asks_for_poses_and_takes_them(dock, tiny_set, settle):
    dock.open_path(tiny_set / "particles.mrcs")
    settle(lambda: dock.session.particles is not None)
    assert dock.summary.lines["Poses"] == "none: training needs them"
    assert "poses.pkl" in dock.notices.text()
    rows = dock.files.form.rows
    assert rows["poses"].isVisible()
    assert rows["ctf"].isVisible()
    dock.files.form.set_values({"poses": tiny_set / "poses.pkl", "ctf": tiny_set / "ctf.pkl"})
    dock.open()
    settle(lambda: dock.session.particles.poses is not None)
    config = dock.session.particle_config
    assert config.poses == tiny_set / "poses.pkl"
    assert config.ctf == tiny_set / "ctf.pkl"
    assert dock.notices.text() == ""


def test_fields_for_poses_hide_for_tables_that_bring_them(opened):
    rows = opened.files.form.rows
    assert not rows["poses"].isVisible()
    assert not rows["ctf"].isVisible()
    assert rows["datadir"].isVisible()


def test_a_missing_image_file_is_told_with_what_to_do(dock, tiny_set, settle):
    (tiny_set / "particles.mrcs").unlink()
    dock.open_path(tiny_set / "particles.star")
    settle(lambda: bool(dock.tasks.notices.text()))
    message = dock.tasks.notices.text()
    assert "particles.mrcs" in message
    assert "“Image folder”" in message
    assert "--datadir" not in message
    assert dock.session.particles is None
    assert dock.open_button.isEnabled()


def test_every_image_can_be_checked(opened, tiny_set, qtbot, settle):
    qtbot.mouseClick(opened.check_button, LEFT)
    settle(lambda: "64 images" in opened.notices.text())
    assert opened.notices.notice.kind == "info"
    images = opened.session.particles.images.read(np.arange(64))
    images[7, 3, 3] = np.nan
    write_stack(tiny_set / "particles.mrcs", images, 16.0)
    qtbot.mouseClick(opened.check_button, LEFT)
    settle(lambda: bool(opened.tasks.notices.text()))
    assert "image 8 of 64" in opened.tasks.notices.text()


def test_the_stack_becomes_a_lazy_layer_in_true_units(opened, model, qtbot):
    model.dims.ndisplay = 3
    qtbot.mouseClick(opened.layer_button, LEFT)
    layer = model.layers["particles.star"]
    assert model.dims.ndisplay == 2
    assert isinstance(layer.data, LazyImages)
    np.testing.assert_allclose(layer.scale, [1, 16, 16])
    assert [str(unit) for unit in layer.units] == ["pixel", "angstrom", "angstrom"]
    particles = opened.session.particles
    model.dims.set_current_step(0, 5)
    np.testing.assert_array_equal(layer.data[5], particles.images.read(np.array([5]))[0])


def test_lazy_images_index_like_an_array(opened):
    lazy = LazyImages(opened.session.particles.images)
    whole = opened.session.particles.images.read(np.arange(64))
    assert lazy.shape == whole.shape
    for key in (3, -1, slice(2, 9, 3), [4, 1], (5, slice(2, 4)), (slice(0, 2), 3, 4), Ellipsis):
        np.testing.assert_array_equal(lazy[key], whole[key])
    np.testing.assert_array_equal(np.asarray(lazy), whole)


def test_a_new_set_resets_what_was_said_of_the_old_one(opened, data_folder, settle):
    opened.open_path(data_folder / "cryodrgn-tests" / "relion31.star")
    settle(lambda: opened.summary.lines["Particles"] == "5")
    settle(lambda: opened.sign is not None and opened.sign.n_images == 5)
    assert "cannot be told" in opened.verdict.text()


@pytest.mark.parametrize(
    ("difference", "has_ctf", "inverted", "words"),
    [
        (0.3, True, True, "Particles look bright on dark (99 images, 30 σ): keep"),
        (0.3, True, False, "turn “Invert contrast” on, or the volumes will have negative density"),
        (-0.3, True, False, "dark on bright (99 images, 30 σ): keep “Invert contrast” off"),
        (0.3, False, False, "and have no CTF: keep “Invert contrast” off"),
        (0.01, True, True, "cannot be told (99 images, 1 σ)"),
    ],
)
def test_the_verdict_in_words(difference, has_ctf, inverted, words):
    sign = ContrastSign(difference, 0.01, 99)
    assert words in verdict_text(sign, has_ctf=has_ctf, inverted=inverted)


def test_high_values_are_bright():
    image = np.zeros((8, 8), np.float32)
    image[:4] = 1
    picture = grey_picture(image)
    assert picture.pixelColor(2, 1).lightness() == 255
    assert picture.pixelColor(2, 6).lightness() == 0


def test_a_closed_dock_stops_its_tasks(viewer, tiny_set, settle):
    dock = ParticlesDock(viewer)
    viewer.window.add_dock_widget(dock, name="Particles", area="right")
    dock.open_path(tiny_set / "particles.star")
    settle(lambda: session_for(viewer).particles is not None)
    tasks = list(dock._ending.tasks)
    assert tasks
    viewer.window.remove_dock_widget(dock)
    settle(lambda: not any(task.running for task in tasks))
    session_for(viewer).set_particles(None)  # reaches no closed dock
