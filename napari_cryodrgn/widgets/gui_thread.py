"""The way from other threads to the GUI thread.

A `QObject` whose last reference is dropped on another thread is deleted there, while the GUI
thread may be handing it what had been posted to it, and the program dies. Therefore one postman
lives as long as the program, and what a thread held of the window goes back with its last call.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache, partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal

Call = Callable[[], object]


class _Postman(QObject):
    """Carries boxes with a call in each."""

    posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.posted.connect(self._open)

    def _open(self, box: list[Call]) -> None:
        box.pop()()


@cache
def _postman() -> _Postman:
    postman = _Postman()
    application = QCoreApplication.instance()
    if application is not None:
        postman.moveToThread(application.thread())
    return postman


class GuiThread:
    """Brings calls from other threads to the GUI thread, on which it is made."""

    def __init__(self) -> None:
        self._postman = _postman()

    def post(self, call: Call) -> None:
        """Have this called soon on the GUI thread; at once where that is this thread."""
        self._postman.posted.emit([call])

    def work_in(self, pool: Executor, work: Callable[[], Call]) -> None:
        """Do some work on a thread of a pool, and call what it returns on the GUI thread.

        The work ends there too, with all that it refers to, as widgets must.
        """
        pool.submit(_work, [work], self._postman)


def _work(box: list[Any], postman: _Postman) -> None:
    """Do what lies in the box, and send it back in there: the thread keeps no reference to it."""
    work: Callable[[], Call] = box.pop()
    box.append(partial(_call, work(), work))
    del work
    postman.posted.emit(box)


def _call(call: Call, _work: object) -> None:
    call()
