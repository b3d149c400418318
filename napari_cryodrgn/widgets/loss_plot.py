"""The losses of a training, epoch by epoch, with the epoch under way as it goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QPen, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress

# Told apart on dark and light grounds, also by the colour-blind (Okabe and Ito, 2008).
TOTAL_COLOUR = "#e69f00"
RECONSTRUCTION_COLOUR = "#56b4e9"
KL_COLOUR = "#cc79a7"
LEAST_HEIGHT = 140
STACKED_HEIGHT = 300

# The running mean of a few images jumps about and would set the scale of the plot.
TRAIL_FROM = 0.15

FINER_TIP = "At a dashed line finer detail joins in: losses before and after it do not compare"

# Name, colour, width. With a small beta both losses are one line: the total is seen on either side.
CURVES = {
    "loss": ("total", TOTAL_COLOUR, 5),
    "gen_loss": ("reconstruction", RECONSTRUCTION_COLOUR, 2),
    "kld": ("KL", KL_COLOUR, 2),
}


class EpochAxis(pyqtgraph.AxisItem):
    """Axis that has ticks at whole numbers only."""

    def tickSpacing(  # noqa: N802 - pyqtgraph
        self,
        minVal: float,
        maxVal: float,
        size: float,
    ) -> list[tuple[float, float]]:
        """Distances of major and minor ticks, none below one."""
        spacings = super().tickSpacing(minVal, maxVal, size)
        return [(max(1.0, step), offset) for step, offset in spacings[:1]]


class LossPlot(QWidget):
    """Total and reconstruction loss, and beside them the KL divergence, over the epochs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = pyqtgraph.GraphicsLayoutWidget()
        self.setMinimumHeight(LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._epochs: list[EpochMetrics] = []
        self._live: dict[str, list[tuple[float, float]]] = {name: [] for name in CURVES}
        self._live_epoch = 0
        self._losses = pyqtgraph.PlotItem(axisItems={"bottom": EpochAxis("bottom")})
        self._kl = pyqtgraph.PlotItem(axisItems={"bottom": EpochAxis("bottom")})
        self._kl.setXLink(self._losses)
        self._stacked: bool | None = None
        self._arrange(stacked=True)
        self._curves: dict[str, pyqtgraph.PlotDataItem] = {}
        self._trails: dict[str, pyqtgraph.PlotDataItem] = {}
        self._steps: list[pyqtgraph.InfiniteLine] = []
        # Losses fall and the KL divergence rises: each legend stands where no curve is.
        self._set_up(self._losses, ("loss", "gen_loss"), legend=(-6, 4))
        self._set_up(self._kl, ("kld",), legend=(8, 4))
        for plot in (self._losses, self._kl):
            plot.setLabel("bottom", "epoch")
            plot.getAxis("bottom").setHeight(34)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.set_colours(background="#262930", text="#f0f1f2")

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt
        """Put the plots one above the other where there is room, else side by side."""
        super().resizeEvent(event)
        self._arrange(stacked=self.height() >= STACKED_HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """The least there must be: a scroll area would give all that is asked for."""
        return QSize(320, LEAST_HEIGHT)

    def set_colours(self, *, background: str, text: str) -> None:
        """Follow a theme.

        Parameters
        ----------
        background, text : str
            Colours in a form that Qt understands.
        """
        self.canvas.setBackground(background)
        self._text = QColor(text)
        self._text.setAlpha(110)
        for step in self._steps:
            step.setPen(self._step_pen())
        for plot in (self._losses, self._kl):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(QColor(text))
                plot.getAxis(side).setTextPen(QColor(text))
            plot.legend.setLabelTextColor(text)
            for _, label in plot.legend.items:
                label.setText(label.text)

    def clear(self) -> None:
        """Forget every epoch."""
        self.show_epochs([])
        self._forget_trail(0)

    def show_epochs(self, epochs: Sequence[EpochMetrics]) -> None:
        """Show finished epochs in place of those shown so far."""
        self._epochs = list(epochs)
        numbers = np.array([record.epoch for record in self._epochs], dtype=float)
        for name, curve in self._curves.items():
            values = np.array([getattr(record, name) for record in self._epochs])
            curve.setData(numbers, values, connect=self._compared_alike(name))
        self._mark_steps()
        if self._epochs and self._epochs[-1].epoch >= self._live_epoch:
            self._forget_trail(self._epochs[-1].epoch + 1)

    def show_progress(self, progress: TrainingProgress) -> None:
        """Add the running means of the epoch under way."""
        if progress.phase != "training" or not progress.n_images:
            return
        if progress.epoch != self._live_epoch:
            self._forget_trail(progress.epoch)
        share = progress.images_done / progress.n_images
        if share < TRAIL_FROM:
            return
        position = progress.epoch - 1 + share
        for name, trail in self._trails.items():
            value = getattr(progress, name)
            if value is not None:
                self._live[name].append((position, value))
                trail.setData(np.array(self._live[name]))

    def points_shown(self, name: str) -> tuple[int, int]:
        """Finished epochs and running means drawn of one curve, by its name in `CURVES`."""
        finished = self._curves[name].getData()[0]
        running = self._trails[name].getData()[0]
        return tuple(0 if part is None else len(part) for part in (finished, running))  # type: ignore[return-value]

    def steps_shown(self) -> list[float]:
        """Where a line says that finer detail joins in, between two epochs."""
        return [step.value() for step in self._steps]

    def _finer_after(self) -> list[EpochMetrics]:
        """Epochs after which the losses are those of more frequencies."""
        pairs = zip(self._epochs, self._epochs[1:], strict=False)
        return [now for now, following in pairs if now.radius != following.radius]

    def _compared_alike(self, name: str) -> npt.NDArray[np.int32]:
        """Whether a curve goes on from each epoch to the next."""
        finer = [] if name == "kld" else [record.epoch for record in self._finer_after()]
        return np.array([record.epoch not in finer for record in self._epochs], np.int32)

    def _step_pen(self) -> QPen:
        return pyqtgraph.mkPen(self._text, width=1, style=Qt.PenStyle.DashLine)

    def _mark_steps(self) -> None:
        places = [record.epoch + 0.5 for record in self._finer_after()]
        if places == self.steps_shown():
            return
        for step in self._steps:
            self._losses.removeItem(step)
        self._steps = [pyqtgraph.InfiniteLine(place, pen=self._step_pen()) for place in places]
        for step in self._steps:
            step.setToolTip(FINER_TIP)
            self._losses.addItem(step)
        self.setToolTip(FINER_TIP if places else "")

    def _arrange(self, *, stacked: bool) -> None:
        if stacked == self._stacked:
            return
        if self._stacked is not None:
            self.canvas.removeItem(self._losses)
            self.canvas.removeItem(self._kl)
        self._stacked = stacked
        self.canvas.addItem(self._losses, row=0, col=0)
        self.canvas.addItem(self._kl, row=int(stacked), col=int(not stacked))
        layout = self.canvas.ci.layout
        layout.setRowStretchFactor(0, 3)
        layout.setRowStretchFactor(1, 2 if stacked else 0)
        layout.setColumnStretchFactor(0, 4)
        layout.setColumnStretchFactor(1, 0 if stacked else 3)

    def _set_up(
        self, plot: pyqtgraph.PlotItem, names: Sequence[str], legend: tuple[int, int]
    ) -> None:
        plot.addLegend(offset=legend, labelTextSize="8pt")
        plot.getAxis("left").setWidth(46)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        plot.setLimits(minXRange=1.5)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.showGrid(x=False, y=True, alpha=0.15)
        for name in names:
            title, colour, width = CURVES[name]
            self._curves[name] = plot.plot(
                pen=pyqtgraph.mkPen(colour, width=width),
                symbol="o",
                symbolSize=width + 3,
                symbolBrush=colour,
                symbolPen=None,
                name=title,
            )
            faint = pyqtgraph.mkPen(colour, width=1, style=Qt.PenStyle.DotLine)
            self._trails[name] = plot.plot(pen=faint)

    def _forget_trail(self, epoch: int) -> None:
        self._live_epoch = epoch
        for name, trail in self._trails.items():
            self._live[name].clear()
            trail.setData(np.empty(0), np.empty(0))
