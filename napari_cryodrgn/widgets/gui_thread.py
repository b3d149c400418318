"""The way from other threads to the GUI thread.

A `QObject` whose last reference is dropped on another thread is deleted there, while the GUI
thread may be handing it what had been posted to it, and the program dies. Therefore one postman
lives as long as the program, and what a thread held of the window goes back with its last call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

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

    def hand_over(self, box: list[Call]) -> None:
        """The same with the call in a box, which is empty afterwards.

        Who puts a call there and keeps no other reference to it lets go of all that the call
        refers to: it ends on the GUI thread, as widgets must.
        """
        self._postman.posted.emit(box)
