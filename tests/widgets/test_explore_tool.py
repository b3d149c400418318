"""Click, drag, nudge and preview in the latent plot, by real mouse and key events."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.session_records import State
from napari_cryodrgn.widgets.explore_tool import ExploreTool
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.sessions import session_for

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[str], LatentDock]:
    """Opens the latent space with a view, the explore tool chosen."""

    def make(view: str) -> LatentDock:
        dock = LatentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Latent space", area="right")
        dock.open_run(small_run.path)
        settle(lambda: dock.plot.scatter is not None)
        if view != "UMAP":
            dock.plot.choose_view(view)
            names = {"z": ("z0", "z1"), "PCA": ("PC1", "PC2")}[view]
            settle(lambda: dock.plot.axes.names == names)
        settle(lambda: session_for(viewer).volume is not None)
        assert isinstance(dock.tools.active, ExploreTool)
        QApplication.processEvents()
        return dock

    return make


def heard(dock: LatentDock) -> list[State]:
    """All states from now on."""
    states: list[State] = []
    session_for(dock.viewer).state_changed.connect(states.append)
    return states


def pixel(dock: LatentDock, place: np.ndarray) -> QPoint:
    """Where a place (y, x) of the plot is on the canvas."""
    canvas = dock.plot.canvas
    low, high = canvas.region()
    y, x = (np.asarray(place, float) - low) / (high - low)
    return QPoint(round(x * canvas.native.width()), round((1 - y) * canvas.native.height()))


def drag(qtbot, dock: LatentDock, path: list[QPoint], *, release: bool = True) -> None:
    native = dock.plot.canvas.native
    qtbot.mousePress(native, LEFT, pos=path[0])
    for place in path[1:]:
        qtbot.mouseMove(native, place)
        qtbot.wait(3)
    if release:
        qtbot.mouseRelease(native, LEFT, pos=path[-1])


def line(start: QPoint, end: QPoint, n: int = 25) -> list[QPoint]:
    steps = np.linspace(0, 1, n)
    places = np.outer(1 - steps, start.toTuple()) + np.outer(steps, end.toTuple())
    return [QPoint(*place) for place in places.round().astype(int).tolist()]


def test_over_free_axes_the_state_goes_wherever_the_mouse_is(qtbot, open_dock, settle):
    dock = open_dock("z")
    drags_freely(qtbot, dock, settle, "z")
    nudges_freely(qtbot, dock, settle)
    goes_back_on_escape(qtbot, dock)
    dock.plot.choose_view("PCA")
    settle(lambda: dock.plot.axes.names == ("PC1", "PC2"))
    drags_freely(qtbot, dock, settle, "PCA")


def test_over_a_umap_the_state_is_always_a_particle(qtbot, open_dock, settle):
    dock = open_dock("UMAP")
    slides_over_particles(qtbot, dock, settle)
    clicks(qtbot, dock)
    nudges_to_particles(qtbot, dock, settle)
    previews(qtbot, dock, settle)
    side_buttons_go_back(qtbot, dock)


def drags_freely(qtbot, dock, settle, view: str) -> None:
    session, plot = session_for(dock.viewer), dock.plot
    before = session.state_now.z.copy()
    states = heard(dock)
    size = plot.canvas.native.size()
    start = pixel(dock, plot.points[session.state_now.pick.position])
    end = QPoint(size.width() // 3, size.height() // 4)
    drag(qtbot, dock, line(start, end))
    assert [state.moving for state in states] == [True] * (len(states) - 1) + [False]
    assert len(states) > 3
    last = states[-1]
    assert last.pick is None
    assert last.source == {"z": "drag in z0, z1", "PCA": "drag in PC 1, PC 2"}[view]
    # It is where the mouse was let go, and what the axes do not show has not changed.
    np.testing.assert_allclose(
        plot.axes.from_z(last.z), plot.canvas.place_at(end.toTuple()), atol=1e-4
    )
    components = session.latent.components
    if view == "z":
        np.testing.assert_array_equal(last.z[2:], before[2:])
    else:
        change = components.axes @ (last.z.astype(float) - before)
        np.testing.assert_allclose(change[2:], 0, atol=1e-4)
    settle(lambda: np.array_equal(session.volume.z, last.z))
    assert session.history.visits[-1].source == last.source
    np.testing.assert_allclose(
        plot.canvas.overlay.marks["state"].place, plot.axes.from_z(last.z), atol=1e-5
    )


def slides_over_particles(qtbot, dock, settle) -> None:
    session, plot = session_for(dock.viewer), dock.plot
    states = heard(dock)
    order = np.argsort(plot.points[:, 1])
    first, last = int(order[3]), int(order[-3])
    drag(qtbot, dock, line(pixel(dock, plot.points[first]), pixel(dock, plot.points[last]), 40))
    assert all(state.pick is not None for state in states)
    assert all(state.source == "drag in UMAP: nearest particle" for state in states)
    moved = [state.pick.position for state in states if state.moving]
    assert len(moved) > 3
    assert all(a != b for a, b in pairwise(moved))  # each particle once
    end = plot.canvas.place_at(pixel(dock, plot.points[last]).toTuple())
    assert states[-1].pick.position == plot.nearest(end)
    assert not states[-1].moving
    settle(lambda: np.array_equal(session.volume.z, states[-1].z))


def clicks(qtbot, dock) -> None:
    """A click picks the nearest particle, wherever it is."""
    session, plot = session_for(dock.viewer), dock.plot
    states = heard(dock)
    for where in (pixel(dock, plot.points[17]), QPoint(4, 4)):
        qtbot.mouseClick(plot.canvas.native, LEFT, pos=where)
        expected = plot.nearest(plot.canvas.place_at(where.toTuple()))
        assert session.state_now.pick.position == expected
    assert [(state.source, state.moving) for state in states] == [("click", False)] * 2


def goes_back_on_escape(qtbot, dock) -> None:
    session, plot = session_for(dock.viewer), dock.plot
    session.pick(11)
    start = pixel(dock, plot.points[11])
    drag(qtbot, dock, line(start, start + QPoint(60, 30)), release=False)
    assert session.state_now.moving
    assert session.state_now.pick is None
    plot.canvas.native.setFocus()
    qtbot.keyClick(plot.canvas.native, Qt.Key.Key_Escape)
    assert session.state_now.pick.position == 11
    assert not session.state_now.moving
    visits = len(session.history.visits)
    # The button is still down; what the mouse does until it is let go changes nothing.
    qtbot.mouseMove(plot.canvas.native, start + QPoint(90, 30))
    qtbot.mouseRelease(plot.canvas.native, LEFT, pos=start + QPoint(90, 30))
    qtbot.wait(20)
    assert session.state_now.pick.position == 11
    assert len(session.history.visits) == visits


def nudges_freely(qtbot, dock, settle) -> None:
    session, plot = session_for(dock.viewer), dock.plot
    native = plot.canvas.native
    before = session.state_now.z.copy()
    states = heard(dock)
    native.setFocus()
    unit = plot.canvas.radius() / 14
    qtbot.keyClick(native, Qt.Key.Key_Right)
    np.testing.assert_allclose(states[-1].z - before, [6 * unit, 0, 0], atol=1e-5)
    qtbot.keyClick(native, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_allclose(states[-1].z - before, [6 * unit, 40 * unit, 0], atol=1e-5)
    assert all(state.moving for state in states)
    # Some time after the last key it is settled: one visit, not one a key.
    visits = len(session.history.visits)
    settle(lambda: not session.state_now.moving)
    np.testing.assert_array_equal(states[-1].z, states[-2].z)
    assert len(session.history.visits) == visits + 1
    # Alt and an arrow: back to where one was.
    qtbot.keyClick(native, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    np.testing.assert_array_equal(session.state_now.z, before)


def nudges_to_particles(qtbot, dock, settle) -> None:
    """Arrow keys go to the particle in that direction."""
    session, plot = session_for(dock.viewer), dock.plot
    native = plot.canvas.native
    cluster = plot.points[1::4]  # particles on all sides of its middle
    start = int(plot.nearest(cluster.mean(axis=0)))
    native.setFocus()
    for key, axis, sign in (
        (Qt.Key.Key_Right, 1, 1),
        (Qt.Key.Key_Left, 1, -1),
        (Qt.Key.Key_Up, 0, 1),
        (Qt.Key.Key_Down, 0, -1),
    ):
        session.pick(start)
        qtbot.keyClick(native, key)
        moved = plot.points[session.state_now.pick.position] - plot.points[start]
        assert sign * moved[axis] > 0
        assert session.state_now.source == "nudged in UMAP: nearest particle"
    # At the end of the data there is nowhere to go.
    settle(lambda: not session.state_now.moving)
    session.pick(int(plot.points[:, 1].argmax()))
    state = session.state_now
    qtbot.keyClick(native, Qt.Key.Key_Right)
    assert session.state_now is state


def previews(qtbot, dock, settle) -> None:
    """What is under the mouse is shown where that is switched on, and goes again."""
    session, plot = session_for(dock.viewer), dock.plot
    native = plot.canvas.native
    session.pick(0)
    where = pixel(dock, plot.points[50])
    qtbot.mouseMove(native, where)
    qtbot.wait(120)
    assert session.state_now.pick.position == 0  # not switched on
    session.explore.set_preview(True)

    def previewed() -> bool:
        # Again and again: the real pointer rests somewhere too, and may be heard of.
        qtbot.mouseMove(native, where + QPoint(1, 0))
        qtbot.wait(60)
        qtbot.mouseMove(native, where)
        qtbot.wait(60)
        return session.state_now.source == "preview"

    settle(previewed)
    assert session.state_now.moving
    assert session.state_now.pick.position == plot.nearest(plot.canvas.place_at(where.toTuple()))
    visits = len(session.history.visits)
    QApplication.sendEvent(native, QEvent(QEvent.Type.Leave))
    qtbot.wait(20)
    assert session.state_now.pick.position == 0
    assert not session.state_now.moving
    assert len(session.history.visits) == visits


def side_buttons_go_back(qtbot, dock) -> None:
    session, native = session_for(dock.viewer), dock.plot.canvas.native
    session.pick(4)
    session.pick(8)
    middle = QPointF(native.rect().center())
    for button, expected in (
        (Qt.MouseButton.BackButton, 4),
        (Qt.MouseButton.ForwardButton, 8),
        (Qt.MouseButton.ForwardButton, 8),
    ):
        press = QMouseEvent(
            QEvent.Type.MouseButtonPress,
            middle,
            native.mapToGlobal(middle),
            button,
            button,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(native, press)
        assert session.state_now.pick.position == expected


def test_without_weights_a_drag_over_free_axes_slides_over_particles(
    qtbot, viewer, settle, small_run
):
    small_run.weights(2).unlink()
    dock = LatentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Latent space", area="right")
    dock.open_run(small_run.path)
    settle(lambda: dock.plot.scatter is not None)
    dock.plot.choose_view("z")
    settle(lambda: dock.plot.axes.names == ("z0", "z1"))
    states = heard(dock)
    drag(qtbot, dock, line(pixel(dock, dock.plot.points[3]), pixel(dock, dock.plot.points[90])))
    assert states
    assert all(state.pick is not None for state in states)
    assert states[-1].source == "drag in z0, z1: nearest particle"
