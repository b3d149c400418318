"""The bar that shows how far a task has come, and lets one pause or stop it."""

from __future__ import annotations

from weakref import ref

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.progress import Progress, duration_text
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.tasks import Failure, TaskHandle

STEPS = 1000
"""Resolution of the progress bar."""


class TaskBar(QWidget):
    """Follows one task at a time; hidden while there is none and nothing to tell.

    Parameters
    ----------
    parent : QWidget, optional
    pausable : bool
        Whether it has a button that pauses the task.
    """

    def __init__(self, parent: QWidget | None = None, *, pausable: bool = True) -> None:
        super().__init__(parent)
        self._task: ref[TaskHandle] | None = None
        self._pausable = pausable
        self._title = QLabel()
        self._time_left = QLabel()
        self._time_left.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(10)
        self.pause_button = QPushButton("Pause")
        self.cancel_button = QPushButton("Cancel")
        self.pause_button.clicked.connect(self._toggle_pause)
        self.cancel_button.clicked.connect(self._cancel)
        self.notices = NoticeBar()
        self._body = QWidget()
        words = QHBoxLayout()
        words.addWidget(self._title, 1)
        words.addWidget(self._time_left)
        line = QHBoxLayout()
        line.addWidget(self._bar, 1)
        line.addWidget(self.pause_button)
        line.addWidget(self.cancel_button)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(3)
        body.addLayout(words)
        body.addLayout(line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._body)
        layout.addWidget(self.notices)
        self._body.setVisible(False)

    def follow(self, task: TaskHandle, *, tells_failure: bool = True) -> TaskHandle:
        """Show this task until it ends; a failure stays until it is dismissed.

        Parameters
        ----------
        task : TaskHandle
        tells_failure : bool
            Whether a failure is shown here, or by somebody else.
        """
        self._task = ref(task)
        self.notices.clear()
        self._title.setText(task.title)
        self._time_left.clear()
        self._bar.setRange(0, 0)
        self.pause_button.setText("Pause")
        self.pause_button.setVisible(self._pausable)
        self.pause_button.setEnabled(True)
        self.cancel_button.setEnabled(True)
        task.progressed.connect(self._show_progress)
        task.paused_changed.connect(self._show_pause)
        if tells_failure:
            task.failed.connect(self._show_failure)
        task.finished.connect(self._end)
        self._body.setVisible(True)
        if task.progress is not None:
            self._show_progress(task.progress)
        return task

    @property
    def task(self) -> TaskHandle | None:
        """The task followed, while it runs. Its worker keeps it, the bar does not.

        PySide keeps what a task calls where no garbage collector sees it, and of a task that its
        dock's end cuts short the bar does not hear: the two would keep one another.
        """
        return None if self._task is None else self._task()

    def stop(self) -> None:
        """Cancel what runs, and wait until its files are whole."""
        if self.task is not None and self.task.running:
            self.task.cancel()
            self.task.wait()

    def _show_progress(self, progress: Progress) -> None:
        if self.task is None:
            return
        # A task that yields its message alone repeats its title: say it once.
        same = not progress.message or progress.message.startswith(self.task.title)
        words = progress.message if same else f"{self.task.title}: {progress.message}"
        self._title.setText(words or self.task.title)
        fraction = progress.fraction
        self._bar.setRange(0, 0 if fraction is None else STEPS)
        if fraction is not None:
            self._bar.setValue(round(fraction * STEPS))
        left = duration_text(progress.seconds_left)
        self._time_left.setText(f"{left} left" if left else "")

    def _toggle_pause(self) -> None:
        if self.task is None:
            return
        self.pause_button.setEnabled(False)  # until the worker has come to its next report
        if self.task.paused:
            self.task.resume()
        else:
            self.task.pause()

    def _show_pause(self, paused: bool) -> None:
        self.pause_button.setEnabled(True)
        self.pause_button.setText("Resume" if paused else "Pause")
        self._time_left.setText("paused" if paused else "")

    def _cancel(self) -> None:
        if self.task is not None:
            self.cancel_button.setEnabled(False)
            self.pause_button.setEnabled(False)
            self._time_left.setText("stopping …")
            self.task.cancel()

    def _show_failure(self, failure: Failure) -> None:
        self.notices.say(failure.message, "error", failure.details)

    def _end(self) -> None:
        self._body.setVisible(False)
        self._task = None
