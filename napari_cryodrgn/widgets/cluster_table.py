"""The table of clusters: colour, name, number of particles."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_cryodrgn.widgets.cluster_columns import ClusterRow
from napari_cryodrgn.widgets.selections_working import disc

COLOUR, NAME, COUNT, SHARE = range(4)
HEADINGS = ("", "Cluster", "Particles", "Share")


class ClusterTable(QTableWidget):
    """Clusters in rows, several of which can be chosen.

    `renamed` carries an old and a new name, `wanted` the name of a double clicked one.
    """

    renamed = Signal(str, str)
    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__(0, len(HEADINGS))
        self._rows: tuple[ClusterRow, ...] = ()
        self._filling = False
        self.setHorizontalHeaderLabels(list(HEADINGS))
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(26)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(COLOUR, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(COLOUR, 28)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (COUNT, SHARE):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._edited)
        self.cellDoubleClicked.connect(self._double_clicked)

    @property
    def chosen(self) -> list[str]:
        """Names of the chosen clusters, from above."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._rows[row].name for row in rows if row < len(self._rows)]

    def show_rows(self, rows: Sequence[ClusterRow]) -> None:
        """Show these clusters."""
        self._rows, self._filling = tuple(rows), True
        total = max(1, sum(row.count for row in rows))
        self.setRowCount(len(rows))
        fixed = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for number, row in enumerate(rows):
            cells = [
                QTableWidgetItem(disc(row.colour), ""),
                QTableWidgetItem(row.name),
                QTableWidgetItem(f"{row.count:,}"),
                QTableWidgetItem(f"{100 * row.count / total:.1f} %"),
            ]
            for column, cell in enumerate(cells):
                cell.setFlags(fixed | Qt.ItemFlag.ItemIsEditable if column == NAME else fixed)
                if column in (COUNT, SHARE):
                    cell.setTextAlignment(right)
                self.setItem(number, column, cell)
            cells[NAME].setToolTip("Double click to rename")
            cells[COUNT].setToolTip("Double click to select its particles")
        self._filling = False

    def choose(self, *names: str) -> None:
        """Choose these clusters."""
        self.clearSelection()
        for number, row in enumerate(self._rows):
            for column in range(len(HEADINGS)):
                self.item(number, column).setSelected(row.name in names)

    def _edited(self, item: QTableWidgetItem) -> None:
        if not self._filling and item.column() == NAME:
            old = self._rows[item.row()].name
            if item.text().strip() != old:
                self.renamed.emit(old, item.text().strip())

    def _double_clicked(self, row: int, column: int) -> None:
        if column != NAME:
            self.wanted.emit(self._rows[row].name)
