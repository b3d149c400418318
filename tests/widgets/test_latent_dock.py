"""The Latent space dock, by real mouse and key events on its canvas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Image, Points
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.io.pickles import Latents, read_latents, write_latents
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.latent_scatter import prepare_scatter
from napari_cryodrgn.widgets.opening import follow_training
from napari_cryodrgn.widgets.sessions import session_for

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[], LatentDock]:
    """Opens the dock with the small run; pytest would keep a dock itself for too long."""

    def make() -> LatentDock:
        dock = LatentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Latent space", area="right")
        dock.open_run(small_run.path)
        settle(lambda: dock.plot.scatter is not None)
        QApplication.processEvents()
        return dock

    return make


def pixel_of(dock: LatentDock, position: int) -> QPoint:
    """Where a particle is on the canvas, by the camera."""
    canvas = dock.plot.canvas
    camera = canvas.model.scene.camera
    y, x = dock.plot.scatter.points[position] - np.asarray(camera.center)[-2:]
    middle = canvas.native.width() / 2, canvas.native.height() / 2
    return QPoint(round(middle[0] + x * camera.zoom), round(middle[1] - y * camera.zoom))


def click(qtbot, dock: LatentDock, position: int) -> None:
    where = pixel_of(dock, position)
    qtbot.mouseMove(dock.plot.canvas.native, where)
    qtbot.wait(20)
    qtbot.mousePress(dock.plot.canvas.native, LEFT, pos=where)
    qtbot.wait(20)
    qtbot.mouseRelease(dock.plot.canvas.native, LEFT, pos=where)
    qtbot.wait(20)


def outermost(dock: LatentDock) -> int:
    """A particle far from any other, so that no neighbour can be meant."""
    points = dock.plot.scatter.points
    tree = dock.plot.scatter.tree
    return int(tree.query(points, k=2)[0][:, 1].argmax())


def test_an_empty_dock_says_what_to_do_next(viewer, settle):
    dock = LatentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent space")
    settle(dock.empty.isVisible)
    assert dock.empty.action.text() == "Open a run…"


def test_the_mouse_picks_names_and_moves_and_keys_do_nothing(qtbot, open_dock, settle):
    dock = open_dock()
    session, canvas = session_for(dock.viewer), dock.plot.canvas
    # A click picks the particle beneath it, and marks it.
    for position in (outermost(dock), int(dock.plot.scatter.points[:, 1].argmin())):
        click(qtbot, dock, position)
        assert session.pick_now.position == position
        assert session.pick_now.row == session.latent.rows.rows[position]
        marked = canvas.highlight_layer.data[0]
        np.testing.assert_allclose(marked, dock.plot.scatter.points[position])
    # A click beside all of them says so.
    picked = session.pick_now
    qtbot.mouseClick(canvas.native, LEFT, pos=QPoint(3, canvas.native.height() - 3))
    qtbot.wait(20)
    assert session.pick_now is picked
    assert "No particle" in dock.line_text()
    # The mouse over one names it.
    position = outermost(dock)
    where = pixel_of(dock, position)

    def named() -> bool:
        # Again and again: the real pointer rests somewhere too, and may be heard of.
        qtbot.mouseMove(canvas.native, where + QPoint(3, 0))
        qtbot.wait(20)
        qtbot.mouseMove(canvas.native, where)
        qtbot.wait(100)
        return dock.line_text().startswith(f"particle {position}  ·")

    settle(named)
    assert "UMAP 1:" in dock.line_text()
    # A drag moves the plot, and neither picks nor moves a particle.
    centre, points = canvas.model.scene.camera.center, canvas.points_layer.data.copy()
    qtbot.mousePress(canvas.native, LEFT, pos=where)
    for step in range(1, 6):
        qtbot.mouseMove(canvas.native, where + QPoint(8 * step, 5 * step))
        qtbot.wait(20)
    qtbot.mouseRelease(canvas.native, LEFT, pos=where + QPoint(40, 25))
    qtbot.wait(20)
    assert session.pick_now is picked
    assert canvas.model.scene.camera.center != centre
    # Keys neither delete particles nor lead to a mode in which they could be moved.
    canvas.native.setFocus()
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_3, Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
        qtbot.keyClick(canvas.native, key)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(canvas.points_layer.data, points)
    assert canvas.points_layer.mode == "pan_zoom"
    assert canvas.model.dims.ndisplay == 2


def test_axes_and_colours_follow_the_choice_and_stay_at_another_epoch(open_dock, settle):
    dock = open_dock()
    session, plot = session_for(dock.viewer), dock.plot
    assert plot.axes_text() == ("UMAP 1", "UMAP 2")
    assert plot.colour_box.currentData() == "kmeans4"
    assert len(plot.legend.legend.categories) == 4
    before = plot.canvas.points_layer.face_color.copy()
    plot.choose_view("PCA")
    plot.choose_colour("z1")
    settle(lambda: plot.axes_text() == ("PC 1", "PC 2") and plot.legend.legend.title == "z1")
    assert not np.allclose(plot.canvas.points_layer.face_color, before)
    assert plot.colormap_box.isVisible()
    columns = session.latent.columns
    np.testing.assert_allclose(plot.canvas.points_layer.data[:, 1], columns["PC1"], rtol=1e-5)
    # Another epoch, by the box: view, axes and colour stay.
    camera = plot.canvas.model.scene.camera
    camera.zoom *= 1.5
    camera.center = (0, 1.0, 2.0)
    zoom, centre, drawn = camera.zoom, camera.center, plot.scatter
    dock.epoch_box.setCurrentIndex(dock.epoch_box.findData(1))
    dock.epoch_box.activated.emit(dock.epoch_box.currentIndex())
    settle(lambda: session.latent.epoch == 1 and plot.scatter is not drawn)
    assert plot.axes_text() == ("PC 1", "PC 2")
    assert plot.colour_box.currentData() == "z1"
    assert (camera.zoom, camera.center) == (zoom, centre)
    # The canvas follows the theme.
    dock.viewer.theme = "light"
    assert plot.canvas.model.theme == "light"


def test_a_training_renews_the_plot_without_turning_it_over(open_dock, settle, small_run):
    dock = open_dock()
    session, plot = session_for(dock.viewer), dock.plot
    plot.choose_view("PCA")
    settle(lambda: plot.axes_text() == ("PC 1", "PC 2"))
    before, drawn = plot.scatter.points.copy(), plot.scatter
    # The mirror image of all latents turns the signs of the components for certain.
    mu = read_latents(small_run.latents(2)).mu
    write_latents(small_run.latents(3), Latents(-mu, np.zeros_like(mu)))
    follow_training(session, small_run.path)
    settle(lambda: plot.scatter is not drawn)
    assert session.latent.epoch == 3
    for axis in (0, 1):
        assert np.corrcoef(before[:, axis], plot.scatter.points[:, axis])[0, 1] > 0.99
    # An older epoch that is being looked at is not taken away.
    dock.open_run(small_run.path, 1)
    settle(lambda: session.run.epoch == 1)
    write_latents(small_run.latents(4), Latents(mu, np.zeros_like(mu)))
    assert follow_training(session, small_run.path) is None
    assert session.run.epoch == 1
    assert dock.epoch_box.findData(4) >= 0


def test_analyze_makes_clusters_and_shows_them(
    qtbot, open_dock, settle, viewer, tmp_path, small_run
):
    dock = open_dock()
    mu = read_latents(small_run.latents(1)).mu[:, :2]
    flat = RunFolder(tmp_path / "flat")
    flat.path.mkdir()
    write_latents(flat.latents(1), Latents(mu, np.zeros_like(mu)))
    dock.open_run(flat.path)
    settle(lambda: session_for(viewer).run.folder == flat and dock.analyze_button.isVisible())
    qtbot.mouseClick(dock.analyze_button, LEFT)
    settle(lambda: "kmeans20" in session_for(viewer).latent.columns)
    settle(lambda: dock.plot.colour_box.currentData() == "kmeans20")
    assert not dock.analyze_button.isVisible()
    assert (flat.analysis(1).kmeans(20) / "labels.pkl").is_file()


def test_what_a_run_lacks_is_named_and_what_is_no_run_changes_nothing(
    qtbot, open_dock, settle, viewer, tmp_path, small_run
):
    dock = open_dock()
    bare = RunFolder(tmp_path / "bare")
    bare.path.mkdir()
    bare.latents(1).write_bytes(small_run.latents(1).read_bytes())
    dock.open_run(bare.path)
    settle(lambda: session_for(viewer).run.folder == bare)
    assert "config.yaml" in dock.notices.text()
    qtbot.mouseClick(dock.missing_button, LEFT)
    assert "config.yaml is missing" in dock.notices.text()
    run = session_for(viewer).run
    empty = tmp_path / "empty"
    empty.mkdir()
    dock.open_run(empty)
    settle(lambda: "no run folder" in dock.tasks.notices.text())
    assert session_for(viewer).run is run


def test_many_particles_lie_on_a_density(viewer, rng):
    points = rng.normal(size=(3000, 2)).astype(np.float32)
    scatter = prepare_scatter(points, most=500)
    dock = LatentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent space")
    canvas = dock.plot.canvas
    canvas.set_density(scatter.density)
    canvas.set_points(points[scatter.drawn], np.ones((len(scatter.drawn), 4), np.float32))
    canvas.set_highlight(points[0])
    kinds = [type(layer) for layer in canvas.model.layers]
    assert kinds == [Image, Points, Points]  # density, particles, mark
    extent = canvas.model.layers[0].extent.world
    assert (extent[0] <= points.min(axis=0)).all()
    assert (extent[1] >= points.max(axis=0)).all()
