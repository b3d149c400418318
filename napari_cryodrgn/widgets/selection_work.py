"""Finding out beside the window which particles lie within a shape, gesture after gesture."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from napari_cryodrgn.widgets.gui_thread import GuiThread

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class InOrder(Generic[Result]):
    """Computes on one thread of its own and delivers everything, in the order it was asked for.

    Unlike `background.Latest`, which drops what is overtaken: of two quick gestures both count.

    Parameters
    ----------
    name : str
        Name of the thread, which ends with this object.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._gui = GuiThread()
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """Whether something asked for has not been delivered."""
        return self._waiting > 0

    def request(self, compute: Callable[[], Result], done: Callable[[Result], object]) -> None:
        """Compute this, and call `done` with the result on the GUI thread."""
        self._waiting += 1
        self._gui.work_in(self._pool, partial(self._work, compute, done))

    def _work(
        self, compute: Callable[[], Result], done: Callable[[Result], object]
    ) -> Callable[[], None]:
        try:
            result = compute()
        except Exception:
            # A fault of ours; the thread must live on for the next gesture.
            logger.exception("A selection failed")
            return self._forget
        return partial(self._deliver, result, done)

    def _forget(self) -> None:
        self._waiting -= 1

    def _deliver(self, result: Result, done: Callable[[Result], object]) -> None:
        self._waiting -= 1
        done(result)
