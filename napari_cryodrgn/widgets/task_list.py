"""All long tasks in one place: a button in the status bar, and a list that it opens."""

from __future__ import annotations

import time

from qtpy.QtCore import QEvent, QObject, QPoint, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QMainWindow, QToolButton, QVBoxLayout, QWidget

from napari_cryodrgn.progress import duration_text
from napari_cryodrgn.widgets.seldom import Seldom
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import RUNNING, TaskHandle

LONG_SECONDS = 1.0
"""Tasks that are over before are never listed."""

WORDS_SECONDS = 1.0
WIDTH = 420


class TaskList(QFrame):
    """The running tasks, one bar each, over the lower right of the window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("TaskList")
        self.setStyleSheet("#TaskList { border: 1px solid rgba(128, 128, 128, 160); }")
        self.setAutoFillBackground(True)
        self.bars: dict[TaskHandle, TaskBar] = {}
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(QLabel("Running now"))
        self.setFixedWidth(WIDTH)
        self.setVisible(False)

    def show_tasks(self, tasks: list[TaskHandle]) -> None:
        """Have a bar for each of these tasks."""
        for gone in [task for task in self.bars if task not in tasks]:
            bar = self.bars.pop(gone)
            self._layout.removeWidget(bar)
            bar.setParent(None)
            bar.deleteLater()
        for task in tasks:
            if task not in self.bars:
                bar = self.bars[task] = TaskBar(pausable=False)
                bar.follow(task, tells_failure=False)
                self._layout.addWidget(bar)
        if not tasks:
            self.setVisible(False)
        self.adjustSize()


class TaskButton(QToolButton):
    """Says in the status bar what runs; opens and closes the list. Hidden while nothing runs."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setAutoRaise(True)
        self.setToolTip("What runs now: how far it is, how long it takes, and a way to cancel it")
        self.list = TaskList(window)
        self._words = Seldom(WORDS_SECONDS)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.refresh)
        self.clicked.connect(self.toggle)
        RUNNING.changed.connect(self._hear)
        window.installEventFilter(self)
        self.setVisible(False)
        self._hear()

    def toggle(self) -> None:
        """Open or close the list."""
        self.list.setVisible(not self.list.isVisible())
        self._place()

    def refresh(self) -> None:
        """Show what runs now, and look again while something does."""
        long = [task for task in RUNNING.tasks if time.monotonic() - task.begun >= LONG_SECONDS]
        self.setVisible(bool(long))
        if long:
            text = _summary(long)
            if text != self.text() and (self._words.due() or not self.text()):
                self._words.said()
                self.setText(text)
        if [*self.list.bars] != long:
            self.list.show_tasks(long)
            self._place()
        if RUNNING.tasks:
            self._timer.start(round(1000 * LONG_SECONDS))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Stay in the corner of the window."""
        if event.type() == QEvent.Type.Resize and self.list.isVisible():
            self._place()
        return bool(super().eventFilter(watched, event))

    def _hear(self) -> None:
        # Those that have just begun are looked at again when they count as long.
        if RUNNING.tasks and not self._timer.isActive():
            self._timer.start(round(1000 * LONG_SECONDS) + 20)
        if not RUNNING.tasks:
            self.refresh()

    def _place(self) -> None:
        window = self.list.parentWidget()
        if not isinstance(window, QMainWindow):
            return
        foot = window.statusBar().height()
        self.list.adjustSize()
        corner = QPoint(window.width() - self.list.width() - 8, window.height() - foot)
        self.list.move(corner - QPoint(0, self.list.height() + 4))
        self.list.raise_()


def show_tasks_in(window: QWidget) -> None:
    """Have the button in the status bar of a main window; a second call does nothing."""
    if isinstance(window, QMainWindow) and not window.findChildren(TaskButton):
        window.statusBar().addPermanentWidget(TaskButton(window))


def _summary(tasks: list[TaskHandle]) -> str:
    if len(tasks) > 1:
        return f"{len(tasks)} tasks run"
    (task,) = tasks
    parts = [task.title]
    if task.progress is not None:
        if task.progress.fraction is not None:
            parts.append(f"{task.progress.fraction:.0%}".replace("%", " %"))
        left = duration_text(task.progress.seconds_left)
        parts += [f"{left} left"] if left else []
    return " · ".join(parts)
