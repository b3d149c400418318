"""Work done ahead, in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
MakeItems = Callable[[threading.Event], Iterator[Item]]


@contextlib.contextmanager
def made_ahead(make: MakeItems[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Make items in a thread while earlier ones are used.

    Parameters
    ----------
    make : callable
        Gives an iterator over the items, which is used in the thread alone. It gets an
        event, and should end soon when that is set.
    depth : int
        Items that exist at a time, the one in use and the one being made included.

    Yields
    ------
    iterator
        Over the items, in order. An error of the thread is raised where its item would be.
    """
    stopping = threading.Event()
    ahead = _Ahead[Item](threading.Semaphore(depth), queue.SimpleQueue())
    thread = threading.Thread(
        target=ahead.work, args=(make, stopping), name="read ahead", daemon=True
    )
    thread.start()
    try:
        yield ahead.items()
    finally:
        stopping.set()
        ahead.room.release()
        thread.join()


class _Ahead(Generic[Item]):
    def __init__(
        self,
        room: threading.Semaphore,
        made: queue.SimpleQueue[tuple[Item | None, BaseException | None]],
    ) -> None:
        self.room, self.made = room, made

    def work(self, make: MakeItems[Item], stopping: threading.Event) -> None:
        try:
            items = make(stopping)
            while True:
                self.room.acquire()
                if stopping.is_set():
                    return
                item = next(items, None)
                self.made.put((item, None))
                if item is None:
                    return
                del item  # or it would live on beside the next one
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
            self.made.put((None, error))

    def items(self) -> Iterator[Item]:
        while True:
            item, error = self.made.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
            del item
            self.room.release()
