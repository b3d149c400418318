"""The Latent space dock, by real mouse and key events on its canvas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Points
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication
from scipy.spatial import cKDTree

from napari_cryodrgn.io.pickles import Latents, read_latents, write_latents
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.latent_dock import LatentDock
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
    return int(cKDTree(points).query(points, k=2)[0][:, 1].argmax())


def test_an_empty_dock_says_what_to_do_next(viewer, settle):
    dock = LatentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent space")
    settle(dock.start_page.isVisible)
    assert dock.start_page.run_button.text() == "Open a run…"


def test_the_mouse_picks_names_and_moves_and_keys_do_nothing(qtbot, open_dock, settle):
    dock = open_dock()
    session, canvas = session_for(dock.viewer), dock.plot.canvas
    # A click picks the particle beneath it, and marks it.
    for position in (outermost(dock), int(dock.plot.scatter.points[:, 1].argmin())):
        click(qtbot, dock, position)
        settle(lambda position=position: session.pick_now.position == position)
        assert session.pick_now.row == session.latent.rows.rows[position]
        marked = canvas.overlay.marks["picked"].place
        np.testing.assert_allclose(marked, dock.plot.scatter.points[position])
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
    # A drag with the right button moves the plot by as many px, and picks nothing.
    picked, right = session.pick_now, Qt.MouseButton.RightButton
    qtbot.mousePress(canvas.native, right, pos=where)
    for step in range(1, 6):
        qtbot.mouseMove(canvas.native, where + QPoint(8 * step, 5 * step))
        qtbot.wait(20)
    qtbot.mouseRelease(canvas.native, right, pos=where + QPoint(40, 25))
    assert pixel_of(dock, position) == where + QPoint(40, 25)
    assert session.pick_now is picked
    # Keys choose tools, and reach nothing of napari's that would change the plot.
    canvas.native.setFocus()
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_3, Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
        qtbot.keyClick(canvas.native, key)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert canvas.model.dims.ndisplay == 2
    lasso = dock.tools.tools["lasso"]
    qtbot.keyClick(canvas.native, lasso.key)
    assert dock.tools.active is lasso
    assert canvas.input.tool is lasso


def test_three_axes_are_turned_by_the_mouse_and_clicked_as_they_are_seen(qtbot, open_dock, settle):
    dock = open_dock()
    session, plot = session_for(dock.viewer), dock.plot
    mask = np.arange(len(session.latent)) < 9
    plot.set_selection_masks([(mask, "#ff0000")])
    plot.choose_view("z 3D")
    settle(lambda: not plot.canvas.flat)
    assert len(plot.axes.names) == 3
    assert mask[plot.picture.drawing.drawn[-9:]].all()
    native, camera = plot.canvas.native, plot.canvas.model.scene.camera
    settle(lambda: native.width() > 100)
    # Where the points are said to be seen is where the canvas has painted them.
    before, corner = camera.angles, QPoint(20, 20)
    qtbot.mousePress(native, LEFT, pos=corner)
    for step in range(1, 6):
        qtbot.mouseMove(native, corner + QPoint(8 * step, 5 * step))
        qtbot.wait(30)
    qtbot.mouseRelease(native, LEFT, pos=corner + QPoint(40, 25))
    qtbot.wait(50)
    assert camera.angles != before
    position = int(plot.points[:, 0].argmax())
    up, right = plot.points[position]
    where = QPoint(round(native.width() / 2 + right), round(native.height() / 2 - up))
    qtbot.mousePress(native, LEFT, pos=where)
    qtbot.mouseRelease(native, LEFT, pos=where)
    settle(lambda: session.pick_now.position == plot.nearest(plot.points[position]))
    plot.choose_view("UMAP")
    settle(lambda: plot.canvas.flat)
    assert mask[plot.picture.drawing.drawn[-9:]].all()  # the selection has stayed


def test_axes_and_colours_follow_the_choice_and_stay_at_another_epoch(open_dock, settle):
    dock = open_dock()
    session, plot = session_for(dock.viewer), dock.plot
    assert plot.axes_text() == ("UMAP 1", "UMAP 2")
    assert plot.choices.colour_box.currentData() == "kmeans4"
    assert len(plot.legend.legend.categories) == 4
    before = plot.colouring.rgba
    plot.choose_view("PCA")
    plot.choose_colour("z1")
    settle(lambda: plot.axes_text() == ("PC 1", "PC 2") and plot.legend.legend.title == "z1")
    assert not np.allclose(plot.colouring.rgba, before)
    assert plot.choices.colormap_box.isVisible()
    columns = session.latent.columns
    np.testing.assert_allclose(plot.scatter.points[:, 1], columns["PC1"], rtol=1e-5)
    # Another epoch, by the box: view, axes and colour stay.
    camera = plot.canvas.model.scene.camera
    camera.zoom *= 1.5
    camera.center = (0, 1.0, 2.0)
    zoom, centre, drawn = camera.zoom, camera.center, plot.scatter
    dock.epoch_box.setCurrentIndex(dock.epoch_box.findData(1))
    dock.epoch_box.activated.emit(dock.epoch_box.currentIndex())
    settle(lambda: session.latent.epoch == 1 and plot.scatter is not drawn)
    assert plot.axes_text() == ("PC 1", "PC 2")
    assert plot.choices.colour_box.currentData() == "z1"
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
    settle(lambda: dock.plot.choices.colour_box.currentData() == "kmeans20")
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
    settle(lambda: "no run folder" in dock.notices.text())
    assert session_for(viewer).run is run


def test_labels_of_a_file_become_a_column_and_points_a_layer(
    qtbot, open_dock, settle, viewer, tmp_path
):
    dock = open_dock()
    session, plot = session_for(viewer), dock.plot
    np.save(tmp_path / "mine.npy", np.arange(len(session.latent)) % 3)
    dock.menu.read_labels(tmp_path / "mine.npy")
    settle(lambda: plot.colour_column == "mine")
    assert [entry.count for entry in plot.legend.legend.categories] == [40, 40, 40]
    # A click on a legend entry selects its class.
    qtbot.mouseClick(plot.legend, LEFT, pos=QPoint(6, plot.legend.row_height // 2))
    np.testing.assert_array_equal(session.selections.mask, np.arange(120) % 3 == 0)
    settle(lambda: len(plot.picture.choice.masks) == 1)
    dock.menu.add_layer()
    settle(lambda: any(isinstance(layer, Points) for layer in viewer.layers))
    layer = next(layer for layer in viewer.layers if isinstance(layer, Points))
    assert list(layer.features["row"]) == list(session.latent.rows.rows)
    np.testing.assert_allclose(layer.data, plot.points)
    # With other units than the volume's napari would forget them, and the scale bar with them.
    assert viewer.layers.extent.units is not None


def test_the_ends_of_the_colours_can_be_typed_and_given_back(qtbot, open_dock, settle):
    dock = open_dock()
    plot, choices = dock.plot, dock.plot.choices
    plot.choose_colour("z0")
    settle(lambda: choices.low_edit.isVisible())
    low = plot.legend.legend.low
    choices.low_edit.selectAll()
    qtbot.keyClicks(choices.low_edit, "-100")
    qtbot.keyClick(choices.low_edit, Qt.Key.Key_Return)
    settle(lambda: plot.legend.legend.low == -100)
    choices.limits = None
    choices.colour_chosen.emit()
    settle(lambda: plot.legend.legend.low == low)
