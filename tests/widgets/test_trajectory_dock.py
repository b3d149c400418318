"""The Trajectory dock: routes, pace, playing, and the dialog that writes movies."""

from __future__ import annotations

from collections.abc import Callable

import imageio.v2 as imageio
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.latent.path import ROUTE_TITLES
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume
from napari_cryodrgn.widgets.trajectory_dock import TrajectoryDock, class_centres
from napari_cryodrgn.widgets.trajectory_frames import FrameStore
from napari_cryodrgn.workflows.movie_recipe import read_recipe
from napari_cryodrgn.workflows.z_values import read_z_values

gui = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[], TrajectoryDock]:
    """Opens the dock on the small run, with a path between two of its clusters."""

    def make() -> TrajectoryDock:
        dock = TrajectoryDock(viewer)
        viewer.window.add_dock_widget(dock, name="Trajectory", area="right")
        dock.session.open_run(small_run.path)
        settle(lambda: dock.session.volume is not None and not dock.session.busy)
        ends = [dock.book.waypoint_of_particle(position) for position in (0, 3)]
        dock.book.add(waypoints=tuple(ends), n_frames=6)
        settle(lambda: dock.player.frames.z is not None)
        return dock

    return make


@gui
def test_every_route_gives_frames_from_end_to_end_and_a_profile(open_dock, settle):
    dock = open_dock()
    mu = dock.session.latent.mu
    dock.book.edit("Path 1", max_neighbors=40, avg_neighbors=40.0)
    for number, name in enumerate(ROUTE_TITLES):
        dock.form.route_box.setCurrentIndex(number)
        dock.form.route_box.activated.emit(number)
        assert dock.book.active.route == name
        settle(lambda: dock.desk.route_of(dock.book.active) is not None)
        z = dock.player.frames.z
        assert z.shape == (6, 3), name
        np.testing.assert_allclose(z[[0, -1]], mu[[0, 3]], atol=1e-5)
        shown = dock.profile.curves["density"].getData()[1]
        np.testing.assert_array_equal(
            shown, dock.desk.route_of(dock.book.active).profile.log_density
        )
    dock.form.loop_box.setChecked(True)
    settle(lambda: dock.desk.route_of(dock.book.active) is not None)
    np.testing.assert_allclose(dock.player.frames.z[-1], mu[0], atol=1e-5)
    dock.form.frames_box.setValue(9)
    assert len(dock.player.frames) == 9


@gui
def test_a_graph_without_a_way_says_so_and_a_button_takes_a_larger_one(qtbot, open_dock, settle):
    dock = open_dock()
    dock.book.edit("Path 1", route="graph", max_neighbors=2)
    settle(lambda: dock.desk.route_of(dock.book.active) is not None)
    assert "no way" in dock._words.text()
    assert dock.player.frames.z is None
    assert not dock.export_button.isEnabled()
    offered = dock.desk.route_of(dock.book.active).offered
    qtbot.mouseClick(dock.widen_button, LEFT)
    settle(lambda: dock.player.frames.z is not None)
    assert (dock.book.active.max_neighbors, dock.book.active.avg_neighbors) == offered
    assert not dock.widen_button.isVisibleTo(dock)


@gui
def test_equal_change_of_the_volume_is_more_even_than_equal_steps_in_z(open_dock, settle):
    dock = open_dock()
    said: list[str] = []
    even = dock.player.frames.z.copy()
    dock.form.pace_box.setCurrentIndex(dock.form.pace_box.findData("volume"))
    dock.form.pace_box.activated.emit(0)
    settle(lambda: not np.array_equal(dock.player.frames.z, even))
    said.append(dock._words.text())
    assert "Largest step of the volume over the smallest" in said[0]
    np.testing.assert_allclose(dock.player.frames.z[[0, -1]], even[[0, -1]], atol=1e-5)


@gui
def test_playing_decodes_all_frames_shows_them_and_moves_the_dot(qtbot, open_dock, settle):
    dock = open_dock()
    states, dots = [], []
    dock.session.state_changed.connect(states.append)
    dock.desk.dot_changed.connect(dots.append)
    dock.player.mode_box.setCurrentIndex(0)
    dock.player.speed.setValue(30)
    visited = len(dock.session.history.visits)
    qtbot.mouseClick(dock.player.play_button, LEFT)
    settle(lambda: not dock.player.play_button.isChecked())
    assert dock.player.number == 5
    assert dock.player.frames.n_decoded == 6
    z = dock.player.frames.z
    np.testing.assert_allclose(dock.session.volume.z, z[-1])
    # As it is decoded when it is asked for.
    np.testing.assert_allclose(dock.player.frames.volume(5).z, z[5])
    np.testing.assert_allclose(dots[-1][0], z[-1])
    assert not states[-1].moving
    assert "frame 6 of 6" in states[-1].source
    # Frames that flit by are not states that were looked at; the one it came to rest at is.
    assert len(dock.session.history.visits) == visited + 1
    # Back to any: at once, the very volume.
    dock.player.slider.setValue(2)
    assert dock.session.volume.data is dock.player.frames.volume(2).data


@gui
def test_scrubbing_shows_the_nearest_finished_frame(open_dock, settle):
    dock = open_dock()
    frames = dock.player.frames
    dock.player.slider.setValue(1)
    settle(lambda: frames.volume(1) is not None)
    frames.stop()
    dock.player.frames._volumes = {1: frames.volume(1)}
    dock.player.slider.setValue(5)
    assert dock.player.shown == 1
    settle(lambda: dock.player.shown == 5)
    np.testing.assert_allclose(dock.session.volume.z, frames.z[5])


