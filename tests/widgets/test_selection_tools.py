"""The tools that select, by real mouse and key events, against brute force on all particles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.selection_brush import stroke_outline

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
NONE = Qt.KeyboardModifier.NoModifier
KEYS = {"replace": NONE, "add": SHIFT, "subtract": ALT, "intersect": SHIFT | ALT}
COMBINED = {
    "replace": lambda before, inside: inside,
    "add": lambda before, inside: before | inside,
    "subtract": lambda before, inside: before & ~inside,
    "intersect": lambda before, inside: before & inside,
}
HEART = [(0.2, 0.2), (0.8, 0.25), (0.3, 0.7), (0.75, 0.8), (0.55, 0.1), (0.3, 0.45)]
"""Corners of a shape that crosses itself, in parts of the canvas."""


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[], LatentDock]:
    """Opens the dock with the small run; pytest would keep a dock itself for too long."""

    def make() -> LatentDock:
        dock = LatentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Latent space", area="right")
        dock.open_run(small_run.path)
        settle(lambda: dock.plot.scatter is not None and dock.session.volume is not None)
        QApplication.processEvents()
        return dock

    return make


def pixels(dock: LatentDock, shares: Sequence[tuple[float, float]]) -> list[QPoint]:
    native = dock.plot.canvas.native
    return [QPoint(round(x * native.width()), round(y * native.height())) for x, y in shares]


def places(dock: LatentDock, where: Sequence[QPoint]) -> np.ndarray:
    return np.array([dock.plot.canvas.place_at((point.x(), point.y())) for point in where])


def drag(qtbot, dock: LatentDock, where: Sequence[QPoint], keys) -> None:
    native = dock.plot.canvas.native
    qtbot.mousePress(native, LEFT, keys, where[0])
    for point in where[1:]:
        qtbot.mouseMove(native, point)
    qtbot.mouseRelease(native, LEFT, keys, where[-1])


def within_polygon(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Even-odd, one point and one edge after the other."""
    inside = []
    for y, x in points:
        odd = False
        for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                odd = not odd
        inside.append(odd)
    return np.array(inside)


def within_stroke(points: np.ndarray, stroke: np.ndarray, radius: float) -> np.ndarray:
    """Distance from many places along the stroke."""
    fine = np.concatenate([np.linspace(a, b, 400) for a, b in pairwise(stroke)])
    return np.linalg.norm(points[:, None] - fine[None], axis=2).min(axis=1) <= radius


def draw(qtbot, dock: LatentDock, tool: str, keys) -> np.ndarray:
    """Draw a shape with a tool by the mouse; which particles lie inside, by brute force."""
    points = dock.plot.points.astype(float)
    if tool == "lasso":
        where = pixels(dock, HEART)
        drag(qtbot, dock, where, keys)
        return within_polygon(points, places(dock, where))
    if tool == "polygon":
        where = pixels(dock, HEART)
        for number, point in enumerate(where):
            qtbot.mouseClick(dock.plot.canvas.native, LEFT, keys if number == 0 else NONE, point)
        qtbot.keyClick(dock.plot.canvas.native, Qt.Key.Key_Return)
        return within_polygon(points, places(dock, where))
    if tool == "rectangle":
        where = pixels(dock, [(0.3, 0.7), (0.8, 0.2)])
        drag(qtbot, dock, where, keys)
        low, high = np.sort(places(dock, where), axis=0)
        return ((points >= low) & (points <= high)).all(axis=1)
    where = pixels(dock, [(0.2, 0.6), (0.5, 0.3), (0.7, 0.6)])
    drag(qtbot, dock, where, keys)
    radius = dock.tools.tools["brush"].radius / dock.plot.canvas.model.scene.camera.zoom
    return within_stroke(points, places(dock, where), radius)


