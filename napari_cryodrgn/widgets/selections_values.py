"""Selecting by value: rows of 'column between a and b', all of which must hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtGui import QDoubleValidator
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.widgets.latent_axes import axis_columns, column_title, value_text


@dataclass(frozen=True)
class Between:
    """One condition: a column's value lies between two bounds, both included.

    Parameters
    ----------
    column : str
        The column.
    low, high : float
        Bounds; infinite where there is none.
    """

    column: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
        """The condition in words: 'Defocus U (Å) from 1e+04 to 2e+04'."""
        title = column_title(self.column)
        if math.isinf(self.low) and math.isinf(self.high):
            return f"{title} known"
        if math.isinf(self.low):
            return f"{title} ≤ {value_text(self.high)}"
        if math.isinf(self.high):
            return f"{title} ≥ {value_text(self.low)}"
        return f"{title} {value_text(self.low)} to {value_text(self.high)}"


def fulfilling(columns: pd.DataFrame, conditions: Sequence[Between]) -> npt.NDArray[np.bool_]:
    """Particles of which all conditions hold; one without a value fulfils none on it.

    Parameters
    ----------
    columns : DataFrame
        N rows.
    conditions : sequence of Between
        On numerical columns of it.

    Returns
    -------
    (N,) bool array
    """
    mask = np.ones(len(columns), dtype=np.bool_)
    for condition in conditions:
        values = columns[condition.column].to_numpy(np.float64, na_value=np.nan)
        mask &= (values >= condition.low) & (values <= condition.high)
    return mask


class BetweenRow(QWidget):
    """One condition: a column and two bounds, either of which may be empty."""

    changed = Signal()
    removed = Signal(object)

    def __init__(self, columns: pd.DataFrame, column: str) -> None:
        super().__init__()
        self._columns = columns
        self.column_box = QComboBox()
        self.column_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.column_box.setMinimumContentsLength(9)
        for name in axis_columns(columns):
            self.column_box.addItem(column_title(name), name)
        self.column_box.setCurrentIndex(max(0, self.column_box.findData(column)))
        self.low_box, self.high_box = QLineEdit(), QLineEdit()
        self.remove_button = QToolButton()
        self.remove_button.setText("✕")
        self.remove_button.setAutoRaise(True)
        self.remove_button.setToolTip("Leave this condition out")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.column_box, 3)
        line.addWidget(QLabel("from"))
        line.addWidget(self.low_box, 2)
        line.addWidget(QLabel("to"))
        line.addWidget(self.high_box, 2)
        line.addWidget(self.remove_button)
        for box in (self.low_box, self.high_box):
            box.setValidator(QDoubleValidator())
            box.textChanged.connect(self._tell)
        self.column_box.currentIndexChanged.connect(self._show_range)
        self.remove_button.clicked.connect(partial(self.removed.emit, self))
        self._show_range()

    def condition(self) -> Between | None:
        """What is asked for; None where neither bound is given."""
        low, high = _number(self.low_box.text()), _number(self.high_box.text())
        if low is None and high is None:
            return None
        column = str(self.column_box.currentData())
        return Between(
            column, -math.inf if low is None else low, math.inf if high is None else high
        )

    def set_columns(self, columns: pd.DataFrame) -> None:
        """Offer other columns; the chosen one stays where it is still there."""
        self._columns = columns
        chosen = self.column_box.currentData()
        self.column_box.blockSignals(True)
        self.column_box.clear()
        for name in axis_columns(columns):
            self.column_box.addItem(column_title(name), name)
        self.column_box.setCurrentIndex(max(0, self.column_box.findData(chosen)))
        self.column_box.blockSignals(False)
        self._show_range()

    def _show_range(self, *_: object) -> None:
        name = self.column_box.currentData()
        if name is None:
            return
        values = self._columns[name].to_numpy(np.float64, na_value=np.nan)
        finite = values[np.isfinite(values)]
        bounds = (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
        for box, bound, word in zip(
            (self.low_box, self.high_box), bounds, ("lowest", "highest"), strict=True
        ):
            box.setPlaceholderText(value_text(bound))
            box.setToolTip(f"The {word} value is {value_text(bound)}; empty: no bound")
        self._tell()

    def _tell(self, *_: object) -> None:
        self.changed.emit()


class BetweenRows(QWidget):
    """Conditions under one another; `changed` when what they ask for is another.

    `add_button`, for one more, is for whoever holds the rows to place.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[BetweenRow] = []
        self._columns = pd.DataFrame()
        self.add_button = QPushButton("And…")
        self.add_button.setToolTip("One more column, whose bounds must hold too")
        self.add_button.clicked.connect(self._add_from_button)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)

    def set_columns(self, columns: pd.DataFrame) -> None:
        """Ask about these columns; what was typed stays."""
        self._columns = columns
        for row in self.rows:
            row.set_columns(columns)
        if not self.rows and len(columns.columns):
            self.add()

    def add(self, column: str | None = None) -> BetweenRow:
        """Put one more row at the end, on a column that no other row asks about."""
        asked = {row.column_box.currentData() for row in self.rows}
        free = [name for name in axis_columns(self._columns) if name not in asked]
        row = BetweenRow(self._columns, column or (free[0] if free else "z0"))
        row.changed.connect(self.changed)
        row.removed.connect(self.remove)
        self.rows.append(row)
        self._layout.addWidget(row)
        self.changed.emit()
        return row

    def remove(self, row: BetweenRow) -> None:
        """Leave a row out; the last one is only emptied."""
        if len(self.rows) == 1:
            row.low_box.clear()
            row.high_box.clear()
            return
        self.rows.remove(row)
        self._layout.removeWidget(row)
        row.deleteLater()
        self.changed.emit()

    def conditions(self) -> list[Between]:
        """All that is asked for."""
        return [found for row in self.rows if (found := row.condition()) is not None]

    def _add_from_button(self, *_: object) -> None:
        self.add()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
