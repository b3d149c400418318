"""The table of named selections: seen, renamed, noted, recoloured, combined."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection import Combine, NamedSelection
from napari_cryodrgn.latent.selection_book import Operation, SelectionBook
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.selection_on_plot import HiddenSelections
from napari_cryodrgn.widgets.selections_working import disc, free_name
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.widgets.window_words import input_message

SHOWN, COLOUR, NAME, COUNT, NOTE = range(5)
HEADINGS = ("", "", "Name", "Particles", "Note")
EMPTY = (
    "Selections that you keep are listed here. They are saved with the run and drawn in their "
    "colours. Select particles, then press Keep as…"
)
OPERATIONS: tuple[tuple[str, Operation, str], ...] = (
    ("Union", "union", "∪"),
    ("Intersection", "intersection", "∩"),
    ("First without second", "difference", "∖"),
)
LOADING: tuple[tuple[str, Combine, str], ...] = (
    ("Select", "replace", "Make it the working selection"),
    ("Add", "add", "Add it to the working selection"),
    ("Subtract", "subtract", "Take it away from the working selection"),
    ("Intersect", "intersect", "Keep of the working selection what is in it"),
)


class NamedSelections(QWidget):
    """Table of the named selections, and buttons for the chosen ones; all of it can be undone."""

    picked = Signal(str)

    def __init__(self, book: SelectionBook, hidden: HiddenSelections, notices: NoticeBar) -> None:
        super().__init__()
        self._book, self._hidden, self._notices = book, hidden, notices
        self._shown: tuple[NamedSelection, ...] = ()
        self._filling = False
        self.empty = dim_label(EMPTY)
        self.table = QTableWidget(0, len(HEADINGS))
        self.load_buttons = {how: QPushButton(word) for word, how, _ in LOADING}
        self.more_button = QPushButton("Combine")
        self.delete_button = QPushButton("Delete")
        self._set_up_table()
        self._lay_out()
        self.table.itemChanged.connect(self._edited)
        self.table.cellClicked.connect(self._cell_clicked)
        self.table.cellDoubleClicked.connect(self._cell_double_clicked)
        self.table.itemSelectionChanged.connect(self._offer)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the named selections as they are now; those chosen stay chosen."""
        chosen = set(self.chosen)
        self._shown = self._book.named
        self._filling = True
        self.table.setRowCount(len(self._shown))
        for row, selection in enumerate(self._shown):
            self._fill_row(row, selection)
        self.table.clearSelection()
        for row, selection in enumerate(self._shown):
            if selection.name in chosen:
                for column in range(len(HEADINGS)):
                    self.table.item(row, column).setSelected(True)
        self._filling = False
        self.table.setVisible(bool(self._shown))
        self.empty.setVisible(not self._shown)
        self._offer()

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the chosen rows, from above."""
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        return tuple(self._shown[row].name for row in rows if row < len(self._shown))

    def choose(self, *names: str) -> None:
        """Choose these rows."""
        self.table.clearSelection()
        for row, selection in enumerate(self._shown):
            for column in range(len(HEADINGS)):
                self.table.item(row, column).setSelected(selection.name in names)

    def load(self, how: Combine) -> None:
        """Bring the chosen selections into the working one, the first of them in this way."""
        for number, name in enumerate(self.chosen):
            self._do(self._book.load, name, "add" if number and how == "replace" else how)

    def combine(self, operation: Operation) -> None:
        """Make a new named selection of the two chosen ones."""
        if len(self.chosen) != 2:
            return
        first, second = self.chosen
        sign = next(sign for _, name, sign in OPERATIONS if name == operation)
        name = f"{first} {sign} {second}"
        if name in self._book.names:
            name = free_name(self._book.names, name)
        self._do(self._book.combine, first, second, operation, name)

    def delete(self) -> None:
        """Forget the chosen ones."""
        for name in self.chosen:
            self._do(self._book.delete, name)

    def _do(self, action: Callable[..., object], *values: object) -> bool:
        try:
            action(*values)
        except InputError as error:
            self._notices.say(input_message(error)[0], "warning")
            self.refresh()
            return False
        self._notices.clear()
        return True

    def _fill_row(self, row: int, selection: NamedSelection) -> None:
        fixed = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        total = max(1, len(selection.mask))
        cells = {
            SHOWN: QTableWidgetItem(),
            COLOUR: QTableWidgetItem(disc(selection.colour), ""),
            NAME: QTableWidgetItem(selection.name),
            COUNT: QTableWidgetItem(f"{selection.count:,}"),
            NOTE: QTableWidgetItem(selection.note),
        }
        shown = selection.name not in self._hidden.names
        cells[SHOWN].setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
        cells[COUNT].setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        tips = {
            SHOWN: "Draw it in the latent space",
            COLOUR: "Click for another colour",
            NAME: f"{selection.name}\nMade by: {selection.made}\nDouble click to rename",
            COUNT: f"{100 * selection.count / total:.3g} % of the particles",
            NOTE: selection.note or "Double click to write a note",
        }
        for column, cell in cells.items():
            flags = fixed
            if column == SHOWN:
                flags |= Qt.ItemFlag.ItemIsUserCheckable
            elif column in (NAME, NOTE):
                flags |= Qt.ItemFlag.ItemIsEditable
            cell.setFlags(flags)
            cell.setToolTip(tips[column])
            self.table.setItem(row, column, cell)

    def _edited(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        selection = self._shown[item.row()]
        if item.column() == SHOWN:
            self._hidden.show(selection.name, item.checkState() == Qt.CheckState.Checked)
        elif item.column() == NAME:
            hidden = selection.name in self._hidden.names
            if self._do(self._book.rename, selection.name, item.text().strip()) and hidden:
                self._hidden.rename(selection.name, item.text().strip())
        elif item.column() == NOTE:
            self._do(self._book.annotate, selection.name, item.text().strip())

    def _cell_clicked(self, row: int, column: int) -> None:
        if column == COLOUR:
            selection = self._shown[row]
            colour = QColorDialog.getColor(QColor(selection.colour), self, selection.name)
            if colour.isValid():
                self._do(self._book.recolour, selection.name, colour.name())

    def _cell_double_clicked(self, row: int, column: int) -> None:
        if column == COUNT:
            self._do(self._book.load, self._shown[row].name, "replace")

    def _offer(self) -> None:
        n = len(self.chosen)
        for button in (*self.load_buttons.values(), self.delete_button, self.more_button):
            button.setEnabled(n > 0)
        for action in self.more_button.menu().actions()[: len(OPERATIONS)]:
            action.setEnabled(n == 2)

    def _open_menu(self, place: QPoint) -> None:
        if self.chosen:
            self.more_button.menu().exec(self.table.viewport().mapToGlobal(place))

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        for word, operation, sign in OPERATIONS:
            action = menu.addAction(f"{word} of two as a new one ({sign})")
            action.triggered.connect(partial(self._combine_from_menu, operation))
        menu.addSeparator()
        menu.addAction("All but it, as a new one").triggered.connect(self.invert)
        menu.addAction("Put the working selection in its place").triggered.connect(self.update_one)
        return menu

    def _combine_from_menu(self, operation: Operation, *_: object) -> None:
        self.combine(operation)

    def invert(self, *_: object) -> None:
        """Make new named selections of all that is not in the chosen ones."""
        for name in self.chosen:
            new = f"not {name}"
            taken = self._book.names
            self._do(self._book.invert_named, name, free_name(taken, new) if new in taken else new)

    def update_one(self, *_: object) -> None:
        """Let the first chosen name stand for the working selection."""
        if self.chosen:
            self._do(self._book.update, self.chosen[0])

    def _set_up_table(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(list(HEADINGS))
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(26)
        for column in (SHOWN, COLOUR):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            table.setColumnWidth(column, 28)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Interactive)
        table.setColumnWidth(NAME, 150)
        header.setSectionResizeMode(COUNT, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Stretch)

    def _lay_out(self) -> None:
        self.more_button.setToolTip("New selections from the chosen ones; choose two with Ctrl")
        self.more_button.setMenu(self._make_menu())
        self.delete_button.setToolTip("Forget the chosen ones; Undo brings them back")
        self.delete_button.clicked.connect(self.delete)
        line = QHBoxLayout()
        line.setSpacing(4)
        for _, how, tip in LOADING:
            button = self.load_buttons[how]
            button.setToolTip(tip)
            button.clicked.connect(partial(self._load_from_button, how))
            line.addWidget(button)
        line.addWidget(self.more_button)
        line.addWidget(self.delete_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.empty)
        layout.addWidget(self.table, 1)
        layout.addLayout(line)

    def _load_from_button(self, how: Combine, *_: object) -> None:
        self.load(how)
