"""The one session of each viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.compat import isalive

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.gui_thread import GuiThread

if TYPE_CHECKING:
    from napari.components import ViewerModel

# npe2 gives a widget nothing but the viewer, so the docks of one viewer can only
# find their common session by it. Keys are weak and sessions know no viewer.
_SESSIONS: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_for(viewer: ViewerModel) -> Session:
    """The session of a viewer, made when first asked for.

    Parameters
    ----------
    viewer : napari viewer
        Itself or the proxy that napari hands to plugins.
    """
    key = real_viewer(viewer)
    if key not in _SESSIONS:
        _SESSIONS[key] = Session(deliver=GuiThread().post)
    return _SESSIONS[key]


def use_session(viewer: ViewerModel, session: Session) -> None:
    """Give a viewer a session of one's own, before any dock of it is opened."""
    _SESSIONS[real_viewer(viewer)] = session


def real_viewer(viewer: ViewerModel) -> ViewerModel:
    """The viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)


def is_closed(viewer: ViewerModel) -> bool:
    """Whether its window was closed; what was computed meanwhile then has no place to go to."""
    window = getattr(real_viewer(viewer), "window", None)
    if window is None:
        return False
    # Closed by a call, napari forgets it; closed with its cross, Qt destroys it.
    return not (hasattr(window, "_qt_window") and isalive(window._qt_window))
