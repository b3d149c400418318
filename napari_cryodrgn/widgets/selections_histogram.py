"""A histogram of scores with a threshold that is dragged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cryodrgn.widgets.selection_marks import BAD_COLOUR
from napari_cryodrgn.widgets.theme import theme_colours

BINS = 60


class ScoreHistogram(QWidget):
    """Scores from 0 to 1; `moved` while the threshold is dragged, `settled` when it is let go."""

    moved = Signal(float)
    settled = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._plot = pg.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.hideAxis("left")
        self._plot.setXRange(0, 1, padding=0.02)
        self._bars = pg.BarGraphItem(x0=[], width=1 / BINS, height=[])
        self._plot.addItem(self._bars)
        self.line = pg.InfiniteLine(
            0.5,
            movable=True,
            bounds=(0, 1),
            pen=pg.mkPen(BAD_COLOUR, width=2),
            hoverPen=pg.mkPen(BAD_COLOUR, width=4),
        )
        self.line.setCursor(Qt.CursorShape.SizeHorCursor)
        self._plot.addItem(self.line)
        self.line.sigPositionChanged.connect(self._move)
        self.line.sigPositionChangeFinished.connect(self._settle)
        self.setToolTip("Scores of all particles: good at the left, junk at the right")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Low and broad."""
        return QSize(300, 110)

    @property
    def threshold(self) -> float:
        """Where the line is."""
        return float(self.line.value())

    def set_threshold(self, value: float) -> None:
        """Put the line there."""
        self.line.setValue(value)

    def show_scores(self, scores: npt.NDArray[np.float32], theme: str) -> None:
        """Show how many particles have which score, the few as well as the many."""
        counts, edges = np.histogram(scores, bins=BINS, range=(0, 1))
        colours = theme_colours(theme)
        self._bars.setOpts(
            x0=edges[:-1],
            width=1 / BINS,
            height=np.sqrt(counts),
            brush=colours.dim_text,
            pen=None,
        )
        axis = self._plot.getAxis("bottom")
        axis.setPen(colours.dim_text)
        axis.setTextPen(colours.text)
        self._plot.enableAutoRange(y=True)

    def _move(self, *_: object) -> None:
        self.moved.emit(self.threshold)

    def _settle(self, *_: object) -> None:
        self.settled.emit(self.threshold)
