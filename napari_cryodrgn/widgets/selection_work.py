"""Finding out beside the window which particles lie within a shape, gesture after gesture."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

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
        self._pool.submit(_work, [_Asked(self, compute, done)], self._gui)

    def _forget(self) -> None:
        self._waiting -= 1

    def _deliver(self, result: Result, done: Callable[[Result], object]) -> None:
        self._waiting -= 1
        done(result)


@dataclass(frozen=True)
class _Asked(Generic[Result]):
    """One request; the thread holds nothing else of the window."""

    owner: InOrder[Result]
    compute: Callable[[], Result]
    done: Callable[[Result], object]

    def worked_out(self) -> Callable[[], None]:
        """Compute; what is to be called on the GUI thread."""
        try:
            result = self.compute()
        except Exception:
            # A fault of ours; the thread must live on for the next gesture.
            logger.exception("A selection failed")
            return self.owner._forget
        return partial(self.owner._deliver, result, self.done)


def _work(box: list[Any], gui: GuiThread) -> None:
    """Compute what lies in the box, and hand it back: widgets must not end on this thread."""
    asked: _Asked[Any] = box.pop()
    box.append(partial(_in_turn, asked.worked_out(), asked))
    del asked
    gui.hand_over(box)


def _in_turn(call: Callable[[], None], _held: object) -> None:
    call()
