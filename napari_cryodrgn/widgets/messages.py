"""Messages: what is wrong, what to do, and the details folded away, to be copied."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.session_records import Notice, NoticeKind
from napari_cryodrgn.widgets.advice import split_advice
from napari_cryodrgn.widgets.theme import ERROR_COLOUR, INFO_COLOUR, WARNING_COLOUR, dim_label

COLOURS: dict[NoticeKind, str] = {
    "info": INFO_COLOUR,
    "warning": WARNING_COLOUR,
    "error": ERROR_COLOUR,
}


class NoticeBar(QFrame):
    """Shows a notice until it is dismissed or replaced; hidden while there is none.

    Parameters
    ----------
    parent : QWidget, optional
    closable : bool
        Whether it has a button that dismisses it.
    """

    def __init__(self, parent: QWidget | None = None, *, closable: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("NoticeBar")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._advice = dim_label()
        self._advice.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._fold = QToolButton()
        self._fold.setText("Details")
        self._fold.setCheckable(True)
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy")
        self.copy_button.setToolTip("Copy the message and its details, to send them to somebody")
        self.copy_button.clicked.connect(self.copy)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setToolTip("Dismiss")
        self._close.setAutoRaise(True)
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setMaximumHeight(160)
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._fold.toggled.connect(self._details.setVisible)
        self._close.clicked.connect(self.clear)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._text, 1)
        for button in (self._fold, self.copy_button, self._close):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self._closable = closable
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 5, 4, 5)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self._advice)
        layout.addWidget(self._details)
        self.notice: Notice | None = None
        self.clear()

    def show_notice(self, notice: Notice) -> None:
        """Show this one instead of what is there."""
        self.notice = notice
        colour = COLOURS[notice.kind]
        self.setStyleSheet(
            f"#NoticeBar {{ border: none; border-left: 3px solid {colour}; "
            "background: rgba(128, 128, 128, 38); }"
        )
        message, advice = split_advice(notice.text)
        self._text.setText(message)
        self._advice.setText(f"What to do: {advice}")
        self._advice.setVisible(bool(advice))
        self.copy_button.setVisible(bool(notice.details))
        self._close.setVisible(self._closable)
        self._details.setPlainText(notice.details)
        self._fold.setChecked(False)
        self._fold.setVisible(bool(notice.details))
        self._details.setVisible(False)
        self.setVisible(True)

    def say(self, text: str, kind: NoticeKind = "info", details: str = "") -> None:
        """Show a message made here."""
        self.show_notice(Notice(text, kind, details))

    def copy(self) -> None:
        """Put the message and its details on the clipboard."""
        if self.notice is not None:
            parts = (self.notice.text, self.notice.details)
            QApplication.clipboard().setText("\n\n".join(part for part in parts if part))

    def clear(self) -> None:
        """Show nothing."""
        self.notice = None
        self.setVisible(False)

    def text(self) -> str:
        """The message shown; "" where there is none."""
        return self.notice.text if self.notice is not None else ""
