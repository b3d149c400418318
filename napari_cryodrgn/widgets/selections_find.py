"""Selecting without the mouse: by values, by an expression, by nearness to what is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.latent.selection import Combine, Mask, nearest_k
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.selections_expression import ExpressionBox
from napari_cryodrgn.widgets.selections_values import BetweenRows, fulfilling
from napari_cryodrgn.widgets.selections_working import count_text

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace

HOWS: tuple[tuple[str, Combine], ...] = (
    ("Select anew", "replace"),
    ("Add", "add"),
    ("Subtract", "subtract"),
    ("Intersect", "intersect"),
)
COUNT_AFTER = 250
"""Typing that rests for this long, ms, is counted."""

DEFAULT_NEAREST = 500


class FindPanel(QWidget):
    """Rows of 'column between a and b' and an expression with their counts, and the k nearest."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._latent: LatentSpace | None = None
        self.rows = BetweenRows()
        self.count_label = QLabel()
        self.how_box = how_box()
        self.select_button = QPushButton("Select")
        self.select_button.setToolTip("Select the particles of which all conditions hold")
        self.expression = ExpressionBox()
        self.expression_button = QPushButton("Select")
        self.nearest_box = QSpinBox()
        self.nearest_box.setRange(1, 1)
        self.nearest_button = QPushButton("Select")
        self._counts: Latest[Mask] = Latest(self._show_count, "selection-count")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COUNT_AFTER)
        self._timer.timeout.connect(self._count)
        self.rows.changed.connect(self._timer.start)
        self.select_button.clicked.connect(self.select)
        self.nearest_button.clicked.connect(self.select_nearest)
        self.expression_button.setEnabled(False)
        self.expression_button.clicked.connect(self.select_matching)
        self.expression.entered.connect(self.select_matching)
        self.expression.found.connect(self.expression_button.setEnabled)
        self._lay_out()

    @property
    def how(self) -> Combine:
        """What is done with the particles that are found."""
        return HOWS[self.how_box.currentIndex()][1]

    def set_latent(self, latent: LatentSpace | None) -> None:
        """Look among these particles."""
        self._latent = latent
        self.setEnabled(latent is not None)
        if latent is None:
            self._counts.cancel()
            return
        self.rows.set_columns(latent.columns)
        self.expression.set_columns(latent.columns)
        self.nearest_box.setMaximum(len(latent))
        if self.nearest_box.value() == 1:
            self.nearest_box.setValue(min(DEFAULT_NEAREST, max(1, len(latent) // 10)))

    def select(self, *_: object) -> None:
        """Select the particles of which all conditions hold."""
        conditions, latent = self.rows.conditions(), self._latent
        if latent is not None and conditions:
            made = " and ".join(condition.text for condition in conditions)
            mask = fulfilling(latent.columns, conditions)
            self._session.selections.apply(mask, self.how, made)

    def select_matching(self, *_: object) -> None:
        """Select the particles that fulfil the typed expression."""
        mask = self.expression.mask
        if mask is not None and self._latent is not None and len(mask) == len(self._latent):
            self._session.selections.apply(mask, self.how, self.expression.text)

    def select_nearest(self, *_: object) -> None:
        """Select the particles nearest, in z, to the state that is shown."""
        latent, z = self._latent, self._place()
        if latent is None or z is None:
            return
        k = self.nearest_box.value()
        mask = np.zeros(len(latent), dtype=np.bool_)
        mask[nearest_k(latent.mu, z, k)] = True
        pick = self._session.pick_now
        place = "the shown state" if pick is None else f"particle {pick.row}"
        self._session.selections.apply(mask, self.how, f"{k:,} nearest in z to {place}")

    def shutdown(self) -> None:
        """Count no more."""
        self._timer.stop()
        self._counts.stop()
        self.expression.shutdown()

    def _place(self) -> np.ndarray | None:
        state = self._session.state_now
        return None if state is None else np.asarray(state.z)

    def _count(self) -> None:
        conditions, latent = self.rows.conditions(), self._latent
        self.select_button.setEnabled(bool(conditions))
        if latent is None or not conditions:
            self._counts.cancel()
            self.count_label.setText("Type a bound to see how many particles it leaves")
            return
        self._counts.request(partial(fulfilling, latent.columns, conditions))

    def _show_count(self, mask: Mask) -> None:
        self.count_label.setText(
            count_text(int(np.count_nonzero(mask)), len(mask)).replace("selected", "fulfil this")
        )

    def _lay_out(self) -> None:
        how = QHBoxLayout()
        how.addWidget(QLabel("With the particles found:"))
        how.addWidget(self.how_box)
        how.addStretch(1)
        line = QHBoxLayout()
        line.addWidget(self.count_label, 1)
        line.addWidget(self.rows.add_button)
        line.addWidget(self.select_button)
        typed = QHBoxLayout()
        typed.addWidget(self.expression, 1)
        typed.addWidget(self.expression_button, 0, Qt.AlignmentFlag.AlignTop)
        nearest = QHBoxLayout()
        nearest.addWidget(self.nearest_box)
        nearest.addWidget(QLabel("nearest in z to the shown state"), 1)
        nearest.addWidget(self.nearest_button)
        self.nearest_box.setGroupSeparatorShown(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(how)
        layout.addWidget(_heading("Values between"))
        layout.addWidget(self.rows)
        layout.addLayout(line)
        layout.addWidget(_heading("Expression"))
        layout.addLayout(typed)
        layout.addWidget(_heading("Neighbours"))
        layout.addLayout(nearest)
        layout.addStretch(1)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def how_box() -> QComboBox:
    """A box to choose what is done with particles that are found."""
    box = QComboBox()
    for words, _ in HOWS:
        box.addItem(words)
    box.setToolTip("What to do with them, as Shift and Alt do it in the plot")
    return box
