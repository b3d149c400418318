"""Finding and opening our docks by name, and laying them out together."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

from napari.plugins import menu_item_template
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from napari_cryodrgn.widgets.dock import SessionDock

if TYPE_CHECKING:
    from napari import Viewer

PLUGIN_TITLE = "cryoDRGN"
PARTICLES, TRAIN, LATENT, VOLUME = "Particles", "Train", "Latent space", "Volume"
EXPLORE, SELECTIONS = "Explore", "Selections"
EVIDENCE, TRAJECTORY = "Evidence", "Trajectory"
CLASSES = {
    PARTICLES: "particles_dock:ParticlesDock",
    TRAIN: "train_dock:TrainDock",
    LATENT: "latent_dock:LatentDock",
    VOLUME: "volume_dock:VolumeDock",
    EXPLORE: "explore_dock:ExploreDock",
    SELECTIONS: "selections_dock:SelectionsDock",
    TRAJECTORY: "trajectory_dock:TrajectoryDock",
    EVIDENCE: "evidence_dock:EvidenceDock",
}
TABS = (PARTICLES, TRAIN, VOLUME, EXPLORE, TRAJECTORY, SELECTIONS, EVIDENCE)
"""Docks that share the lower right; the latent space lies above them."""

_SHRINKING: WeakSet[QDockWidget] = WeakSet()

RIGHT_WIDTH = 480
LATENT_SHARE = 0.58


def open_dock(viewer: Viewer, name: str) -> SessionDock:
    """Open a dock of ours, or bring the open one to the front.

    Parameters
    ----------
    viewer : napari Viewer
        With a window.
    name : str
        As the manifest has it.
    """
    dock = find_dock(viewer, name) or _add_dock(viewer, name)
    frame = frame_of(dock)
    if frame is not None:
        frame.show()
        frame.raise_()
    return dock


def find_dock(viewer: Viewer, name: str) -> SessionDock | None:
    """The dock of that name that the viewer has, however it was opened; None without one."""
    kind = _class_of(name)
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, kind):
            return widget
    return None


def open_all(viewer: Viewer) -> dict[str, SessionDock]:
    """Open all docks and lay them out: the latent space above, the others as tabs below.

    Returns
    -------
    dict of str to SessionDock
        By name.
    """
    docks = {name: find_dock(viewer, name) for name in (LATENT, *TABS)}
    whole = {name: dock or _add_dock(viewer, name) for name, dock in docks.items()}
    _arrange(whole)
    return whole


def frame_of(widget: QWidget) -> QDockWidget | None:
    """The frame, with title and close button, that a docked widget lies in."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def let_shrink(dock: SessionDock) -> None:
    """Let the frame become as small again as what is in it allows.

    napari gives each frame a smallest size. Qt takes that for the user's own wish and keeps it,
    while its layout raises it whenever the content asks for more, so that the frame could only
    ever grow: a message of three lines made the window higher than the screen for good.
    """
    frame = frame_of(dock)
    if frame is not None and frame not in _SHRINKING:
        _SHRINKING.add(frame)
        frame.setMinimumSize(0, 0)


def _class_of(name: str) -> type[SessionDock]:
    module, _, kind = CLASSES[name].partition(":")
    found: type[SessionDock] = getattr(import_module(f"{__package__}.{module}"), kind)
    return found


def _add_dock(viewer: Viewer, name: str) -> SessionDock:
    dock = _class_of(name)(viewer)
    # By this name the Plugins menu knows that the dock is open.
    known_as = menu_item_template.format(PLUGIN_TITLE, name)
    viewer.window.add_dock_widget(dock, name=known_as, area="right", add_vertical_stretch=False)
    frame = frame_of(dock)
    if frame is not None:
        frame.setWindowTitle(name)
        _join_tabs(viewer, name, frame)
    return dock


def _join_tabs(viewer: Viewer, name: str, frame: QDockWidget) -> None:
    """Put a new dock behind those that it shares its place with, where one is open."""
    others = [find_dock(viewer, other) for other in TABS if name in TABS and other != name]
    frames = [frame_of(other) for other in others if other is not None]
    window = frame.window()
    if frames and frames[0] is not None and isinstance(window, QMainWindow):
        right = Qt.DockWidgetArea.RightDockWidgetArea
        window.setTabPosition(right, QTabWidget.TabPosition.North)
        window.tabifyDockWidget(frames[0], frame)


def _arrange(docks: dict[str, SessionDock]) -> None:
    frames = {name: frame for name, dock in docks.items() if (frame := frame_of(dock))}
    latent, first = frames[LATENT], frames[TABS[0]]
    window = first.window()
    if not isinstance(window, QMainWindow):
        return
    right = Qt.DockWidgetArea.RightDockWidgetArea
    window.setTabPosition(right, QTabWidget.TabPosition.North)
    window.splitDockWidget(latent, first, Qt.Orientation.Vertical)
    for name in TABS[1:]:
        window.tabifyDockWidget(first, frames[name])
    first.raise_()
    # Qt takes in sizes only once it has laid the docks out.
    QTimer.singleShot(0, partial(_share_out, ref(latent), ref(first)))


def _share_out(latent: ref[QDockWidget], first: ref[QDockWidget]) -> None:
    """Give the latent space its share of the right side."""
    frames = [frame for weak in (latent, first) if (frame := weak()) is not None]
    if len(frames) < 2 or not all(isalive(frame) for frame in frames):
        return
    window = frames[0].window()
    if isinstance(window, QMainWindow):
        high = window.height()
        heights = [round(high * LATENT_SHARE), round(high * (1 - LATENT_SHARE))]
        window.resizeDocks(frames, heights, Qt.Orientation.Vertical)
        window.resizeDocks(frames, [RIGHT_WIDTH, RIGHT_WIDTH], Qt.Orientation.Horizontal)
