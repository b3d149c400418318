"""The session's selections on the latent plot: drawn in their colours, chosen by the legend."""

from __future__ import annotations

from collections.abc import Collection
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd
from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.latent_tool import PlotForTools
from napari_cryodrgn.widgets.selection_marks import BAD_COLOUR, GOOD_COLOUR
from napari_cryodrgn.widgets.selection_modes import combine_of
from napari_cryodrgn.widgets.shortcuts import bind

WORKING_COLOUR = "#ff4fd8"
"""Of the working selection on the plot and in the dock; no class has it."""


class HiddenSelections:
    """Which named selections are not to be drawn.

    Attributes
    ----------
    changed : Signal()
        Another choice.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()

    def show(self, name: str, shown: bool) -> None:
        """Draw a named selection, or do not."""
        names = self.names - {name} if shown else self.names | {name}
        if names != self.names:
            self.names = names
            self.changed.emit()

    def rename(self, old: str, new: str) -> None:
        """Keep the choice for a selection that has another name now."""
        if old in self.names:
            self.names = (self.names - {old}) | {new}


# Plot and dock find it by the book of their session, and neither knows the other.
_HIDDEN: WeakKeyDictionary[SelectionBook, HiddenSelections] = WeakKeyDictionary()


def hidden_selections(book: SelectionBook) -> HiddenSelections:
    """What is not to be drawn of a book's named selections, made when first asked for."""
    return _HIDDEN.setdefault(book, HiddenSelections())


class SelectionsOnPlot(QObject):
    """Draws the selections of a session on a plot for as long as both are there.

    Parameters
    ----------
    plot : PlotForTools
        Where to draw.
    session : Session
        Whose selections.
    """

    def __init__(self, plot: PlotForTools, session: Session) -> None:
        super().__init__()
        self._plot, self._book = plot, session.selections
        self._hidden = hidden_selections(self._book)
        self._signals = (
            self._book.changed,
            self._book.named_changed,
            self._hidden.changed,
            self._book.marks_changed,
        )
        for signal in self._signals:
            signal.connect(self.draw)

    def draw(self, *_: object) -> None:
        """Draw the selections as they are now: the working one over those with names."""
        latent = self._plot.latent
        if latent is None or len(latent) != len(self._book.mask):
            self._plot.set_selection_masks([])
            return
        masks = [
            (selection.mask, selection.colour)
            for selection in self._book.named
            if selection.name not in self._hidden.names
        ]
        if self._book.count:
            masks.append((self._book.mask, WORKING_COLOUR))
        marks = self._book.marks
        for marked, colour in ((marks.good, GOOD_COLOUR), (marks.bad, BAD_COLOUR)):
            if marked.any():
                masks.append((marked, colour))
        self._plot.set_selection_masks(masks)

    def choose_class(self, column: str, value: str, modifiers: Collection[str]) -> None:
        """Select the particles of one class of a column: its legend entry was clicked.

        Parameters
        ----------
        column : str
            Column that the plot is coloured by.
        value : str
            The class as the legend writes it.
        modifiers : collection of str
            Keys held, which say what is done with them.
        """
        latent = self._plot.latent
        if latent is None or column not in latent.columns:
            return
        mask = of_class(latent.columns[column], value)
        if mask.any():
            made = f"{column_title(column)} = {value}"
            self._book.apply(mask, combine_of(modifiers), made)

    def shutdown(self) -> None:
        """Draw no more."""
        for signal in self._signals:
            signal.disconnect(self.draw, missing_ok=True)


def of_class(values: pd.Series, name: str) -> npt.NDArray[np.bool_]:
    """Which particles belong to the class that is written like this."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        kinds = [str(kind) for kind in values.cat.categories]
        code = kinds.index(name) if name in kinds else -2
        return np.asarray(values.cat.codes == code)
    return np.asarray(values.astype(str) == name)


def add_undo_keys(widget: QWidget, book: SelectionBook) -> None:
    """Undo with Ctrl+Z, redo with Ctrl+Shift+Z, while the focus is in a widget."""
    bind(widget, "Ctrl+Z", "Undo the last change of the selection", book.undo)
    bind(widget, "Ctrl+Shift+Z", "Redo it", book.redo)
