"""The Explore dock, by real mouse and key events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QInputDialog

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.io.pickles import Latents, read_latents, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets import explore_requests
from napari_cryodrgn.widgets.explore_dock import ExploreDock
from napari_cryodrgn.widgets.sessions import session_for

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[..., ExploreDock]:
    """Opens the dock on a run; pytest would keep a dock itself for too long."""

    def make(run: RunFolder = small_run) -> ExploreDock:
        dock = ExploreDock(viewer)
        viewer.window.add_dock_widget(dock, name="Explore", area="right")
        session_for(viewer).open_run(run.path)
        settle(lambda: dock.neighbours is not None and dock.nearest is not None)
        settle(lambda: dock._components() is not None)
        return dock

    return make


def run_of(path: Path, mu: np.ndarray) -> RunFolder:
    """A run of one epoch that has nothing but latents."""
    run = RunFolder(path)
    run.path.mkdir()
    write_latents(run.latents(1), Latents(mu.astype(np.float32), np.zeros(mu.shape, np.float32)))
    return run


def drag(qtbot, slider, values: list[float]) -> None:
    """Take the handle, and move it over these values."""
    y = slider.height() // 2
    places = [QPoint(round(slider.x_of(value)), y) for value in values]
    qtbot.mousePress(slider, LEFT, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(slider, place)
        qtbot.wait(2)
    qtbot.mouseRelease(slider, LEFT, pos=places[-1])


def test_a_slider_moves_one_coordinate_and_its_last_place_is_shown(qtbot, open_dock, settle):
    dock = open_dock()
    session, slider = session_for(dock.viewer), dock.panel.sliders.slider(1)
    before = session.state_now.z.copy()
    states = []
    session.state_changed.connect(states.append)
    low, high = slider.low, slider.high
    values = np.linspace(low + 0.1 * (high - low), low + 0.7 * (high - low), 40).tolist()
    drag(qtbot, slider, values)
    assert [state.moving for state in states] == [True] * (len(states) - 1) + [False]
    assert len(states) > 3
    for state in states:
        assert state.pick is None
        np.testing.assert_array_equal(state.z[[0, 2]], before[[0, 2]])
    expected = slider.value_at(round(slider.x_of(values[-1])))
    assert session.state_now.z[1] == pytest.approx(expected, rel=1e-5)
    assert dock.panel.sliders.number(1).value() == pytest.approx(expected, abs=1e-3)
    settle(lambda: session.volume and np.array_equal(session.volume.z, session.state_now.z))
    # The dock says what it is; only the settled state was a visit.
    assert dock.panel.title.text() == "Free latent point  ·  slider z1"
    assert [visit.source for visit in session.history.visits][1:] == ["slider z1"]
    np.testing.assert_allclose(
        [float(word) for word in dock.panel.point.line.text().split()], session.state_now.z
    )


def test_of_a_burst_of_moves_the_first_and_the_last_count(qtbot, open_dock, monkeypatch):
    monkeypatch.setattr(explore_requests, "APART", 1000.0)  # however slow the machine
    dock = open_dock()
    session, slider = session_for(dock.viewer), dock.panel.sliders.slider(0)
    states = []
    session.state_changed.connect(states.append)
    y = slider.height() // 2
    qtbot.mousePress(slider, LEFT, pos=QPoint(20, y))
    for x in range(21, 60):  # no turn of the event loop between them
        qtbot.mouseMove(slider, QPoint(x, y), delay=-1)
    assert len(states) == 1
    assert states[0].z[0] == pytest.approx(slider.value_at(20), rel=1e-5)
    QApplication.processEvents()
    assert len(states) == 2
    assert states[1].z[0] == pytest.approx(slider.value_at(59), rel=1e-5)
    # Let go within the turn: what waited is dropped, and nothing comes after the last.
    qtbot.mouseMove(slider, QPoint(70, y))
    qtbot.mouseRelease(slider, LEFT, pos=QPoint(80, y))
    qtbot.wait(30)
    assert [state.moving for state in states] == [True, True, False]
    assert states[-1].z[0] == pytest.approx(slider.value_at(80), rel=1e-5)


def test_sliders_follow_the_state_without_asking_for_another(qtbot, open_dock):
    dock = open_dock()
    session, sliders = session_for(dock.viewer), dock.panel.sliders
    states = []
    session.state_changed.connect(states.append)
    session.pick(5)
    session.request_z([0.5, -0.25, 99.0], source="elsewhere")
    qtbot.wait(50)
    assert len(states) == 2
    assert [sliders.slider(axis).value for axis in range(3)] == [0.5, -0.25, 99.0]
    assert [sliders.number(axis).value() for axis in range(3)] == [0.5, -0.25, 99.0]
    # Along the components the same point; one of them moved, the others stay.
    qtbot.mouseClick(dock.panel.pc_button, LEFT)
    components = session.latent.components
    along = components.axes @ (states[-1].z.astype(float) - components.mean)
    np.testing.assert_allclose([sliders.slider(axis).value for axis in range(3)], along, rtol=1e-5)
    sliders.slider(1).setFocus()
    qtbot.keyClick(sliders.slider(1), Qt.Key.Key_Right)
    assert states[-1].source == "slider PC 2"
    now = components.axes @ (states[-1].z.astype(float) - components.mean)
    step = (sliders.slider(1).high - sliders.slider(1).low) / 100
    np.testing.assert_allclose(now - along, [0, step, 0], atol=1e-4)
    assert not states[-1].moving


def test_a_number_is_typed_and_the_wheel_scrolls_past_it(qtbot, open_dock):
    dock = open_dock()
    session, number = session_for(dock.viewer), dock.panel.sliders.number(2)
    number.setFocus()
    number.selectAll()
    qtbot.keyClicks(number, "-1.25")
    assert session.state_now.pick is not None  # nothing happens before Enter
    qtbot.keyClick(number, Qt.Key.Key_Return)
    assert session.state_now.z[2] == pytest.approx(-1.25)
    other, before = dock.panel.sliders.number(0), session.state_now
    other.clearFocus()
    middle = QPointF(other.rect().center())
    wheel = QWheelEvent(
        middle,
        other.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(other, wheel)
    assert session.state_now is before


def test_a_latent_point_is_typed_pasted_or_read(qtbot, open_dock, settle, tmp_path, monkeypatch):
    dock = open_dock()
    session, field = session_for(dock.viewer), dock.panel.point
    first = session.state_now

    def enter(text: str) -> None:
        field.line.setFocus()
        field.line.selectAll()
        qtbot.keyClicks(field.line, text)
        qtbot.keyClick(field.line, Qt.Key.Key_Return)

    for text, problem in (
        ("1 2", "there are 2 numbers, and a latent point of this run has 3"),
        ("1 2 nan", "nan: this is no finite number"),
        ("1 two 3", "two: this is no number"),
        (" ", "there are 0 numbers"),
        ("1 2 1e39", "no finite number"),
    ):
        enter(text)
        assert problem in dock.panel.notices.text()
        assert session.state_now is first
    enter("[1.5, -2; 0.25]")
    assert not dock.panel.notices.text()
    assert session.state_now.z.tolist() == [1.5, -2, 0.25]
    assert session.state_now.source == "typed"
    # What is shown can be copied and typed again.
    enter(field.line.text())
    assert session.state_now.z.tolist() == [1.5, -2, 0.25]
    # Escape gives up what was begun.
    field.line.selectAll()
    qtbot.keyClicks(field.line, "7 7")
    qtbot.keyClick(field.line, Qt.Key.Key_Escape)
    assert field.line.text().split() == ["1.5", "-2", "0.25"]
    path = tmp_path / "z_values.txt"
    path.write_text("1 2 3\n4 5 6\n")
    monkeypatch.setattr(QInputDialog, "getInt", lambda *_: (2, True))
    field.read(path)
    settle(lambda: session.state_now.z.tolist() == [4, 5, 6])
    assert session.state_now.source == "z_values.txt, point 2"
    path.write_text("1 2\n")
    field.read(path)
    settle(lambda: "2 numbers where a latent point has 3" in dock.panel.notices.text())


def test_far_points_are_told_and_the_nearest_particle_is_found(qtbot, open_dock, settle):
    dock = open_dock()
    session, panel = session_for(dock.viewer), dock.panel
    assert panel.distance.text().startswith("On a particle")
    assert not panel.nearest_button.isEnabled()
    session.request_z([40.0, 40.0, 40.0])
    settle(lambda: "Far from the data" in panel.distance.text())
    assert panel.nearest_button.isEnabled()
    qtbot.mouseClick(panel.nearest_button, LEFT)
    mu = session.latent.mu
    expected = int(np.argmin(np.square(mu - 40.0).sum(axis=1)))
    assert session.state_now.pick.position == expected
    settle(lambda: panel.distance.text().startswith("On a particle"))


def test_the_mean_of_the_selection(qtbot, open_dock, settle):
    dock = open_dock()
    session, button = session_for(dock.viewer), dock.panel.mean_button
    assert not button.isEnabled()
    assert "No particles are selected" in button.toolTip()
    mask = np.zeros(len(session.latent), bool)
    mask[[3, 50, 77]] = True
    session.selections.apply(mask, "replace", "by a test")
    assert button.isEnabled()
    qtbot.mouseClick(button, LEFT)
    settle(lambda: session.state_now.source == "mean of 3 selected")
    np.testing.assert_allclose(session.state_now.z, session.latent.mu[mask].mean(axis=0), rtol=1e-5)
    session.selections.clear()
    assert not button.isEnabled()


def test_back_and_forward_by_buttons_keys_and_list(qtbot, open_dock, viewer, settle):
    dock = open_dock()
    session, buttons = session_for(dock.viewer), dock.panel.history
    start = session.state_now.pick.position
    assert not buttons.back_button.isEnabled()
    session.pick(7)
    session.request_z([1.0, 2.0, 3.0], source="typed")
    qtbot.mouseClick(buttons.back_button, LEFT)
    assert session.state_now.pick.position == 7
    assert session.state_now.source == "back"
    viewer.window.activate()
    dock.panel.sliders.slider(0).setFocus()
    settle(dock.panel.sliders.slider(0).hasFocus)
    qtbot.keyClick(dock.panel.sliders.slider(0), Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert session.state_now.pick.position == start
    assert not buttons.back_button.isEnabled()
    qtbot.keyClick(dock.panel.sliders.slider(0), Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    qtbot.mouseClick(buttons.forward_button, LEFT)
    assert session.state_now.z.tolist() == [1, 2, 3]
    assert not buttons.forward_button.isEnabled()
    buttons.fill()
    actions = buttons.menu.actions()
    assert [action.isChecked() for action in actions] == [True, False, False]
    assert actions[0].text() == "z (1.00, 2.00, 3.00)  ·  typed"
    actions[-1].trigger()
    assert session.state_now.pick.position == start
    assert len(session.history.visits) == 3


def test_a_random_walk_shows_what_it_asks_for_and_ends_at_once(qtbot, open_dock, settle):
    dock = open_dock()
    session, button = session_for(dock.viewer), dock.panel.walk_button
    asked, shown = [], []
    session.state_changed.connect(asked.append)
    session.volume_changed.connect(shown.append)
    qtbot.mouseClick(button, LEFT)
    assert button.text() == "Stop walking"
    settle(lambda: len(asked) >= 5)
    qtbot.mouseClick(button, LEFT)
    assert not dock.walker.running
    last = session.state_now
    assert (last.source, last.moving) == ("random walk", False)
    assert all(state.moving for state in asked[:-1])
    # None was asked for before the one before it was on the screen.
    seen = {volume.z.tobytes() for volume in shown}
    assert all(state.z.tobytes() in seen for state in asked[:-2])
    settle(lambda: np.array_equal(session.volume.z, last.z))
    n = len(asked)
    qtbot.wait(200)
    assert len(asked) == n
    # A state chosen by hand ends it, and is not left again.
    qtbot.mouseClick(button, LEFT)
    settle(lambda: len(asked) > n + 1)
    session.pick(3)
    qtbot.wait(200)
    assert session.state_now.pick.position == 3
    assert button.text() == "Random walk"


def test_another_epoch_renews_everything(open_dock, settle, small_run):
    dock = open_dock()
    session = session_for(dock.viewer)
    session.pick(9)
    before = dock.neighbours
    mu = read_latents(small_run.latents(2)).mu
    write_latents(small_run.latents(3), Latents(-mu, np.zeros_like(mu)))
    components = dock._components()
    session.open_run(small_run.path, 3)
    settle(lambda: dock.neighbours is not None and dock.neighbours is not before)
    settle(lambda: dock._components() is not components)
    assert session.state_now.pick.position == 9
    values = [dock.panel.sliders.slider(axis).value for axis in range(3)]
    np.testing.assert_allclose(values, -mu[9])
    # The components keep their direction though their signs are arbitrary.
    for axis in range(3):
        old, new = components.coordinates[:, axis], dock._components().coordinates[:, axis]
        assert np.corrcoef(old, new)[0, 1] > 0.99


@pytest.mark.parametrize("zdim", [1, 40])
def test_any_number_of_dimensions(qtbot, open_dock, tmp_path, rng, zdim):
    dock = open_dock(run_of(tmp_path / "latents", rng.normal(size=(60, zdim))))
    sliders = dock.panel.sliders
    assert sliders.names == [f"z{axis}" for axis in range(zdim)]
    qtbot.mouseClick(dock.panel.pc_button, LEFT)
    assert sliders.names == [f"PC {axis + 1}" for axis in range(zdim)]
    assert sliders.slider(0).width() > 100
    assert sliders.verticalScrollBar().maximum() > 0 or zdim == 1
    # Without weights only particles can be shown, and the dock says so.
    assert not sliders.isEnabled()
    assert "no weights" in dock.panel.walk_button.toolTip()


def test_without_anything_to_explore_the_dock_says_why(viewer, settle, tmp_path):
    dock = ExploreDock(viewer)
    viewer.window.add_dock_widget(dock, name="Explore")
    settle(dock.panel.empty.isVisible)
    assert "Nothing to explore yet" in dock.panel.empty._title.text()
    run = RunFolder(tmp_path / "one")
    run.path.mkdir()
    write_run_config(run.config, RunConfig(kind="vae", box=16, model=ModelConfig(zdim=0)))
    (run.path / "weights.1.pkl").write_bytes(b"")
    session_for(viewer).open_run(run.path)
    assert "no latent space" in dock.panel.empty._title.text()
