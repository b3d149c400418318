"""The selection, reconstructed from its images."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.widgets.evidence_fsc import FSCPlot
from napari_cryodrgn.widgets.theme import dim_label


class SelectionEvidence(QWidget):
    """A button for the map, and what it resolves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.count = QLabel("")
        self.map_button = QPushButton("Reconstruct the selection")
        self.map_button.setToolTip(
            "Backproject the images of the selected particles at their poses: a map without any\n"
            "network, with half maps. A first picture comes within seconds and sharpens"
        )
        self.save_button = QPushButton("Save maps…")
        self.save_button.setToolTip("Map, half maps and FSC into a folder, as 'backproject' does")
        self.save_button.setEnabled(False)
        self.result = dim_label("")
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.result.setVisible(False)
        self.plot = FSCPlot()
        self.plot.setVisible(False)
        line = QHBoxLayout()
        line.addWidget(self.map_button)
        line.addWidget(self.save_button)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.count)
        layout.addLayout(line)
        layout.addWidget(self.result)
        layout.addWidget(self.plot)

    def show_count(self, count: int, total: int, *, possible: bool) -> None:
        """Say how many are selected; two at least can be reconstructed."""
        what = f"{count:,} of {total:,} particles selected" if count else "Nothing is selected"
        self.count.setText(what)
        self.map_button.setEnabled(possible and count >= 2)

    def show_result(self, text: str) -> None:
        """Say what the map is; "" where there is none."""
        self.result.setText(text)
        self.result.setVisible(bool(text))
        if not text:
            self.plot.setVisible(False)
            self.save_button.setEnabled(False)
