"""Paths drawn, moved and deleted in the latent plot by real mouse and key events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.latent.path import waypoint
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.path_desk import path_desk
from napari_cryodrgn.widgets.path_on_plot import stretches
from napari_cryodrgn.widgets.path_trail import MOST_CORNERS, distance_to_line, simplified

gui = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def open_dock(viewer, settle, small_run) -> Callable[[], LatentDock]:
    """Opens the dock with the small run, the path tool chosen by its key."""

    def make() -> LatentDock:
        dock = LatentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Latent space", area="right")
        dock.open_run(small_run.path)
        settle(lambda: dock.plot.scatter is not None and dock.session.volume is not None)
        dock.tools.choose("path")
        QApplication.processEvents()
        return dock

    return make


def spot(dock: LatentDock, x: float, y: float) -> QPoint:
    native = dock.plot.canvas.native
    return QPoint(round(x * native.width()), round(y * native.height()))


def place(dock: LatentDock, point: QPoint) -> np.ndarray:
    return dock.plot.canvas.place_at((point.x(), point.y()))


def click(qtbot, dock: LatentDock, point: QPoint, keys=NONE) -> None:
    qtbot.mouseClick(dock.plot.canvas.native, LEFT, keys, point)


def drag(qtbot, dock: LatentDock, where: Sequence[QPoint], keys=NONE) -> None:
    native = dock.plot.canvas.native
    qtbot.mousePress(native, LEFT, keys, where[0])
    for point in where[1:]:
        qtbot.mouseMove(native, point)
    qtbot.mouseRelease(native, LEFT, keys, where[-1])


@gui
def test_waypoints_of_a_umap_are_the_particles_nearest_to_the_mouse(qtbot, open_dock, settle):
    dock = open_dock()
    book, native = dock.session.paths, dock.plot.canvas.native
    native.setFocus()
    dock.tools.choose("explore")
    qtbot.keyClick(native, "d")
    assert dock.tools.active.name == "path"
    spots = [spot(dock, 0.2, 0.8), spot(dock, 0.5, 0.5), spot(dock, 0.85, 0.15)]
    points = dock.plot.points.astype(float)
    expected = []
    for point in spots:
        click(qtbot, dock, point)
        expected.append(int(np.linalg.norm(points - place(dock, point), axis=1).argmin()))
    path = book.active
    assert book.positions(path) == expected
    np.testing.assert_allclose(path.z, dock.session.latent.mu[expected])
    # They are marked where these lie, and the route goes through them.
    marks, lines = dock.plot.canvas.overlay.marks, dock.plot.canvas.overlay.lines
    for number, position in enumerate(expected):
        np.testing.assert_allclose(marks[f"path Path 1 waypoint {number}"].place, points[position])
    settle(lambda: path_desk(dock.session).route_of(path) is not None)
    drawn = [line for name, line in lines.items() if name.startswith("path Path 1")]
    assert drawn
    assert {line.colour for line in drawn} == {path.colour}
    np.testing.assert_allclose(drawn[0].points[0], points[expected[0]])
    # Enter ends it: the next click begins another path.
    qtbot.keyClick(native, Qt.Key.Key_Return)
    click(qtbot, dock, spots[1])
    assert book.names == ("Path 1", "Path 2")
    assert (len(book.get("Path 1")), len(book.active)) == (3, 1)


@gui
def test_a_path_of_particles_is_drawn_with_three_columns_too(qtbot, open_dock, settle):
    dock = open_dock()
    plot, book = dock.plot, dock.session.paths
    positions = [3, 40, 77]
    book.add(waypoints=tuple(book.waypoint_of_particle(position) for position in positions))
    columns = ("UMAP1", "UMAP2", "z0")
    plot.choices.restore("Columns", columns, None, plot.choices.colormap, None)
    settle(lambda: plot.axes is not None and plot.axes.names == columns)
    settle(lambda: path_desk(dock.session).route_of(book.active) is not None)
    overlay = plot.canvas.overlay
    for number, position in enumerate(positions):
        expected = plot.scatter.points[position]
        assert expected.shape == (3,)
        np.testing.assert_allclose(overlay.marks[f"path Path 1 waypoint {number}"].place, expected)
    drawn = [line for name, line in overlay.lines.items() if name.startswith("path Path 1")]
    np.testing.assert_allclose(drawn[0].points[0], plot.scatter.points[positions[0]])


@gui
def test_waypoints_are_free_in_z_and_moved_inserted_and_deleted(qtbot, open_dock, settle):
    dock = open_dock()
    book, native = dock.session.paths, dock.plot.canvas.native
    dock.plot.choose_view("z")
    settle(lambda: dock.plot.axes is not None and dock.plot.axes.kind == "z")
    QApplication.processEvents()
    spots = [spot(dock, 0.2, 0.3), spot(dock, 0.5, 0.7), spot(dock, 0.8, 0.3)]
    base = dock.session.state_now.z
    for point in spots:
        click(qtbot, dock, point)
    path = book.active
    assert all(one.row is None for one in path.waypoints)
    for one, point in zip(path.waypoints, spots, strict=True):
        np.testing.assert_allclose(one.z[:2], place(dock, point)[::-1], rtol=1e-5)
        assert one.z[2] == pytest.approx(base[2])
    settle(lambda: path_desk(dock.session).route_of(book.active) is not None)
    # Moved.
    to = spot(dock, 0.6, 0.85)
    drag(qtbot, dock, [spots[1], spot(dock, 0.55, 0.8), to])
    np.testing.assert_allclose(book.active.z[1, :2], place(dock, to)[::-1], rtol=1e-5)
    assert len(book.active) == 3
    # Escape in the middle leaves it.
    before = book.active
    qtbot.mousePress(native, LEFT, NONE, to)
    qtbot.mouseMove(native, spots[1])
    qtbot.keyClick(native, Qt.Key.Key_Escape)
    qtbot.mouseRelease(native, LEFT, NONE, spots[1])
    assert book.active == before
    # Inserted between the second and the third, on the line.
    settle(lambda: path_desk(dock.session).route_of(book.active) is not None)
    half = (to + spots[2]) / 2
    click(qtbot, dock, half, SHIFT)
    assert len(book.active) == 4
    np.testing.assert_allclose(book.active.z[2, :2], place(dock, half)[::-1], rtol=1e-5)
    # Deleted: this one with Alt, the last one with Backspace; beside them nothing.
    click(qtbot, dock, half, ALT)
    assert book.active.waypoints == before.waypoints
    click(qtbot, dock, spot(dock, 0.05, 0.05), ALT)
    assert book.active.waypoints == before.waypoints
    qtbot.keyClick(native, Qt.Key.Key_Backspace)
    assert book.active.waypoints == before.waypoints[:2]
    # A double click ends it, with a waypoint where it was.
    end = spot(dock, 0.3, 0.9)
    click(qtbot, dock, end)
    qtbot.mouseDClick(native, LEFT, NONE, end)
    assert path_desk(dock.session).extending is None
    assert len(book.active) == 3


@gui
def test_a_line_drawn_freehand_becomes_a_few_waypoints_on_it(qtbot, open_dock, settle):
    dock = open_dock()
    dock.plot.choose_view("PCA")
    settle(lambda: dock.plot.axes is not None and dock.plot.axes.kind == "pca")
    QApplication.processEvents()
    trail = [spot(dock, 0.15 + 0.7 * t, 0.5 + 0.25 * np.sin(6 * t)) for t in np.linspace(0, 1, 40)]
    drag(qtbot, dock, trail)
    path = dock.session.paths.active
    assert 3 <= len(path) <= MOST_CORNERS
    drawn = np.array([place(dock, point) for point in trail])
    where = np.array([dock.plot.axes.from_z(np.array(one.z)) for one in path.waypoints])
    np.testing.assert_allclose(where[[0, -1]], drawn[[0, -1]], rtol=1e-4, atol=1e-4)
    radius = dock.plot.canvas.radius()
    for each in where:
        assert np.linalg.norm(drawn - each, axis=1).min() < 1e-3
    away = [
        min(distance_to_line(each[None], a, b)[0] for a, b in itertools.pairwise(where))
        for each in drawn
    ]
    assert max(away) <= radius


def test_a_simplified_line_keeps_within_its_tolerance_and_its_ends():
    t = np.linspace(0, 1, 300)
    trail = np.column_stack([t, 0.2 * np.sin(9 * t)])
    found = simplified(trail, 0.02)
    np.testing.assert_array_equal(found[[0, -1]], trail[[0, -1]])
    assert len(found) < 15
    pairs = list(itertools.pairwise(found))
    away = np.min([distance_to_line(trail, a, b) for a, b in pairs], axis=0)
    assert away.max() <= 0.02
    assert len(simplified(trail, 1e-9, most=5)) <= 5
    straight = np.column_stack([t, 2 * t])
    assert len(simplified(straight, 1e-6)) == 2


def test_a_line_falls_into_near_and_far_stretches_that_meet():
    places = np.column_stack([np.arange(7.0), np.zeros(7)])
    far = np.array([0, 0, 1, 1, 0, 0, 0], dtype=bool)
    found = stretches(places, far)
    assert [is_far for _, is_far in found] == [False, True, False]
    assert [piece[[0, -1], 0].tolist() for piece, _ in found] == [[0, 1], [1, 4], [4, 6]]
    places[3] = np.nan
    assert np.isfinite(np.concatenate([piece for piece, _ in stretches(places, far)])).all()
    assert stretches(places[:1], far[:1]) == []


def test_a_path_without_a_way_says_so_and_offers_a_larger_graph(rng):
    from napari_cryodrgn.latent.path import LatentPath
    from napari_cryodrgn.latent.path_field import LatentField
    from napari_cryodrgn.progress import run_to_end
    from napari_cryodrgn.widgets.path_desk import measured

    mu = np.concatenate([rng.normal(size=(30, 2)), 20 + rng.normal(size=(30, 2))])
    field = LatentField(mu.astype(np.float32))
    ends = (waypoint(field.mu[0]), waypoint(field.mu[40]))
    path = LatentPath(name="a", waypoints=ends, route="graph", max_neighbors=5)
    found = run_to_end(measured(path, field))
    assert found.routed is None
    assert "no way" in found.problem
    most, average = found.offered
    wider = path.model_copy(update={"max_neighbors": most, "avg_neighbors": average})
    found = run_to_end(measured(wider, field))
    assert found.problem == ""
    assert found.routed.positions[[0, -1]].tolist() == [0, 40]
    same = LatentPath(name="b", waypoints=(ends[0], ends[0]))
    assert "identical" in run_to_end(measured(same, field)).problem
