"""The whole window: napari with our docks, laid out for work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.opening import open_particles_in, open_run_in
from napari_cryodrgn.widgets.particles_dock import ParticlesDock
from napari_cryodrgn.widgets.sessions import session_for, use_session
from napari_cryodrgn.widgets.train_dock import TrainDock
from napari_cryodrgn.widgets.volume_dock import VolumeDock

if TYPE_CHECKING:
    from napari.components import ViewerModel

PARTICLE_ENDINGS = (".star", ".cs", ".mrcs", ".txt")
VOLUME_ENDINGS = (".mrc", ".map")

LATENT_NAME = "Latent space"
DOCKS: dict[str, type[QWidget]] = {
    "Particles": ParticlesDock,
    "Train": TrainDock,
    "Volume": VolumeDock,
}
"""The docks that share the lower right as tabs, in their order."""

RIGHT_WIDTH = 480
WINDOW_SIZE = (1500, 940)
LATENT_SHARE = 0.6


def open_window(path: str | Path | None = None, *, session: Session | None = None) -> napari.Viewer:
    """Open napari with all docks, and stay until it is closed.

    Parameters
    ----------
    path : path-like, optional
        A run folder, a particle set or a volume to begin with.
    session : Session, optional
        The session to show; a new one if not given.
    """
    viewer = make_window(path, session=session)
    napari.run()
    return viewer


def make_window(
    path: str | Path | None = None, *, session: Session | None = None, show: bool = True
) -> napari.Viewer:
    """Make napari's window with all docks, and return at once.

    Parameters
    ----------
    path : path-like, optional
        As in `open_window`; opened in a worker thread.
    session : Session, optional
        As in `open_window`.
    show : bool
        Whether to show the window.
    """
    viewer = napari.Viewer(title="napari-cryodrgn", ndisplay=3, show=show)
    viewer.window.resize(*WINDOW_SIZE)
    if session is not None:
        use_session(viewer, session)
    add_docks(viewer)
    if path is not None:
        open_in(viewer, path)
    return viewer


def add_docks(viewer: napari.Viewer) -> dict[str, QWidget]:
    """Add those of our docks that the viewer does not show yet: the latent space above, tabs below.

    Returns
    -------
    dict of str to QWidget
        The docks' widgets by name.
    """
    there = {type(widget): widget for widget in _dock_widgets(viewer)}
    widgets: dict[str, QWidget] = {}
    latent = there.get(LatentDock)
    if latent is None:
        latent = LatentDock(viewer)
        viewer.window.add_dock_widget(
            latent, name=LATENT_NAME, area="right", add_vertical_stretch=False
        )
    widgets[LATENT_NAME] = latent
    for name, kind in DOCKS.items():
        widget = there.get(kind)
        if widget is None:
            widget = kind(viewer)
            viewer.window.add_dock_widget(
                widget, name=name, area="right", add_vertical_stretch=False
            )
        widgets[name] = widget
    _arrange(widgets)
    return widgets


def show_run(viewer: ViewerModel, path: str | Path, epoch: int | None = None) -> None:
    """Open a run in a viewer: its docks where they are missing, the volume's on top."""
    if isinstance(viewer, napari.Viewer):
        _raise(add_docks(viewer)["Volume"])
    open_run_in(session_for(viewer), path, epoch)


def show_particles(viewer: ViewerModel, path: str | Path) -> None:
    """Open a particle set in a viewer: its docks where they are missing, the particles' on top."""
    if isinstance(viewer, napari.Viewer):
        _raise(add_docks(viewer)["Particles"])
    open_particles_in(session_for(viewer), path)


def open_in(viewer: napari.Viewer, path: str | Path) -> None:
    """Open whatever a path names: a run folder, a particle set, or anything that napari reads."""
    target = Path(path).expanduser().absolute()
    if target.is_dir():
        show_run(viewer, target)
    elif target.suffix.lower() in PARTICLE_ENDINGS:
        show_particles(viewer, target)
    else:
        viewer.open(target)


def _dock_widgets(viewer: napari.Viewer) -> list[QWidget]:
    """Widgets of the docks that the viewer has."""
    return [
        dock if isinstance(dock, QWidget) else dock.native
        for dock in viewer.window.dock_widgets.values()
    ]


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _arrange(widgets: dict[str, QWidget]) -> None:
    """Tabs below, the latent space above them, both as wide as a plot needs to be."""
    docks = {name: dock for name, widget in widgets.items() if (dock := _dock_of(widget))}
    first = next((docks[name] for name in DOCKS if name in docks), None)
    latent = docks.get(LATENT_NAME)
    if first is None or latent is None:
        return
    window = first.window()
    if not isinstance(window, QMainWindow):
        return
    above = QTabWidget.TabPosition.North
    window.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, above)
    for name in list(DOCKS)[1:]:
        if name in docks:
            window.tabifyDockWidget(first, docks[name])
    first.raise_()
    height = window.height()
    window.resizeDocks(
        [latent, first],
        [round(height * LATENT_SHARE), round(height * (1 - LATENT_SHARE))],
        Qt.Orientation.Vertical,
    )
    window.resizeDocks([latent, first], [RIGHT_WIDTH, RIGHT_WIDTH], Qt.Orientation.Horizontal)


def _raise(widget: QWidget) -> None:
    dock = _dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()
