"""Whether the training has settled: how particles move, and maps change, between epochs."""

from __future__ import annotations

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.widgets.loss_plot import EpochAxis
from napari_cryodrgn.widgets.theme import CATEGORY_COLOURS, dim_label
from napari_cryodrgn.workflows.convergence import Convergence

HEIGHT = 140
INTRODUCTION = (
    "A state that still moves from epoch to epoch is no result yet. Compares the last epochs of "
    "the run: where particles lie, which are neighbours, and maps of some of them."
)


class ConvergencePanel(QWidget):
    """A button, the verdict, and a plot over the epochs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = dim_label(INTRODUCTION)
        self.compare_button = QPushButton("Compare epochs")
        self.plot = pyqtgraph.PlotWidget(axisItems={"bottom": EpochAxis("bottom")})
        self._item = self.plot.getPlotItem()
        self._item.setMenuEnabled(False)
        self._item.hideButtons()
        self._item.setMouseEnabled(x=False, y=False)
        self._item.addLegend(offset=(-6, 4), labelTextSize="8pt")
        self._item.setLabel("bottom", "epoch")
        self._item.setYRange(0, 1, padding=0.03)
        self._lines = [
            self._item.plot(
                pen=pyqtgraph.mkPen(colour, width=2),
                symbol="o",
                symbolSize=5,
                symbolBrush=colour,
                symbolPen=None,
                name=name,
            )
            for name, colour in zip(
                ("moved, of the spread", "neighbours kept"), CATEGORY_COLOURS, strict=False
            )
        ]
        self.plot.setFixedHeight(HEIGHT)
        self.plot.setVisible(False)
        self.maps = dim_label("")
        self.maps.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.words)
        layout.addWidget(self.compare_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.plot)
        layout.addWidget(self.maps)

    def show_convergence(self, found: Convergence | None) -> None:
        """Show what was found, or only what could be."""
        self.plot.setVisible(found is not None)
        self.maps.setVisible(found is not None and bool(found.maps))
        if found is None:
            self.words.setText(INTRODUCTION)
            return
        text = found.text
        self.words.setText(text[0].upper() + text[1:] + ".")
        epochs = np.array([step.after for step in found.movements], float)
        self._lines[0].setData(epochs, np.array([step.moved for step in found.movements]))
        self._lines[1].setData(epochs, np.array([step.kept for step in found.movements]))
        self.maps.setText(
            "\n".join(
                f"Map {number}: correlation {change.correlation:.3f}, FSC at half Nyquist "
                f"{change.at_half_nyquist:.3f}"
                for number, change in enumerate(found.maps, start=1)
            )
        )

    def set_colours(self, *, background: str, text: str) -> None:
        """Follow a theme; colours in a form that Qt understands."""
        self.plot.setBackground(background)
        for side in ("left", "bottom"):
            self._item.getAxis(side).setPen(QColor(text))
            self._item.getAxis(side).setTextPen(QColor(text))
        self._item.legend.setLabelTextColor(text)
        for _, label in self._item.legend.items:
            label.setText(label.text)
