"""Actions of the Plugins menu: all docks with one click, and the page of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_cryodrgn.widgets.docks import open_all
from napari_cryodrgn.widgets.sessions import real_viewer
from napari_cryodrgn.widgets.shortcuts import show_shortcuts

if TYPE_CHECKING:
    from napari.components import ViewerModel


class KeyboardShortcuts(QWidget):
    """Shows the page of keys and gestures, and goes away: see `AllDocks`."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = real_viewer(napari_viewer)
        QTimer.singleShot(0, self._open)

    def _open(self) -> None:
        window = self.window()
        self._viewer.window.remove_dock_widget(self)
        show_shortcuts(window)


class AllDocks(QWidget):
    """Opens all docks, laid out, and goes away.

    The Plugins menu knows widgets only; this one stands in for the action until
    napari has taken it in.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = real_viewer(napari_viewer)
        QTimer.singleShot(0, self._open)

    def _open(self) -> None:
        self._viewer.window.remove_dock_widget(self)
        open_all(self._viewer)
