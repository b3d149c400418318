"""Messages within a dock: one at a time, with the details folded away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
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
from napari_cryodrgn.widgets.theme import ERROR_COLOUR, INFO_COLOUR, WARNING_COLOUR

COLOURS: dict[NoticeKind, str] = {
    "info": INFO_COLOUR,
    "warning": WARNING_COLOUR,
    "error": ERROR_COLOUR,
}


class NoticeBar(QFrame):
    """Shows a notice until it is dismissed or replaced; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("NoticeBar")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._fold = QToolButton()
        self._fold.setText("Details")
        self._fold.setCheckable(True)
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
        line.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 5, 4, 5)
        layout.setSpacing(4)
        layout.addLayout(line)
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
        self._text.setText(notice.text)
        self._details.setPlainText(notice.details)
        self._fold.setChecked(False)
        self._fold.setVisible(bool(notice.details))
        self._details.setVisible(False)
        self.setVisible(True)

    def say(self, text: str, kind: NoticeKind = "info", details: str = "") -> None:
        """Show a message made here."""
        self.show_notice(Notice(text, kind, details))

    def clear(self) -> None:
        """Show nothing."""
        self.notice = None
        self.setVisible(False)

    def text(self) -> str:
        """The message shown; "" where there is none."""
        return self.notice.text if self.notice is not None else ""
