"""Fourier shell correlations as a small plot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyqtgraph
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cryodrgn.reconstruction.fsc import FSCCurve
from napari_cryodrgn.widgets.theme import CATEGORY_COLOURS

HEIGHT = 180
THRESHOLDS = (0.143, 0.5)


class FSCPlot(QWidget):
    """Correlation over spatial frequency, one line for each pair of maps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = pyqtgraph.PlotWidget()
        self._item = self.canvas.getPlotItem()
        self._item.setMenuEnabled(False)
        self._item.hideButtons()
        self._item.setMouseEnabled(x=False, y=False)
        self._item.setYRange(-0.1, 1.05, padding=0.0)
        self._item.setLabel("left", "FSC")
        # Thousandths of 1/Å would be said in the label, where nobody looks for them.
        self._item.getAxis("bottom").enableAutoSIPrefix(False)
        self._item.layout.setContentsMargins(1, 8, 8, 4)
        # Correlations fall: at the lower left there is no curve.
        self._item.addLegend(offset=(6, -4), labelTextSize="8pt")
        for threshold in THRESHOLDS:
            pen = pyqtgraph.mkPen("#8f949c", width=1, style=Qt.PenStyle.DashLine)
            self._item.addItem(pyqtgraph.InfiniteLine(threshold, angle=0, pen=pen))
        self._lines: list[pyqtgraph.PlotDataItem] = []
        self.setFixedHeight(HEIGHT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Wide enough for a dock."""
        return QSize(320, HEIGHT)

    def show_curves(self, curves: Mapping[str, FSCCurve]) -> None:
        """Show these curves, by the names of the legend."""
        for line in self._lines:
            self._item.removeItem(line)
        self._lines = []
        for number, (name, curve) in enumerate(curves.items()):
            pen = pyqtgraph.mkPen(CATEGORY_COLOURS[number], width=2)
            x = np.append(0.0, curve.spatial_frequencies)
            line = self._item.plot(x, np.append(1.0, curve.values), pen=pen, name=name)
            self._lines.append(line)
            self._item.setLabel("bottom", f"spatial frequency, 1/{curve.unit}")
        self._item.legend.setVisible(len(curves) > 1)

    def curves_shown(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def set_colours(self, *, background: str, text: str) -> None:
        """Follow a theme; colours in a form that Qt understands."""
        self.canvas.setBackground(background)
        for side in ("left", "bottom"):
            self._item.getAxis(side).setPen(QColor(text))
            self._item.getAxis(side).setTextPen(QColor(text))
        self._item.legend.setBrush(QColor(background))  # the thresholds end beside it
        self._item.legend.setLabelTextColor(text)
        for _, label in self._item.legend.items:
            label.setText(label.text)
