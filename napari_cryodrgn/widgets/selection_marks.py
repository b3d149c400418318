"""Particles marked as good or bad by hand, from which junk is learnt."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.latent.selection import Mask
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.particles import ParticleRows

GOOD_COLOUR, BAD_COLOUR = "#2fbf8f", "#e5484d"


class JunkMarks:
    """Which particles are marked good, which bad.

    Attributes
    ----------
    changed : Signal()
        Other marks.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._rows = ParticleRows.every(0)
        self._marks = np.zeros(0, dtype=np.int8)

    def set_rows(self, rows: ParticleRows) -> None:
        """Speak of these particles; marks of others are forgotten."""
        if rows != self._rows:
            self._rows, self._marks = rows, np.zeros(len(rows), dtype=np.int8)
            self.changed.emit()

    @property
    def good(self) -> Mask:
        """Those marked good, (N,) bool."""
        return self._marks > 0

    @property
    def bad(self) -> Mask:
        """Those marked bad, (N,) bool."""
        return self._marks < 0

    def mark(self, which: int | npt.NDArray[np.bool_], good: bool | None) -> None:
        """Mark a particle, by its position, or those of a mask; None takes the mark away."""
        self._marks[which] = 0 if good is None else 1 if good else -1
        self.changed.emit()

    def clear(self) -> None:
        """Forget all marks."""
        self._marks[:] = 0
        self.changed.emit()


# Plot, tool and dock find them by the book of their session.
_MARKS: WeakKeyDictionary[SelectionBook, JunkMarks] = WeakKeyDictionary()


def junk_marks(book: SelectionBook) -> JunkMarks:
    """The marks of a session, made when first asked for, over the particles of its book."""
    marks = _MARKS.setdefault(book, JunkMarks())
    marks.set_rows(book.rows)
    return marks
