"""Editors of single values: one small Qt widget for each kind of model field.

An editor holds what the user typed, valid or not; the model that the form
belongs to parses and judges it. Empty means None wherever None is allowed.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QValidator, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)

AUTOMATIC = "auto"
LARGEST_INTEGER = 2**31 - 1
# Whole numbers that may grow beyond this are sizes of layers: stepped by doubling.
DOUBLING_FROM = 1024


@dataclass(frozen=True)
class Editor:
    """A widget and how to read, fill and follow it.

    Parameters
    ----------
    widget : QWidget
        What is shown.
    read : callable
        Returns the content as it stands.
    write : callable
        Shows a value.
    changed : Qt signal
        Emitted, with or without arguments, when the content changes.
    """

    widget: QWidget
    read: Callable[[], Any]
    write: Callable[[Any], None]
    changed: Any


def editor_for(field: FieldInfo) -> Editor:
    """The editor that suits a model field.

    Parameters
    ----------
    field : FieldInfo
        Of a pydantic model: annotation, bounds, title.

    Returns
    -------
    Editor

    Raises
    ------
    TypeError
        Where there is no editor for the field's type.
    """
    kinds, optional = _alternatives(field.annotation)
    choices = [value for kind in kinds for value in get_args(kind) if get_origin(kind) is Literal]
    if choices:
        return _choice_editor(choices, free_text=len(kinds) > 1, optional=optional)
    kind = kinds[0]
    if kind is bool:
        return _bool_editor()
    if kind is Path:
        return _path_editor(folder="folder" in (field.title or "").lower(), optional=optional)
    if get_origin(kind) is tuple:
        return _tuple_editor(optional)
    if kind in (int, float, str) and (optional or kind is str):
        return _text_editor(optional)
    if kind is int:
        return _integer_editor(field)
    if kind is float:
        return _number_editor(field)
    raise TypeError(f"no editor for fields of type {field.annotation}")


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest value a field takes (an open bound counts as closed)."""
    low = high = None
    for constraint in field.metadata:
        low = getattr(constraint, "ge", getattr(constraint, "gt", low))
        high = getattr(constraint, "le", getattr(constraint, "lt", high))
    return low, high


def next_in_series(value: float, up: bool) -> float:
    """The neighbour of a value in 1, 2, 5, 10, 20 …; from 0 up to 1e-6.

    Parameters
    ----------
    value : float
        Not negative.
    up : bool
        Whether the larger neighbour is wanted.
    """
    if value <= 0:
        return 1e-6 if up else 0.0
    exponent = math.floor(math.log10(value)) - 1
    series = [base * 10.0 ** (exponent + k) for k in range(4) for base in (1, 2, 5)]
    if up:
        return next(step for step in series if step > value * (1 + 1e-9))
    return next(step for step in reversed(series) if step < value * (1 - 1e-9))


class _QuietWheel:
    """Leaves the wheel to the scroll area unless the editor has the keyboard."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        if self.hasFocus():  # type: ignore[attr-defined]
            super().wheelEvent(event)  # type: ignore[misc]
        else:
            event.ignore()


class IntegerBox(_QuietWheel, QSpinBox):
    """Whole number; sizes of layers double and halve, others step by their magnitude."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.setRange(
            -LARGEST_INTEGER if low is None else int(low),
            LARGEST_INTEGER if high is None else int(high),
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.doubling = high is not None and high > DOUBLING_FROM

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Step `steps` times up, or down where it is negative."""
        if not self.doubling:
            super().stepBy(steps)
            return
        exponent = math.log2(max(1, self.value()))
        # From 300 up to 512 and down to 256, not to 600 and 150.
        exponent = math.floor(exponent) + steps if steps > 0 else math.ceil(exponent) + steps
        self.setValue(2 ** max(0, min(exponent, 30)))


class NumberBox(_QuietWheel, QDoubleSpinBox):
    """Real number, shown as short as it can be ('0.0001', '1e-06').

    Where both bounds are known the steps are even; else they follow 1, 2, 5.
    """

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        # The spin box rounds its value to this many decimals.
        self.setDecimals(12)
        self.setRange(-1e12 if low is None else low, 1e12 if high is None else high)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._even_step = 0.05 * (high - low) if low is not None and high is not None else None

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """The value as text."""
        return f"{value:.10g}"

    def valueFromText(self, text: str) -> float:  # noqa: N802
        """The text as a value."""
        return float(text.replace(",", "."))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Tell whether the text is a number within the bounds, or may become one."""
        try:
            value = self.valueFromText(text)
        except ValueError:
            typing = all(letter in "0123456789.,eE+-" for letter in text)
            state = QValidator.State.Intermediate if typing else QValidator.State.Invalid
            return state, text, position
        inside = self.minimum() <= value <= self.maximum()
        state = QValidator.State.Acceptable if inside else QValidator.State.Intermediate
        return state, text, position

    def stepBy(self, steps: int) -> None:  # noqa: N802
        """Step `steps` times up, or down where it is negative."""
        value = self.value()
        if self._even_step is not None:
            value += steps * self._even_step
        else:
            for _ in range(abs(steps)):
                value = next_in_series(value, steps > 0)
        self.setValue(value)


