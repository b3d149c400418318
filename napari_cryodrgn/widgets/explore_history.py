"""Back, forward, and the list of visited states."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from napari_cryodrgn.session import Session
from napari_cryodrgn.session_history import show_visit
from napari_cryodrgn.widgets.explore_words import visit_text

LISTED = 20
"""Visited states that the list shows, around the present one."""


def go_back(session: Session) -> None:
    """Show the state visited before."""
    show_visit(session, session.history.back(), "back")


def go_forward(session: Session) -> None:
    """Show the state that one went back from."""
    show_visit(session, session.history.forward(), "forward")


class HistoryButtons(QWidget):
    """Two arrows and a menu of visited states."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.back_button, self.forward_button = QToolButton(), QToolButton()
        self.list_button = QPushButton("Visited")
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.fill)
        arrows = (
            (self.back_button, Qt.ArrowType.LeftArrow, "Back to the state before (Alt+Left)"),
            (self.forward_button, Qt.ArrowType.RightArrow, "Forward again (Alt+Right)"),
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for button, arrow, tip in arrows:
            button.setArrowType(arrow)
            button.setToolTip(f"{tip}; over the plot also the mouse's back and forward buttons")
            row.addWidget(button)
        self.list_button.setToolTip("States visited so far, newest first")
        self.list_button.setMenu(self.menu)
        row.addWidget(self.list_button)
        self.back_button.clicked.connect(lambda: go_back(session))
        self.forward_button.clicked.connect(lambda: go_forward(session))
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        history = self._session.history
        self.back_button.setEnabled(history.can_back)
        self.forward_button.setEnabled(history.can_forward)
        self.list_button.setEnabled(len(history.visits) > 1)

    def fill(self) -> None:
        """List the visited states, newest first."""
        history = self._session.history
        self.menu.clear()
        last = min(len(history.visits), max(history.index + LISTED // 2, LISTED))
        for index in range(last - 1, max(last - LISTED, 0) - 1, -1):
            action = self.menu.addAction(visit_text(history.visits[index]))
            action.setCheckable(True)
            action.setChecked(index == history.index)
            action.triggered.connect(partial(self._go, index))

    def _go(self, index: int, *_: object) -> None:
        show_visit(self._session, self._session.history.go(index), "visited")