def test_each_tool_with_each_key_selects_what_brute_force_finds(qtbot, open_dock, settle):
    dock = open_dock()
    book, native = dock.session.selections, dock.plot.canvas.native
    before = np.random.default_rng(0).random(len(book.mask)) < 0.5
    for letter, tool in zip("LPRB", ("lasso", "polygon", "rectangle", "brush"), strict=True):
        native.setFocus()
        qtbot.keyClick(native, letter)
        assert dock.tools.active.name == tool
        assert dock.tools.buttons[tool].isChecked()
        for how, keys in KEYS.items():
            book.apply(before, "replace", "before")
            inside = draw(qtbot, dock, tool, keys)
            assert 3 < inside.sum() < len(inside) - 3
            settle(lambda: not dock.tools.active.busy)
            expected = COMBINED[how](before, inside)
            np.testing.assert_array_equal(book.mask, expected, err_msg=f"{tool} {how}")
            # And it is drawn.
            settle(
                lambda: any(np.array_equal(m, book.mask) for m, _ in dock.plot.picture.choice.masks)
            )
        dock.window().activateWindow()
        settle(native.hasFocus)
        qtbot.keyClick(native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        np.testing.assert_array_equal(book.mask, before)


def test_slips_and_shapes_without_particles_change_nothing(qtbot, open_dock, settle):
    dock = open_dock()
    book, native = dock.session.selections, dock.plot.canvas.native
    before = np.arange(len(book.mask)) % 3 == 0
    book.apply(before, "replace", "before")
    said: list[str] = []
    dock.session.message.connect(lambda notice: said.append(notice.text))
    dock.tools.choose("lasso")
    # A click alone is none; it picks.
    position = int(dock.plot.points[:, 1].argmax())
    spot = dock.plot.points[position]
    camera = dock.plot.canvas.model.scene.camera
    y, x = spot - np.asarray(camera.center)[-2:]
    at = QPoint(
        round(native.width() / 2 + x * camera.zoom), round(native.height() / 2 - y * camera.zoom)
    )
    qtbot.mouseClick(native, LEFT, NONE, at)
    assert dock.session.pick_now.position == position
    # Round nothing.
    drag(qtbot, dock, [QPoint(1, 1), QPoint(9, 1), QPoint(9, 9)], NONE)
    settle(lambda: not dock.tools.active.busy)
    assert said == ["No particle lies inside the lasso: nothing is changed."]
    # Given up.
    qtbot.mousePress(native, LEFT, NONE, pixels(dock, HEART)[0])
    for point in pixels(dock, HEART)[1:]:
        qtbot.mouseMove(native, point)
    assert dock.plot.canvas.overlay.outline is not None
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    assert dock.plot.canvas.overlay.outline is None
    qtbot.mouseRelease(native, LEFT, NONE, pixels(dock, HEART)[-1])
    # A corner taken back, and a polygon of two.
    dock.tools.choose("polygon")
    for point in pixels(dock, HEART)[:3]:
        qtbot.mouseClick(native, LEFT, NONE, point)
    qtbot.keyClick(native, Qt.Key.Key_Backspace)
    qtbot.keyClick(native, Qt.Key.Key_Return)
    settle(lambda: not dock.tools.active.busy)
    np.testing.assert_array_equal(book.mask, before)
    assert book.undo_text == "before"


def test_the_brush_shows_its_circle_and_keys_change_it(qtbot, settle, open_dock):
    dock = open_dock()
    native, tool = dock.plot.canvas.native, dock.tools.tools["brush"]
    dock.tools.choose("brush")
    native.setFocus()
    where = pixels(dock, [(0.5, 0.5)])[0]
    zoom = dock.plot.canvas.model.scene.camera.zoom

    def moved() -> bool:
        # Again, where another window has come between meanwhile and taken the mouse away.
        for place in (where + QPoint(2, 0), where):
            qtbot.mouseMove(native, place)
            qtbot.wait(60)
        return dock.plot.canvas.overlay.outline is not None

    def hover() -> np.ndarray:
        settle(moved)
        return dock.plot.canvas.overlay.outline

    before = tool.radius
    outline = hover()
    assert np.ptp(outline[:, 0]) * zoom == pytest.approx(2 * before, rel=0.01)
    qtbot.keyClick(native, "]")
    assert tool.radius > before
    outline = dock.plot.canvas.overlay.outline
    assert np.ptp(outline[:, 0]) * zoom == pytest.approx(2 * tool.radius, rel=0.01)
    qtbot.keyClick(native, "[")
    assert tool.radius == pytest.approx(before)


def test_a_legend_entry_selects_its_class_and_clicks_mark_good_and_bad(qtbot, open_dock, settle):
    dock = open_dock()
    book, plot = dock.session.selections, dock.plot
    labels = dock.session.latent.columns["kmeans4"].to_numpy()
    plot.legend_clicked.emit("2", frozenset())
    np.testing.assert_array_equal(book.mask, labels == 2)
    plot.legend_clicked.emit("1", frozenset({"Shift"}))
    np.testing.assert_array_equal(book.mask, np.isin(labels, [1, 2]))
    # Marks.
    plot.canvas.native.setFocus()
    qtbot.keyClick(plot.canvas.native, "G")
    extremes = [int(plot.points[:, 1].argmax()), int(plot.points[:, 1].argmin())]
    for position, keys in zip(extremes, (NONE, ALT), strict=True):
        camera = plot.canvas.model.scene.camera
        y, x = plot.points[position] - np.asarray(camera.center)[-2:]
        native = plot.canvas.native
        at = QPoint(
            round(native.width() / 2 + x * camera.zoom),
            round(native.height() / 2 - y * camera.zoom),
        )
        qtbot.mouseClick(native, LEFT, keys, at)
    assert np.flatnonzero(book.marks.good).tolist() == extremes[:1]
    assert np.flatnonzero(book.marks.bad).tolist() == extremes[1:]
    book.undo()
    assert not book.marks.bad.any()
    assert np.flatnonzero(book.marks.good).tolist() == extremes[:1]


def test_a_stroke_is_outlined_all_round():
    stroke = np.array([[0.0, 0.0], [0.0, 10.0], [0.0, 10.0], [5.0, 10.0]])
    outline = stroke_outline(stroke, 2.0)
    away = np.linalg.norm(
        outline[:, None]
        - np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(stroke)])[None],
        axis=2,
    ).min(axis=1)
    assert away.max() < 2.01
    assert outline.min(axis=0) == pytest.approx([-2, -2], abs=0.03)
    circle = stroke_outline(stroke[:1], 2.0)
    np.testing.assert_allclose(np.linalg.norm(circle, axis=1), 2.0)