@gui
def test_frames_of_another_epoch_are_decoded_anew(open_dock, settle):
    dock = open_dock()
    dock.player.slider.setValue(1)
    settle(lambda: dock.player.frames.n_decoded == 6)
    before = dock.player.frames.volume(0)
    dock.session.open_run(dock.session.run.folder.path, 1)
    assert not dock.player.play_button.isEnabled() or dock.player.frames.n_decoded == 0
    settle(lambda: dock.player.frames.z is not None and not dock.session.busy)
    np.testing.assert_allclose(
        dock.player.frames.z[[0, -1]], dock.session.latent.mu[[0, 3]], atol=1e-5
    )
    dock.player.slider.setValue(2)
    settle(lambda: dock.player.frames.volume(0) is not None)
    after = dock.player.frames.volume(0)
    assert after.epoch == 1
    assert not np.array_equal(after.data, before.data)
    dock.session.set_run(None)
    assert dock.player.frames.z is None
    assert not dock.player.play_button.isEnabled()
    assert not dock.export_button.isEnabled()


@gui
def test_the_list_names_deletes_and_makes_paths(qtbot, open_dock, settle):
    dock = open_dock()
    book = dock.book
    dock.list.list.item(0).setText("Opening")
    assert book.names == ("Opening",)
    titles = [action.text() for action in dock.list.make_menu.actions()]
    assert "Along PC 1, 5 to 95 %" in titles
    dock.list.make_menu.actions()[0].trigger()
    along = dock.session.latent.components.coordinates[:, 0]
    components = dock.session.latent.components
    ends = (book.active.z - components.mean) @ components.axes[0]
    np.testing.assert_allclose(np.sort(ends), np.percentile(along, [5, 95]), rtol=1e-4)
    dock.make_tour("kmeans4")
    assert len(book.active) == 4
    assert len({path.colour for path in book.paths}) == 3
    # A name that is taken changes nothing and is told.
    dock.list.list.item(2).setText("Opening")
    assert book.names[2] == "Tour of k-means 4"
    assert "another path" in dock.notices.text()
    qtbot.mouseClick(dock.list.delete_button, LEFT)
    assert len(book.paths) == 2
    book.undo()
    assert len(book.paths) == 3


@gui
def test_the_dialog_writes_what_the_command_line_writes(qtbot, open_dock, settle, tmp_path):
    dock = open_dock()
    qtbot.mouseClick(dock.export_button, LEFT)
    dialog = dock.dialog
    assert dialog.isVisible()
    out = tmp_path / "morph.gif"
    dialog.movie.edit.setText(str(out))
    dialog.volumes.box.setChecked(True)
    dialog.volumes.edit.setText(str(tmp_path / "volumes"))
    dialog.text.box.setChecked(True)
    dialog.text.edit.setText(str(tmp_path / "z-path.txt"))
    dialog.look.layout_box.setCurrentIndex(1)
    dialog.look.width_box.setValue(96)
    dialog.look.height_box.setValue(64)
    dialog.look.orbit.setValue(90)
    qtbot.mouseClick(dialog.write_button, LEFT)
    settle(lambda: dialog.tasks.task is None)
    assert "Written" in dialog.notices.text(), dialog.notices.text()
    z = dock.player.frames.z
    frames = imageio.mimread(out)
    assert (len(frames), frames[0].shape[:2]) == (6, (64, 96))
    recipe = read_recipe(out.with_suffix(".json"))
    assert (recipe.orbit, recipe.layout, recipe.epoch) == (90, "volume", 2)
    np.testing.assert_array_equal(recipe.points, z)
    np.testing.assert_array_equal(read_z_values(tmp_path / "z-path.txt"), z)
    assert len(list((tmp_path / "volumes").glob("vol_*.mrc"))) == 6
    assert (tmp_path / "volumes" / "series.cxc").is_file()
    # What cannot be: one message, and nothing is written.
    dialog.movie.edit.setText(str(tmp_path / "nowhere" / "a.gif"))
    dialog.write()
    settle(lambda: dialog.tasks.task is None)
    assert "folder does not exist" in dialog.tasks.notices.text()
    assert not (tmp_path / "nowhere").exists()
    # Cancelled in the middle: nothing half-written.
    dialog.movie.edit.setText(str(tmp_path / "cancelled.gif"))
    dialog.volumes.edit.setText(str(tmp_path / "cancelled"))
    dialog.write()
    dialog.tasks.task.cancel()
    settle(lambda: dialog.tasks.task is None)
    assert not list(tmp_path.glob("cancelled*"))
    dialog.close()
    QApplication.processEvents()


def test_frames_that_stay_the_same_are_not_decoded_again():
    session = Session()
    store = FrameStore(session)
    z = np.arange(12, dtype=np.float32).reshape(4, 3)
    store.set_z(z)
    volume = ShownVolume(np.zeros((4, 4, 4), np.float32), 1.0, z[2], 1, "exact")
    store._take(store._generation, 2, volume)
    assert store.nearest(0) == 2
    store.set_z(np.concatenate([z[:1] - 1, z]))
    assert (store.volume(3), store.n_decoded) == (volume, 1)
    # What is still on its way belongs to the frames before.
    store._take(store._generation - 1, 0, volume)
    assert store.n_decoded == 1
    store.set_z(None)
    assert (len(store), store.n_decoded, store.nearest(0)) == (0, 0, None)


def test_centres_of_classes_are_particles_of_them(rng):
    mu = rng.normal(size=(40, 2)).astype(np.float32)
    codes = np.arange(40) % 4 - 1
    found = class_centres(mu, codes)
    assert codes[found].tolist() == [0, 1, 2]
    for code, position in enumerate(found):
        members = mu[codes == code]
        away = np.linalg.norm(members - members.mean(axis=0), axis=1)
        own = np.linalg.norm(mu[position] - members.mean(axis=0))
        assert own == pytest.approx(away.min())
