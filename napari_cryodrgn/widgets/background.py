"""Short computations beside the window, where only the latest one matters."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from napari_cryodrgn.widgets.gui_thread import GuiThread

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Latest(Generic[Result]):
    """Computes on one thread of its own; a newer request replaces what waits before it.

    Parameters
    ----------
    done : callable
        Called on the GUI thread with each result that is still wanted.
    name : str
        Name of the thread.
    every : bool
        Whether to deliver also what has been computed when a newer request came meanwhile: a
        drag then shows how it goes, instead of nothing until it rests.
    """

    def __init__(self, done: Callable[[Result], object], name: str, *, every: bool = False) -> None:
        self._done = done
        self._every = every
        self._cancelled = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._gui = GuiThread()
        self._wanted = 0
        self._stopped = False
        # At most one waits for the window: where that is slow, the newest takes its place.
        self._ready: deque[tuple[int, Result]] = deque(maxlen=1)

    def request(self, compute: Callable[[], Result]) -> None:
        """Compute this, unless something newer is requested before its turn."""
        self._wanted += 1
        if not self._stopped:
            self._gui.work_in(self._pool, partial(self._work, self._wanted, compute))

    def cancel(self) -> None:
        """Want nothing of what was requested."""
        self._wanted += 1
        self._cancelled = self._wanted

    def stop(self) -> None:
        """Drop what waits; nothing is delivered any more."""
        self._stopped = True
        self._wanted += 1
        self._done = _nothing  # what is still being computed keeps no window alive
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, number: int, compute: Callable[[], Result]) -> Callable[[], None]:
        """Compute on the thread, unless something newer has been requested since."""
        if number == self._wanted:
            try:
                self._ready.append((number, compute()))
            except Exception:
                # A fault of ours; the thread must live on for the next request.
                logger.exception("A computation for the window failed")
        return self._deliver

    def _deliver(self) -> None:
        if not self._ready:
            return
        number, result = self._ready.pop()
        wanted = number > self._cancelled if self._every else number == self._wanted
        if wanted and not self._stopped:
            self._done(result)


def _nothing(_: object) -> None:
    """Take nothing any more."""
