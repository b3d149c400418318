"""How a training is going: progress, losses and a log."""

from __future__ import annotations

import datetime

from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QLabel, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, duration_text
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress
from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.loss_plot import LossPlot
from napari_cryodrgn.widgets.theme import dim_label

STEPS = 1000
"""Resolution of the progress bar."""

LOG_LINES = 2000


class TrainStatus(QWidget):
    """Progress bar, pace and time left, loss plot, log."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pace = ""  # of the training, to be kept between epochs
        self.words = QLabel()
        self.pace = dim_label(wrap=False)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(10)
        self.bar.setRange(0, STEPS)
        self.plot = LossPlot()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(LOG_LINES)
        self.log.setFixedHeight(120)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.log_fold = Fold("Log", self.log)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.words)
        layout.addWidget(self.bar)
        layout.addWidget(self.pace)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.log_fold)

    def begin(self, run: RunFolder) -> None:
        """A training starts in this folder: show what it holds, and that something is going on."""
        self.bar.setRange(0, 0)
        self.words.setText("Preparing …")
        self._pace = ""
        self.pace.setText("")
        self.plot.clear()
        self.show_history(run)

    def show_history(self, run: RunFolder) -> list[EpochMetrics]:
        """Show the epochs that the run has on record; returns them."""
        try:
            epochs = read_metrics(run.metrics)
        except InputError as error:
            self.write(str(error))
            return []
        self.plot.show_epochs(epochs)
        return epochs

    def show_progress(self, progress: Progress) -> None:
        """Show a report of the training.

        What is computed between two epochs counts itself: bar, pace and time left stay those
        of the training meanwhile.
        """
        self.words.setText(progress.message)
        between = isinstance(progress, TrainingProgress) and progress.phase == "embedding"
        if between and self._pace:
            self.pace.setText(self._pace)
            return
        fraction = progress.fraction
        self.bar.setRange(0, 0 if fraction is None else STEPS)
        if fraction is not None:
            self.bar.setValue(round(fraction * STEPS))
        parts = []
        if isinstance(progress, TrainingProgress):
            if progress.loss is not None:
                parts.append(f"loss {progress.loss:.4f}")  # long before the plot has a curve
            if progress.images_per_second:
                parts.append(f"{_rounded(progress.images_per_second)} images/s")
            self.plot.show_progress(progress)
        if progress.seconds_left is not None:
            parts.append(f"{duration_text(progress.seconds_left)} left")
        pace = " · ".join(parts)
        if isinstance(progress, TrainingProgress) and progress.phase == "training":
            self._pace = pace
        self.pace.setText(pace)

    def end(self, words: str) -> None:
        """Nothing is going on any more; say why."""
        done = self.bar.maximum() == STEPS and self.bar.value() == STEPS
        self.bar.setRange(0, STEPS)
        self.bar.setValue(STEPS if done else 0)
        self.words.setText(words)
        self.pace.setText("")
        self.write(words)

    def write(self, text: str) -> None:
        """Add a line to the log, with the time of day."""
        self.log.appendPlainText(f"{datetime.datetime.now():%H:%M:%S}  {text}")


def _rounded(pace: float) -> str:
    return f"{pace:,.0f}" if pace >= 10 else f"{pace:.1f}"
