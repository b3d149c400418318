"""What axes, clusters and selections follow of how particles were imaged, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.latent.confounders import Association
from napari_cryodrgn.widgets.evidence_views import ViewPlot
from napari_cryodrgn.widgets.theme import WARNING_COLOUR, dim_label

HEADINGS = ("What", "follows", "strength", "in words")
HEIGHT = 190


class ConfounderTable(QWidget):
    """A button that looks for associations, and the table of what was found."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check_button = QPushButton("Look for confounders")
        self.check_button.setToolTip(
            "Compare each axis, the clusters and the selection with view direction, defocus,\n"
            "micrograph … : a 'state' that is mostly side views may be none"
        )
        self.summary = dim_label(
            "Does an axis, a cluster or the selection follow how particles were imaged?"
        )
        self.table = QTableWidget(0, len(HEADINGS))
        self.table.setHorizontalHeaderLabels(HEADINGS)
        self.table.verticalHeader().setVisible(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setWordWrap(True)
        header = self.table.horizontalHeader()
        for column in range(len(HEADINGS) - 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(HEADINGS) - 1, QHeaderView.ResizeMode.Stretch)
        self.table.setFixedHeight(HEIGHT)
        self.table.setVisible(False)
        self.views = ViewPlot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.summary)
        layout.addWidget(self.check_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.table)
        layout.addWidget(self.views)

    def show_associations(self, found: Sequence[Association]) -> None:
        """Fill the table: flagged ones first, marked."""
        flagged = sum(one.flagged for one in found)
        self.summary.setText(
            f"{flagged} of {len(found)} pairs are associated beyond chance and strongly enough "
            "to matter."
            if flagged
            else f"None of {len(found)} pairs is associated strongly enough to matter."
        )
        self.table.setRowCount(len(found))
        for row, one in enumerate(found):
            cells = (one.what, one.condition, f"{one.strength:.3f}", one.words)
            tip = (
                f"Mutual information {one.information:.4f} nats, by chance {one.by_chance:.4f}; "
                f"probability {one.probability:.1g}"
            )
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(tip)
                if one.flagged and column == 2:
                    item.setForeground(QBrush(QColor(WARNING_COLOUR)))
                self.table.setItem(row, column, item)
        self.table.resizeRowsToContents()
        self.table.setVisible(bool(found))

    def clear(self) -> None:
        """Show nothing."""
        self.views.clear()
        self.table.setRowCount(0)
        self.table.setVisible(False)
        self.summary.setText(
            "Does an axis, a cluster or the selection follow how particles were imaged?"
        )