class ChoiceBox(_QuietWheel, QComboBox):
    """One of several values."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # A long choice must not widen the dock.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)


class PathEdit(QLineEdit):
    """Path that also takes a file dropped from a file manager."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take local files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show the path of the first file dropped."""
        local = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if not local:
            super().dropEvent(event)
            return
        self.setText(local[0])
        event.acceptProposedAction()


class PathRow(QWidget):
    """A path and a button to browse for it.

    Parameters
    ----------
    folder : bool
        Whether a folder is asked for, not a file.
    file_filter : str
        Of the file dialog, in Qt's form.
    """

    def __init__(self, *, folder: bool, file_filter: str = "", caption: str = "") -> None:
        super().__init__()
        self._folder = folder
        self._filter = file_filter
        self._caption = caption or ("Choose a folder" if folder else "Choose a file")
        self.edit = PathEdit()
        self.edit.setMinimumWidth(60)
        self.browse_button = QToolButton()
        self.browse_button.setText("…")
        self.browse_button.setToolTip(self._caption)
        self.browse_button.clicked.connect(self.browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.browse_button)
        self.setFocusProxy(self.edit)

    def path(self) -> Path | None:
        """What stands there; None where nothing does."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def set_path(self, path: str | Path | None) -> None:
        """Show a path."""
        self.edit.setText("" if path is None else str(path))

    def set_filter(self, file_filter: str) -> None:
        """Files that the dialog offers, in Qt's form."""
        self._filter = file_filter

    def browse(self) -> None:
        """Ask for a path with the system's dialog."""
        start = self.edit.text().strip() or str(Path.home())
        if self._folder:
            chosen = QFileDialog.getExistingDirectory(self, self._caption, start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self._caption, start, self._filter)
        if chosen:
            self.set_path(chosen)


def _alternatives(annotation: Any) -> tuple[list[Any], bool]:
    """Types an annotation allows, without None, and whether None is allowed."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    kinds = [part for part in parts or (annotation,) if part is not type(None)]
    return kinds, len(kinds) < len(parts)


def _bool_editor() -> Editor:
    box = QCheckBox()
    return Editor(box, box.isChecked, box.setChecked, box.toggled)


def _integer_editor(field: FieldInfo) -> Editor:
    box = IntegerBox(*bounds(field))
    return Editor(box, box.value, box.setValue, box.valueChanged)


def _number_editor(field: FieldInfo) -> Editor:
    box = NumberBox(*bounds(field))
    return Editor(box, box.value, box.setValue, box.valueChanged)


def _text_editor(optional: bool) -> Editor:
    edit = QLineEdit()
    edit.setPlaceholderText(AUTOMATIC if optional else "")

    def write(value: Any) -> None:
        shown = f"{value:.10g}" if isinstance(value, float) else str(value)
        edit.setText("" if value is None else shown)

    return Editor(edit, lambda: edit.text().strip() or None, write, edit.textChanged)


def _tuple_editor(optional: bool) -> Editor:
    edit = QLineEdit()
    edit.setPlaceholderText(AUTOMATIC if optional else "")

    def read() -> list[str] | None:
        text = edit.text().strip()
        return [part.strip() for part in text.split(",")] if text else None

    def write(value: Any) -> None:
        edit.setText("" if value is None else ", ".join(f"{part:.10g}" for part in value))

    return Editor(edit, read, write, edit.textChanged)


def _choice_editor(choices: list[Any], *, free_text: bool, optional: bool) -> Editor:
    box = ChoiceBox()
    box.setEditable(free_text)
    box.addItems([str(choice) for choice in choices])
    if free_text:
        box.lineEdit().setPlaceholderText(AUTOMATIC if optional else "")

    def read() -> str | None:
        return box.currentText().strip() or None

    def write(value: Any) -> None:
        text = "" if value is None else str(value)
        if free_text:
            box.setCurrentText(text)
        else:
            box.setCurrentIndex(box.findText(text))

    return Editor(box, read, write, box.currentTextChanged)


def _path_editor(*, folder: bool, optional: bool) -> Editor:
    row = PathRow(folder=folder)
    row.edit.setPlaceholderText("none" if optional else "")
    return Editor(row, row.path, row.set_path, row.edit.textChanged)
