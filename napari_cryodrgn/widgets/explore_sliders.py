"""The sliders of all latent coordinates, or of all principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.latent.marginals import Marginal
from napari_cryodrgn.widgets.explore_slider import STEPS, DensitySlider
from napari_cryodrgn.widgets.theme import ThemeColours

LIMIT = 1e6
DECIMALS = 3


class CalmNumber(QDoubleSpinBox):
    """A number that does not change when one scrolls past it."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt
        """Leave the wheel to the scroll area, unless one is at work here."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


@dataclass(frozen=True, eq=False)
class _Row:
    label: QLabel
    slider: DensitySlider
    number: CalmNumber


class LatentSliders(QScrollArea):
    """One row a coordinate: name, slider over the particles' distribution, number.

    `moved` carries the row's number and its value while a slider is dragged, `settled` when
    it is let go or a number was typed. Setting values announces nothing.
    """

    moved = Signal(int, float)
    settled = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._colours: ThemeColours | None = None
        content = QWidget()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 6, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._grid)
        column.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    @property
    def names(self) -> list[str]:
        """What the rows are called."""
        return [str(row.label.text()) for row in self._rows]

    @property
    def dragging(self) -> bool:
        """Whether the mouse holds a slider."""
        return any(row.slider.dragging for row in self._rows)

    def slider(self, index: int) -> DensitySlider:
        """The slider of a row."""
        return self._rows[index].slider

    def number(self, index: int) -> QDoubleSpinBox:
        """The number of a row."""
        return self._rows[index].number

    def set_colours(self, colours: ThemeColours) -> None:
        """Paint in a theme's colours."""
        self._colours = colours
        for row in self._rows:
            row.slider.set_colours(colours)

    def set_coordinates(self, names: Sequence[str], tips: Sequence[str]) -> None:
        """Have these rows; their distributions are yet to come."""
        if len(names) != len(self._rows):
            self._rebuild(len(names))
        for row, name, tip in zip(self._rows, names, tips, strict=True):
            row.label.setText(name)
            row.label.setToolTip(tip)
            row.slider.setToolTip(tip)

    def set_marginals(self, marginals: Sequence[Marginal]) -> None:
        """Show these distributions behind the sliders."""
        for row, marginal in zip(self._rows, marginals, strict=True):
            row.slider.set_marginal(marginal)
            row.number.setSingleStep((marginal.high - marginal.low) / STEPS)

    def set_values(self, values: Sequence[float] | None) -> None:
        """Show these values, or none; announces nothing."""
        for index, row in enumerate(self._rows):
            value = None if values is None else float(values[index])
            if not row.slider.dragging:
                row.slider.set_value(value)
            if value is not None:
                row.number.blockSignals(True)
                row.number.setValue(value)
                row.number.blockSignals(False)

    def _rebuild(self, n: int) -> None:
        for row in self._rows[n:]:
            for widget in (row.label, row.slider, row.number):
                self._grid.removeWidget(widget)
                widget.deleteLater()
        self._rows = self._rows[:n]
        for index in range(len(self._rows), n):
            self._rows.append(self._new_row(index))

    def _new_row(self, index: int) -> _Row:
        row = _Row(QLabel(), DensitySlider(), CalmNumber())
        row.number.setRange(-LIMIT, LIMIT)
        row.number.setDecimals(DECIMALS)
        row.number.setKeyboardTracking(False)
        row.number.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row.number.setFixedWidth(92)
        row.number.setToolTip("Type a value and press Enter")
        if self._colours is not None:
            row.slider.set_colours(self._colours)
        row.slider.moved.connect(partial(self._move, index))
        row.slider.settled.connect(partial(self.settled.emit, index))
        row.number.valueChanged.connect(partial(self.settled.emit, index))
        for column, widget in enumerate((row.label, row.slider, row.number)):
            self._grid.addWidget(widget, index, column)
        return row

    def _move(self, index: int, value: float) -> None:
        number = self._rows[index].number
        number.blockSignals(True)
        number.setValue(value)
        number.blockSignals(False)
        self.moved.emit(index, value)
