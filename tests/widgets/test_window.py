"""The window as a whole: all docks together, opened once, and ended in an orderly way."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from weakref import ref

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication, QOpenGLContext
from qtpy.QtWidgets import QApplication, QDockWidget
from vispy.gloo.glir import GlirProgram

from napari_cryodrgn.progress import Progress
from napari_cryodrgn.widgets.docks import (
    LATENT,
    TABS,
    VOLUME,
    find_dock,
    frame_of,
    open_all,
    open_dock,
)
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.tasks import start_task
from napari_cryodrgn.widgets.window import fitting_size, open_in

pytestmark = pytest.mark.gui
SMALL_SCREEN = 768 - 32
"""Pixels of a common laptop's height without the window's title."""


def endless(state: dict[str, bool]):
    try:
        while True:
            yield Progress(0)
    finally:
        state["tidied"] = True


def test_opening_a_run_folder_shows_latents_and_a_volume_in_docks_opened_once(
    viewer, settle, small_run, qtbot
):
    docks = open_all(viewer)
    assert list(docks) == [LATENT, *TABS]
    assert len({dock.session for dock in docks.values()}) == 1
    open_in(viewer, small_run.path)
    session = session_for(viewer)
    settle(lambda: session.volume is not None and "Surface (live)" in viewer.layers)
    assert {id(dock) for dock in open_all(viewer).values()} == {id(d) for d in docks.values()}
    qtbot.wait(50)  # the docks get their sizes only once they are laid out
    assert open_dock(viewer, VOLUME) is docks[VOLUME]
    # The latent space lies above the tabs, which share one place.
    latent, volume = frame_of(docks[LATENT]), frame_of(docks[VOLUME])
    assert latent.geometry().bottom() <= volume.geometry().top()
    assert latent.height() > volume.height()  # what is clicked and drawn in gets the more
    window = latent.window()
    assert {frame.windowTitle() for frame in window.tabifiedDockWidgets(volume)} == {
        name for name in TABS if name != VOLUME
    }
    # The Plugins menu knows the docks by these names, and toggles instead of doubling them.
    assert f"{VOLUME} (cryoDRGN)" in viewer.window.dock_widgets
    # A particle picked by a click in one dock is named by the other.
    plot = docks[LATENT].plot
    points, native = plot.scatter.points, plot.canvas.native
    target = int(points[:, 1].argmax())
    camera = plot.canvas.model.scene.camera
    y, x = points[target] - camera.center[-2:]
    where = QPoint(
        round(native.width() / 2 + x * camera.zoom), round(native.height() / 2 - y * camera.zoom)
    )
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=where)
    qtbot.wait(20)
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=where)
    settle(lambda: docks[VOLUME].title().startswith(f"Particle {target} "))


def test_the_window_fits_a_small_laptop_and_gives_back_the_room_of_a_message(
    viewer, settle, small_run, qtbot
):
    window = viewer.window._qt_window
    open_all(viewer)
    settle(lambda: window.minimumSizeHint().height() <= SMALL_SCREEN)
    open_in(viewer, small_run.path)
    session = session_for(viewer)
    settle(lambda: session.volume is not None and "Surface (live)" in viewer.layers)
    dock = find_dock(viewer, LATENT)
    settle(lambda: not dock.tasks.isVisible() or dock.tasks.height() == 0)
    frame = frame_of(dock)
    before = frame.minimumSizeHint().height()
    session.say("One line\n" * 12, "warning", "")
    settle(lambda: frame.minimumSizeHint().height() > before)
    dock.notices.clear()
    settle(lambda: frame.minimumSizeHint().height() == before)
    assert window.minimumSizeHint().height() <= SMALL_SCREEN


def test_a_new_window_is_no_larger_than_the_screen(qapp):
    room = QGuiApplication.primaryScreen().availableGeometry()
    assert fitting_size((room.width() + 500, 100)) == (room.width(), 100)
    assert fitting_size((300, room.height()))[1] < room.height()


def test_a_canvas_draws_on_when_somebody_tries_to_take_its_dock_out(viewer, qtbot):
    """With another OpenGL context it would fail with each paint."""
    dock = open_dock(viewer, LATENT)
    frame, native = frame_of(dock), dock.plot.canvas.native
    qtbot.waitUntil(lambda: native.context() is not None)
    context = native.context()
    button = frame.title.float_button
    if button.isVisible():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    else:
        qtbot.mouseDClick(frame.title, Qt.MouseButton.LeftButton)
    qtbot.wait(50)
    assert native.context() == context
    assert not native.grabFramebuffer().isNull()


def test_our_own_window_shares_contexts_so_that_docks_may_leave_it():
    code = (
        "from qtpy.QtCore import QCoreApplication\n"
        "from napari_cryodrgn.widgets.shared_contexts import SHARING, share_contexts\n"
        "share_contexts()\n"
        "assert QCoreApplication.testAttribute(SHARING)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_closed_canvas_has_drawn_with_is_deleted_though_contexts_are_shared():
    program = Path(__file__).with_name("closed_canvases.py")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True
    )
    freed_one, other = done.stdout.split()
    assert freed_one == "False"
    assert other == "True"  # without it; once this fails, it is not needed any more


def test_a_closed_dock_stops_what_it_began_and_can_be_opened_again(viewer, settle):
    dock = open_dock(viewer, LATENT)
    state: dict[str, bool] = {}
    task = dock.own(start_task(lambda: endless(state), "Endless"))
    QApplication.processEvents()
    frame = frame_of(dock)
    assert isinstance(frame, QDockWidget)
    frame.title.close_button.click()
    settle(lambda: state.get("tidied", False) and not task.running)
    assert find_dock(viewer, LATENT) is None
    again = open_dock(viewer, LATENT)
    assert isinstance(again, LatentDock)
    assert again is not dock


def test_a_hidden_dock_goes_on(viewer, qtbot):
    dock = open_dock(viewer, LATENT)
    state: dict[str, bool] = {}
    task = dock.own(start_task(lambda: endless(state), "Endless"))
    frame_of(dock).hide()
    qtbot.wait(100)
    assert task.running
    assert not state
    dock.shutdown()
    assert state["tidied"]


def test_closing_napari_in_the_middle_ends_the_tasks_first(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    dock = open_dock(viewer, LATENT)
    state: dict[str, bool] = {}
    dock.own(start_task(lambda: endless(state), "Endless"))
    qtbot.wait(50)
    del dock
    viewer.close()
    assert state["tidied"]


def test_the_plugin_menu_imports_neither_torch_nor_umap():
    code = (
        "import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "import sys, pkgutil, importlib\n"
        "import napari_cryodrgn.widgets as widgets\n"
        "for module in pkgutil.iter_modules(widgets.__path__):\n"
        "    importlib.import_module(f'{widgets.__name__}.{module.name}')\n"
        "heavy = {'torch', 'umap'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "remove", [lambda layers: layers.remove("drawn"), lambda layers: layers.clear()]
)
def test_what_drew_a_removed_layer_is_deleted_where_it_was_drawn(
    remove, viewer, settle, monkeypatch
):
    dock = open_dock(viewer, LATENT)
    viewer.add_points([[0, 0], [9, 9]], name="drawn")
    main = viewer.window._qt_viewer.canvas.native
    main.grabFramebuffer()
    other = dock.plot.canvas.native
    settle(lambda: other.isValid())
    contexts = []

    def delete(program):
        contexts.append(QOpenGLContext.currentContext())
        original(program)

    original = GlirProgram.delete
    monkeypatch.setattr(GlirProgram, "delete", delete)
    other.makeCurrent()
    remove(viewer.layers)
    assert contexts
    assert all(context == main.context() for context in contexts)
    assert main.context() != other.context()


def test_a_dock_closed_during_an_analysis_is_not_kept(viewer, settle, small_run, monkeypatch):
    state: dict[str, bool] = {}
    monkeypatch.setattr(
        "napari_cryodrgn.widgets.latent_dock._analysis_of", lambda *_, **__: endless(state)
    )
    dock = open_dock(viewer, LATENT)
    dock.open_run(small_run.path)
    session, kept = dock.session, ref(dock)
    settle(lambda: session.run is not None)
    dock.analyze()
    settle(lambda: kept().tasks.task.progress is not None)
    frame_of(dock).title.close_button.click()
    del dock

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    settle(is_gone)
    assert state["tidied"]
