"""Keeps Python's garbage collector from holding the window up.

napari and the libraries behind it leave about a million objects in memory for good. Each full
collection walks through all of them, which takes 0.3 s and more, on whichever thread happens to
make one object too many, and no other thread runs meanwhile. What has proved to be alive is
therefore set aside ("frozen") for as long as a window needs to answer: the next collections look
at what is newer, and take a few ms.
"""

from __future__ import annotations

import gc
import time
from typing import Any, Literal

from qtpy.QtCore import QTimer

from napari_cryodrgn.widgets.freed_memory import give_back

LONG = 0.03
"""A full collection that takes longer has what it left set aside, seconds."""


class QuietCollector:
    """Sets lasting objects aside while somebody holds it.

    What is set aside and falls out of use in a circle of references is freed when nobody holds
    it any more; all else is freed at once, as ever.
    """

    def __init__(self) -> None:
        self._held = 0
        self._begun = 0.0

    def hold(self) -> None:
        """Set aside what there is, and from now on what long collections leave."""
        self._held += 1
        if self._held == 1:
            gc.freeze()
            gc.callbacks.append(self._watch)

    def let_go(self) -> None:
        """End one `hold`; with the last, everything is collected as ever."""
        self._held -= 1
        if self._held == 0:
            gc.callbacks.remove(self._watch)
            gc.unfreeze()
            # Here and soon: a collection on another thread would end widgets on that thread.
            QTimer.singleShot(0, _collect)

    def _watch(self, phase: Literal["start", "stop"], info: dict[str, Any]) -> None:
        if phase == "start":
            self._begun = time.perf_counter()
        elif info["generation"] == 2 and time.perf_counter() - self._begun > LONG:
            gc.freeze()


def _collect() -> None:
    gc.collect()
    give_back()


QUIET = QuietCollector()
"""The one of this process: there is one garbage collector."""
