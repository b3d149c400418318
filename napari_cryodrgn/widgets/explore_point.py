"""The present latent point as numbers, which can be copied, typed over, or read from a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.widgets.explore_words import parse_z, z_text
from napari_cryodrgn.widgets.tasks import Failure, TaskHandle, start_task


class PointField(QWidget):
    """A row of numbers; `chosen` carries the latent point (zdim,) that was typed or read.

    `wrong` carries what is the matter with the numbers, "" when they are given up;
    `started` a task that reads a file.
    """

    chosen = Signal(object, str)
    wrong = Signal(str)
    started = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._z: npt.NDArray[np.float32] | None = None
        self._edited = False
        self.line = QLineEdit()
        self.line.setPlaceholderText("no latent point yet")
        self.line.setToolTip(
            "The latent point shown. Copy it, or type or paste another one, with blanks or commas "
            "between the numbers, and press Enter; Escape gives the present one back."
        )
        self.file_button = QPushButton("From file…")
        self.file_button.setToolTip(
            "Read a latent point from text with one on each line, such as z_values.txt or "
            "centers.txt of an analysis"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("z"))
        row.addWidget(self.line, 1)
        row.addWidget(self.file_button)
        self.line.textEdited.connect(self._edit)
        self.line.returnPressed.connect(self._enter)
        self.line.installEventFilter(self)
        self.file_button.clicked.connect(self.choose_file)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Give the present point back on Escape, and when the focus goes elsewhere."""
        if self._edited and event.type() == QEvent.Type.FocusOut:
            self._give_back()
        escaped = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if self._edited and escaped and event.type() == QEvent.Type.KeyPress:
            self._give_back()
            return True
        return super().eventFilter(watched, event)

    def set_z(self, z: npt.NDArray[np.float32] | None) -> None:
        """Show this point, unless another one is being typed."""
        self._z = z
        if not self._edited:
            self._show()

    def choose_file(self) -> None:
        """Ask for a file and read it."""
        path, _ = QFileDialog.getOpenFileName(
            self, "Latent points", "", "Latent points (*.txt *.csv *.dat);;All files (*)"
        )
        if path:
            self.read(Path(path))

    def read(self, path: Path) -> TaskHandle | None:
        """Read a file in a worker thread, and ask which of its points is meant."""
        if self._z is None:
            return None
        task = start_task(
            partial(_reading, path, len(self._z)),
            f"Reading {path.name}",
            done=partial(self._take, path),
            failed=self._fail,
        )
        self.started.emit(task)
        return task

    def _take(self, path: Path, points: npt.NDArray[np.float32]) -> None:
        line = 1
        if len(points) > 1:
            line, given = QInputDialog.getInt(
                self,
                f"Latent points of {path.name}",
                f"There are {len(points):,} points in it. Which one (1 to {len(points):,})?",
                1,
                1,
                len(points),
            )
            if not given:
                return
        self.wrong.emit("")
        self.chosen.emit(points[line - 1], f"{path.name}, point {line}")

    def _fail(self, failure: Failure) -> None:
        self.wrong.emit(failure.message)

    def _edit(self) -> None:
        self._edited = True

    def _enter(self) -> None:
        if self._z is None:
            return
        try:
            z = parse_z(self.line.text(), len(self._z))
        except InputError as error:
            self.wrong.emit(str(error))
            return
        self._edited = False
        self.wrong.emit("")
        self.chosen.emit(z, "typed")

    def _give_back(self) -> None:
        self._edited = False
        self.wrong.emit("")
        self._show()

    def _show(self) -> None:
        text = "" if self._z is None else z_text(self._z)
        if text != self.line.text():
            self.line.setText(text)
            self.line.setCursorPosition(0)


def _reading(path: Path, zdim: int) -> Task[npt.NDArray[np.float32]]:
    from napari_cryodrgn.workflows.z_values import read_z_values

    yield Progress(0, None, f"Reading {path.name}")
    return read_z_values(path, zdim)
