"""The working selection in the dock: how many, and what can be done with it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QInputDialog, QLabel, QPushButton, QWidget

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.widgets.labels import ElidedLabel
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.selection_on_plot import WORKING_COLOUR
from napari_cryodrgn.widgets.window_words import input_message

NONE_SELECTED = "Draw round particles in the latent space: lasso (L), polygon (P), …"


class WorkingSelection(QWidget):
    """Count of the working selection, undo, redo, clear, invert, keep."""

    def __init__(self, book: SelectionBook, notices: NoticeBar) -> None:
        super().__init__()
        self._book, self._notices = book, notices
        self.swatch = QLabel()
        self.swatch.setPixmap(disc(WORKING_COLOUR).pixmap(12, 12))
        self.count_label = QLabel()
        font = self.count_label.font()
        font.setBold(True)
        self.count_label.setFont(font)
        self.made_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.clear_button, self.invert_button = QPushButton("Clear"), QPushButton("Invert")
        self.keep_button = QPushButton("Keep as…")
        self.clear_button.setToolTip("Select nothing")
        self.invert_button.setToolTip("Select all particles that are not selected now")
        self.keep_button.setToolTip("Give the selection a name: it is saved with the run")
        self.undo_button.clicked.connect(book.undo)
        self.redo_button.clicked.connect(book.redo)
        self.clear_button.clicked.connect(book.clear)
        self.invert_button.clicked.connect(book.invert)
        self.keep_button.clicked.connect(self._ask_name)
        self._lay_out()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the working selection as it is now."""
        book = self._book
        count, total = book.count, len(book.mask)
        self.count_label.setText(count_text(count, total))
        self.made_label.setText(book.made if count else NONE_SELECTED if total else "")
        for button, there, text, keys in (
            (self.undo_button, book.can_undo, book.undo_text, "Ctrl+Z"),
            (self.redo_button, book.can_redo, book.redo_text, "Ctrl+Shift+Z"),
        ):
            button.setEnabled(there)
            word = button.text()
            button.setToolTip(f"{word}: {text} ({keys})" if there else f"Nothing to {word.lower()}")
        self.clear_button.setEnabled(count > 0)
        self.keep_button.setEnabled(count > 0)
        self.invert_button.setEnabled(total > 0)

    def keep(self, name: str) -> bool:
        """Keep the working selection under a name; False, with the reason shown, if it cannot."""
        try:
            self._book.keep(name)
        except InputError as error:
            self._notices.say(input_message(error)[0], "warning")
            return False
        self._notices.clear()
        return True

    def _ask_name(self) -> None:
        name, given = QInputDialog.getText(
            self, "Keep the selection", "Name:", text=free_name(self._book.names)
        )
        if given and name.strip():
            self.keep(name.strip())

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.swatch)
        head.addWidget(self.count_label)
        head.addWidget(self.made_label, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        buttons = (
            self.undo_button,
            self.redo_button,
            self.clear_button,
            self.invert_button,
            self.keep_button,
        )
        grid.addLayout(head, 0, 0, 1, len(buttons))
        for column, button in enumerate(buttons):
            grid.addWidget(button, 1, column)


def count_text(count: int, total: int) -> str:
    """'12,340 of 1,318,990 selected (0.94 %)'."""
    if not total:
        return "No latent space is open"
    if not count:
        return f"None of {total:,} selected"
    share = 100 * count / total
    digits = f"{share:.2f}" if 0.005 <= share < 1 else f"{share:.1f}" if share >= 1 else "< 0.01"
    return f"{count:,} of {total:,} selected ({digits} %)"


def free_name(names: tuple[str, ...], word: str = "selection") -> str:
    """'selection 3', a name that none has yet."""
    number = 1
    while f"{word} {number}" in names:
        number += 1
    return f"{word} {number}"


def disc(colour: str) -> QIcon:
    """A disc of a colour, as legends and tables show them."""
    pixmap = QPixmap(24, 24)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(2, 2, 20, 20)
    painter.end()
    return QIcon(pixmap)
