"""The whole window: napari with our docks, laid out for work."""

from __future__ import annotations

from pathlib import Path

import napari
from napari.layers import Layer
from qtpy.QtGui import QGuiApplication

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.docks import LATENT, PARTICLES, VOLUME, open_all, open_dock
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.particles_dock import ParticlesDock
from napari_cryodrgn.widgets.readers import open_mrc
from napari_cryodrgn.widgets.sessions import use_session
from napari_cryodrgn.widgets.shared_contexts import free_at_the_end, share_contexts

PARTICLE_ENDINGS = (".star", ".cs", ".mrcs", ".txt")
VOLUME_ENDINGS = (".mrc", ".map")
WINDOW_SIZE = (1500, 940)
TITLE_BAR = 32
"""Room for the frame that the desktop puts around a window, px."""


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
    share_contexts()
    viewer = napari.Viewer(title="napari-cryodrgn", ndisplay=3, show=show)
    free_at_the_end(viewer.window._qt_viewer.canvas._scene_canvas)
    viewer.window.resize(*fitting_size(WINDOW_SIZE))
    if session is not None:
        use_session(viewer, session)
    open_all(viewer)
    if path is not None:
        open_in(viewer, path)
    return viewer


def open_in(viewer: napari.Viewer, path: str | Path) -> None:
    """Open whatever a path names: a run folder, a particle set, or anything that napari reads."""
    target = Path(path).expanduser().absolute()
    if target.is_dir():
        show_run(viewer, target)
    elif target.suffix.lower() in PARTICLE_ENDINGS:
        show_particles(viewer, target)
    elif target.suffix.lower() in VOLUME_ENDINGS:
        for data, options, kind in open_mrc(viewer, target):
            viewer.add_layer(Layer.create(data, options, kind))
    else:
        viewer.open(target)


def show_run(viewer: napari.Viewer, path: str | Path, epoch: int | None = None) -> None:
    """Open a run in a viewer, with the docks that show it."""
    open_dock(viewer, VOLUME)
    dock = open_dock(viewer, LATENT)
    if isinstance(dock, LatentDock):
        dock.open_run(path, epoch)


def show_particles(viewer: napari.Viewer, path: str | Path) -> None:
    """Open a particle set in a viewer, with the dock that shows it."""
    dock = open_dock(viewer, PARTICLES)
    if isinstance(dock, ParticlesDock):
        dock.open_path(path)  # which shows how far it is, and what is wrong


def fitting_size(size: tuple[int, int]) -> tuple[int, int]:
    """Such a size, or less where the screen is smaller."""
    screen = QGuiApplication.primaryScreen()
    if screen is None:
        return size
    room = screen.availableGeometry()
    return min(size[0], room.width()), min(size[1], room.height() - TITLE_BAR)
