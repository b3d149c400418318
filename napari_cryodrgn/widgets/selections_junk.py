"""Junk in the dock: examples, scores of all particles, and the threshold that selects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.latent.classifier import (
    LEAST_EXAMPLES,
    SCORE_COLUMN,
    JunkScores,
)
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.selection_marks import BAD_COLOUR, GOOD_COLOUR
from napari_cryodrgn.widgets.selections_histogram import ScoreHistogram
from napari_cryodrgn.widgets.selections_working import count_text
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.workflows.outliers import (
    AGREEMENT_COLUMN,
    KeptColumns,
    agreement_columns,
    junk_columns,
    with_columns,
)

BORDERLINE = 50
TEXT = (
    "Mark some good and some bad particles, with the tool Good / bad (G) or by selecting them. "
    "All others are then scored by their likeness to these."
)


class JunkPanel(QWidget):
    """A few examples in, scores of all particles out.

    `column_made` carries the column of the scores.
    """

    column_made = Signal(str)

    def __init__(
        self,
        session: Session,
        own: Callable[[TaskHandle], TaskHandle],
        theme: Callable[[], str],
    ) -> None:
        super().__init__()
        self._session, self._own, self._theme = session, own, theme
        self.scores: JunkScores | None = None
        self._scored: LatentSpace | None = None
        self.count_label, self.above_label = QLabel(), QLabel()
        self.good_button = QPushButton("Selection is good")
        self.bad_button = QPushButton("Selection is bad")
        self.forget_button, self.score_button = (
            QPushButton("Forget marks"),
            QPushButton("Score all"),
        )
        self.agreement_button = QPushButton("Compare with images")
        self.select_button = QPushButton("Select junk")
        self.borderline_button = QPushButton(f"Select {BORDERLINE} borderline")
        self.histogram = ScoreHistogram()
        self.tasks = TaskBar(pausable=False)
        self._result = QWidget()
        self._lay_out()
        self.good_button.clicked.connect(partial(self.mark_selection, True))
        self.bad_button.clicked.connect(partial(self.mark_selection, False))
        self.forget_button.clicked.connect(self._forget)
        self.score_button.clicked.connect(self.score)
        self.agreement_button.clicked.connect(self.compare_with_images)
        self.select_button.clicked.connect(self.select_junk)
        self.borderline_button.clicked.connect(self.select_borderline)
        self.histogram.moved.connect(self._tell_above)
        self.histogram.settled.connect(self.select_junk)

    def follow(self, *_: object) -> None:
        """Other particles or another epoch: scores of others are not shown."""
        latent = self._session.latent
        self.setEnabled(latent is not None)
        known = self._scored
        if latent is None or known is None or latent.mu is not known.mu:
            self.scores = self._scored = None
            self._restore()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the marks and the scores as they are now."""
        book = self._session.selections
        marks = book.marks
        good, bad = int(marks.good.sum()), int(marks.bad.sum())
        self.count_label.setText(
            f'<span style="color:{GOOD_COLOUR}">●</span> {good:,} good &nbsp; '
            f'<span style="color:{BAD_COLOUR}">●</span> {bad:,} bad'
        )
        enough = min(good, bad) >= LEAST_EXAMPLES
        self.score_button.setEnabled(enough and self.tasks.task is None)
        self.score_button.setToolTip(
            "Learn from the marked particles, and score all others"
            if enough
            else f"Mark at least {LEAST_EXAMPLES} good and {LEAST_EXAMPLES} bad particles first"
        )
        run = self._session.run
        whole = run is not None and run.particles is not None and run.weights is not None
        self.agreement_button.setEnabled(whole and self.tasks.task is None)
        self.forget_button.setEnabled(good + bad > 0)
        for button in (self.good_button, self.bad_button):
            button.setEnabled(book.count > 0)
        self._result.setVisible(self.scores is not None)
        self._tell_above()

    def mark_selection(self, good: bool, *_: object) -> None:
        """Mark the particles of the working selection."""
        book = self._session.selections
        if book.count:
            book.mark(book.mask, good)

    def score(self, *_: object) -> None:
        """Score all particles by the marked ones."""
        run, latent = self._session.run, self._session.latent
        marks = self._session.selections.marks
        if run is None or latent is None:
            return
        good, bad = np.flatnonzero(marks.good), np.flatnonzero(marks.bad)
        make = partial(junk_columns, run, latent, good, bad)
        self._start(start_task(make, "Scoring", done=partial(self._take, latent)))

    def compare_with_images(self, *_: object) -> None:
        """Measure how well each image agrees with the volume decoded for it, as a column."""
        run, latent = self._session.run, self._session.latent
        if run is not None and latent is not None:
            done = partial(self._take_columns, latent, AGREEMENT_COLUMN)
            make = partial(agreement_columns, run)
            self._start(start_task(make, "Comparing with images", done=done))

    def select_junk(self, *_: object) -> None:
        """Select the particles whose score lies above the threshold."""
        threshold = self.histogram.threshold
        if self.scores is not None and len(self.scores.scores) == len(
            self._session.selections.mask
        ):
            mask = self.scores.junk(threshold)
            self._session.selections.apply(mask, "replace", f"junk score > {threshold:.2f}")

    def select_borderline(self, *_: object) -> None:
        """Select the particles nearest to the threshold, to be looked at."""
        book = self._session.selections
        if self.scores is not None and len(self.scores.scores) == len(book.mask):
            mask = np.zeros(len(book.mask), dtype=np.bool_)
            mask[self.scores.borderline(BORDERLINE, self.histogram.threshold)] = True
            book.apply(mask, "replace", f"{int(mask.sum())} borderline by junk score")

    def _start(self, handle: TaskHandle) -> None:
        self.tasks.follow(self._own(handle))
        handle.finished.connect(self.refresh)
        self.refresh()

    def _take(self, latent: LatentSpace, made: tuple[JunkScores, KeptColumns]) -> None:
        scores, columns = made
        now = self._session.latent
        if now is None or now.mu is not latent.mu:
            return  # another epoch or run by now
        self.scores, self._scored = scores, now
        self.histogram.show_scores(scores.scores, self._theme())
        self._take_columns(latent, SCORE_COLUMN, columns)
        self.refresh()

    def _take_columns(self, latent: LatentSpace, shown: str, made: KeptColumns) -> None:
        run, now = self._session.run, self._session.latent
        if run is not None and now is not None and now.mu is latent.mu:
            self._session.set_run(replace(run, latent=with_columns(now, made.columns)))
            self.column_made.emit(shown)
            if made.problem:
                self.tasks.notices.say(f"Not kept with the run: {made.problem}", "warning")

    def _restore(self) -> None:
        """Show the scores that were saved with the run."""
        latent = self._session.latent
        if latent is None or SCORE_COLUMN not in latent.columns:
            return
        marks = self._session.selections.marks
        values = latent.columns[SCORE_COLUMN].to_numpy(np.float32)
        self.scores = JunkScores(values, int(marks.good.sum()), int(marks.bad.sum()))
        self._scored = latent
        self.histogram.show_scores(values, self._theme())

    def _forget(self, *_: object) -> None:
        self._session.selections.clear_marks()

    def _tell_above(self, *_: object) -> None:
        if self.scores is not None:
            n, total = (
                int(self.scores.junk(self.histogram.threshold).sum()),
                len(self.scores.scores),
            )
            words = count_text(n, total).replace(
                "selected", f"above {self.histogram.threshold:.2f}"
            )
            self.above_label.setText(words)

    def _lay_out(self) -> None:
        examples, score = QHBoxLayout(), QHBoxLayout()
        for widget in (self.good_button, self.bad_button, self.forget_button):
            examples.addWidget(widget)
        score.addWidget(self.count_label, 1)
        score.addWidget(self.agreement_button)
        score.addWidget(self.score_button)
        self.agreement_button.setToolTip(
            "How well each image agrees with the projection of the volume decoded for it, as the\n"
            "column image_agreement, saved with the run: junk agrees badly. Reads every image."
        )
        self.select_button.setToolTip("Select the particles right of the line")
        self.borderline_button.setToolTip(
            "Those nearest to the line: look at them, mark them, and score again"
        )
        line = QHBoxLayout()
        line.addWidget(self.above_label, 1)
        line.addWidget(self.select_button)
        line.addWidget(self.borderline_button)
        below = QVBoxLayout(self._result)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.histogram)
        below.addLayout(line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(dim_label(TEXT))
        layout.addLayout(examples)
        layout.addLayout(score)
        layout.addWidget(self.tasks)
        layout.addWidget(self._result)
        layout.addStretch(1)
