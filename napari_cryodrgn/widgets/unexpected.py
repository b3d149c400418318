"""Errors that nobody has foreseen: a readable word instead of a bare traceback.

napari catches what is raised in a slot or a thread and shows it as a notification with a
traceback behind it. Those that come from our code are shown here instead, with what to do and
the traceback folded away; all others stay napari's.
"""

from __future__ import annotations

import traceback
from functools import partial
from pathlib import Path

from napari.utils.notifications import ErrorNotification, Notification, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

import napari_cryodrgn
from napari_cryodrgn.widgets.gui_thread import GuiThread
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.tasks import Failure, failure_of

PACKAGE = str(Path(napari_cryodrgn.__file__).parent)


class UnexpectedDialog(QDialog):
    """Tells of one error, and counts those that follow until it is closed. Nothing waits for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("napari-cryodrgn: an error")
        self.notice = NoticeBar(closable=False)
        self.more = QLabel()
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.close)
        self.failures: list[Failure] = []
        foot = QHBoxLayout()
        foot.addWidget(self.more, 1)
        foot.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.notice)
        layout.addLayout(foot)
        self.setMinimumWidth(520)

    def tell(self, failure: Failure) -> None:
        """Show this failure; one that comes while another is shown joins its details."""
        self.failures.append(failure)
        details = "\n\n".join(each.details for each in self.failures if each.details)
        self.notice.say(self.failures[0].message, "error", details)
        others = len(self.failures) - 1
        self.more.setText(f"{others} more since then, in the details" if others else "")
        self.show()


class _Watch:
    """Hears of every error that napari is about to show."""

    def __init__(self) -> None:
        self._open: UnexpectedDialog | None = None  # Qt deletes none that has no parent
        self._gui = GuiThread()
        notification_manager.notification_ready.connect(self.hear, position="first")

    def hear(self, notification: Notification) -> None:
        """Take an error of ours; napari shows the rest."""
        if not isinstance(notification, ErrorNotification):
            return
        error = notification.exception
        if isinstance(error, Exception) and is_ours(error):
            notification.blocked = True
            self._gui.post(partial(self.tell, failure_of(error)))

    def tell(self, failure: Failure) -> None:
        """Show it in the dialog that is open, or in a new one."""
        windows = [each for each in QApplication.topLevelWidgets() if each.isVisible()]
        dialog = next((each for each in windows if isinstance(each, UnexpectedDialog)), None)
        if dialog is None:
            # Within napari's window it looks like napari.
            owner = next((each for each in windows if isinstance(each, QMainWindow)), None)
            dialog = self._open = UnexpectedDialog(owner)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.finished.connect(self._forget)
        dialog.tell(failure)

    def _forget(self) -> None:
        self._open = None


_WATCHES: list[_Watch] = []


def watch_unexpected() -> _Watch:
    """Begin to show unexpected errors of ours; a second call does nothing more."""
    if not _WATCHES:
        _WATCHES.append(_Watch())
    return _WATCHES[0]


def is_ours(error: BaseException) -> bool:
    """Whether a line of this package is in the way from where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename.startswith(PACKAGE) for frame in frames)
