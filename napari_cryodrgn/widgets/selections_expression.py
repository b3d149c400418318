"""Selecting by a typed expression, counted as it is typed, with its errors shown where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from qtpy.QtCore import QStringListModel, Qt, QTimer, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QCompleter, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.expression import matching
from napari_cryodrgn.latent.expression_errors import ExpressionError
from napari_cryodrgn.latent.selection import Mask
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.selections_working import count_text
from napari_cryodrgn.widgets.theme import ERROR_COLOUR

EXAMPLE = "kmeans in [1, 4] and defocus_u < 20000"
TIP = (
    "Columns by name, numbers, < <= > >= == !=, in […], and, or, not, brackets, "
    "abs(), sqrt(), log(), isnan(). The command line's select --where takes the same."
)
COUNT_AFTER = 250
"""Typing that rests for this long, ms, is worked out."""


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What an expression gives: the particles, or what is wrong with it."""

    text: str
    mask: Mask | None
    error: str = ""


class ExpressionBox(QWidget):
    """A line to type an expression in, with its count or its error below.

    `found` carries whether there is an expression that can be used, `entered` comes with Enter.
    """

    found = Signal(bool)
    entered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._columns = pd.DataFrame()
        self._outcome: _Outcome | None = None
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(EXAMPLE)
        self.edit.setToolTip(TIP)
        self.edit.setClearButtonEnabled(True)
        self.answer = QLabel()
        self.answer.setTextFormat(Qt.TextFormat.PlainText)
        self.answer.setWordWrap(False)
        self._names = QStringListModel(self)
        completer = QCompleter(self._names, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setWidget(self.edit)
        completer.activated.connect(self._complete)
        self._completer = completer
        self._latest: Latest[_Outcome] = Latest(self._show, "expression")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COUNT_AFTER)
        self._timer.timeout.connect(self._work_out)
        self.edit.textChanged.connect(self._typed)
        self.edit.textEdited.connect(self._offer_names)
        self.edit.returnPressed.connect(self.entered)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.edit)
        layout.addWidget(self.answer)
        self._show_nothing()

    @property
    def text(self) -> str:
        """What is typed."""
        return self.edit.text().strip()

    @property
    def mask(self) -> Mask | None:
        """The particles that fulfil what is typed; None where that is not known, or wrong."""
        outcome = self._outcome
        return None if outcome is None or outcome.text != self.text else outcome.mask

    def set_columns(self, columns: pd.DataFrame) -> None:
        """Ask about these columns; what was typed stays."""
        self._columns = columns
        self._names.setStringList([str(name) for name in columns.columns])
        self._work_out()

    def shutdown(self) -> None:
        """Work nothing out any more."""
        self._timer.stop()
        self._latest.stop()

    def _typed(self, *_: object) -> None:
        self.found.emit(False)
        self._timer.start()

    def _work_out(self) -> None:
        if not self.text or not len(self._columns):
            self._latest.cancel()
            self._show_nothing()
            return
        self._latest.request(partial(_worked_out, self.text, self._columns))

    def _show(self, outcome: _Outcome) -> None:
        self._outcome = outcome
        if outcome.text != self.text:
            return
        if outcome.mask is None:
            self.answer.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
            self.answer.setStyleSheet(f"color: {ERROR_COLOUR};")
            self.answer.setText(outcome.error)
        else:
            self._plain()
            count = int(np.count_nonzero(outcome.mask))
            self.answer.setText(
                count_text(count, len(outcome.mask)).replace("selected", "fulfil this")
            )
        self.found.emit(outcome.mask is not None)

    def _show_nothing(self) -> None:
        self._outcome = None
        self._plain()
        self.answer.setText("")
        self.found.emit(False)

    def _plain(self) -> None:
        self.answer.setFont(self.font())
        self.answer.setStyleSheet("")

    def _offer_names(self, *_: object) -> None:
        word = _word_before(self.edit.text(), self.edit.cursorPosition())
        self._completer.setCompletionPrefix(word)
        known = self._completer.currentCompletion()
        if len(word) < 2 or not known or known == word:
            self._completer.popup().hide()
        else:
            self._completer.complete()

    def _complete(self, name: str) -> None:
        text, end = self.edit.text(), self.edit.cursorPosition()
        start = end - len(_word_before(text, end))
        written = name if name.isidentifier() else f"`{name}`"
        self.edit.setText(text[:start] + written + text[end:])
        self.edit.setCursorPosition(start + len(written))


def _worked_out(text: str, columns: pd.DataFrame) -> _Outcome:
    try:
        return _Outcome(text, matching(text, columns))
    except ExpressionError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        return _Outcome(text, None, f"{error.marked}\n{error.problem}{hint}")
    except InputError as error:
        return _Outcome(text, None, str(error))


def _word_before(text: str, end: int) -> str:
    """The name that is being typed."""
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:end]
