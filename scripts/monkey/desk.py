"""The window that the monkey plays with: opened, closed, and what there is to touch in it."""

from __future__ import annotations

import gc
import random
import time
from pathlib import Path
from typing import Any

from hand import is_usable
from napari._qt.qt_viewer import QtViewer
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QSlider,
    QTabBar,
    QWidget,
)

from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import CLASSES, frame_of, open_dock
from napari_cryodrgn.widgets.explore_slider import DensitySlider
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.particle_tiles import ParticleTiles
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.window import make_window, show_run

TOUCHED = (QAbstractButton, QComboBox, QSlider, QAbstractSpinBox, QLineEdit, DensitySlider)
ROWS = (QAbstractItemView, ParticleTiles)
SIZE = (1100, 720)


class Desk:
    """A viewer with our docks, on one of some runs.

    Parameters
    ----------
    runs : list of Path
    numbers : random.Random
    """

    def __init__(self, runs: list[Path], numbers: random.Random) -> None:
        self.runs, self.random = runs, numbers
        self.viewer: Any = None

    def open_viewer(self) -> float:
        """Open a window on one of the runs; how many seconds it took."""
        begun = time.monotonic()
        self.viewer = make_window(self.random.choice(self.runs))
        self.viewer.window.resize(*SIZE)
        return time.monotonic() - begun

    def close_viewer(self) -> float:
        """Close it; how many seconds it took, with what is tidied up at once."""
        begun = time.monotonic()
        self.viewer.close()
        self.viewer = None
        QApplication.processEvents()
        return time.monotonic() - begun

    @staticmethod
    def viewers_left() -> int:
        """How many viewers there are, when all that is on its way has ended."""
        for _ in range(20):
            QApplication.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            gc.collect()
            if not len(QtViewer._instances):
                break
            time.sleep(0.1)
        return len(QtViewer._instances)

    @property
    def window(self) -> QWidget:
        """Its main window."""
        return self.viewer.window._qt_window

    def docks(self) -> list[SessionDock]:
        """Our docks in view."""
        frames = self.viewer.window.dock_widgets.values()
        return [each for each in frames if isinstance(each, SessionDock) and each.isVisible()]

    def targets(self) -> list[QWidget]:
        """What a person could click in our docks now."""
        children = [each for dock in self.docks() for each in dock.findChildren(QWidget)]
        usable = [each for each in children if is_usable(each)]
        rows = [each.viewport() for each in usable if isinstance(each, ROWS)]
        return rows + [each for each in usable if isinstance(each, TOUCHED)]

    def sliders(self) -> list[QWidget]:
        """What could be dragged."""
        return [each for each in self.targets() if "Slider" in type(each).__name__]

    def canvases(self) -> list[QWidget]:
        """The latent canvas, twice as likely as the main one, where they have any room."""
        latent = [dock.plot.canvas.native for dock in self.docks() if isinstance(dock, LatentDock)]
        main = self.viewer.window._qt_viewer.canvas.native
        return [each for each in (*latent, *latent, main) if is_usable(each)]

    # What is no single click

    def tab(self) -> str:
        """Bring another tab to the front."""
        bars = [
            bar for bar in self.window.findChildren(QTabBar) if bar.isVisible() and bar.count() > 1
        ]
        if not bars:
            return ""
        bar = self.random.choice(bars)
        bar.setCurrentIndex(self.random.randrange(bar.count()))
        return str(bar.tabText(bar.currentIndex()))

    def frame_button(self) -> QWidget | None:
        """The button that closes a dock, hides it or makes a window of it."""
        buttons = []
        for dock in self.docks():
            frame = frame_of(dock)
            if frame is not None:
                found = frame.titleBarWidget().findChildren(QAbstractButton)
                buttons += [each for each in found if is_usable(each)]
        return self.random.choice(buttons) if buttons else None

    def open_dock(self) -> str:
        """Open a dock, or bring it to the front."""
        name = self.random.choice(list(CLASSES))
        open_dock(self.viewer, name)
        return name

    def theme(self) -> str:
        """Change between dark and light."""
        self.viewer.theme = "light" if self.viewer.theme == "dark" else "dark"
        return str(self.viewer.theme)

    def open_run(self) -> str:
        """Open a run at some epoch."""
        run = self.random.choice(self.runs)
        epochs = sorted(int(path.name.split(".")[1]) for path in run.glob("z.*.pkl"))
        epoch = self.random.choice([None, *epochs])
        show_run(self.viewer, run, epoch)
        return f"{run.name} epoch {epoch}"

    def close_run(self) -> None:
        """Close the run."""
        session_for(self.viewer).set_run(None)
