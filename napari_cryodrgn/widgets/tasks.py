"""Long tasks in worker threads, and the bar that shows how far one has come.

napari's worker loses a ``RuntimeError`` of a generator without a word, and
CUDA's out-of-memory is one. Therefore everything that a task raises is caught
within the generator that the worker runs, and comes out as a `Failure`.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from weakref import ref

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, QThreadPool, Signal

from napari_cryodrgn.errors import (
    LOWER_MEMORY,
    Cancelled,
    InputError,
    full_memory,
    is_full_memory,
    system_problem,
)
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.torch_guard import keep_triton_out
from napari_cryodrgn.widgets.advice import advised
from napari_cryodrgn.widgets.freed_memory import give_back
from napari_cryodrgn.widgets.window_words import input_message

logger = logging.getLogger(__name__)

REPORT_SECONDS = 0.05
"""Shortest time between two reports to the window; a task may report far more often."""
"""What to do where the system refuses."""

REPORT = (
    "Try again; files that were saved are whole. If it happens again, copy the details and "
    "report them with what you did."
)

WORKER_THREADS = 8
"""Threads that the pool has at least: a training holds one for hours."""


@dataclass(frozen=True)
class Failure:
    """Why a task failed.

    Parameters
    ----------
    message : str
        What a user is told.
    details : str
        The traceback, where it is a fault of ours; of bad input the whole message,
        where it is long; else "".
    """

    message: str
    details: str = ""


@dataclass(frozen=True)
class _Result:
    """The last thing that the worker yields of a task that came to its end."""

    value: Any


class _TaskWorker(GeneratorWorker):
    """A generator worker that closes its task in its own thread when it is stopped."""

    def __init__(self, function: Callable, make: Callable[[], Task[Any]]) -> None:
        self.task: Task[Any] | None = None
        self.handle: QObject | None = None
        self.began = False
        self.ended = threading.Event()
        super().__init__(function, self, make)

    def work(self) -> Any:
        """Run the generator; wherever it stops, let the task tidy up after itself."""
        self.began = True
        try:
            return super().work()
        finally:
            _close(self.task)
            self.task = None
            self._gen.close()  # napari's window keeps all workers, and this keeps what it used
            give_back()
            self.ended.set()


def _close(task: Task[Any] | None) -> None:
    if task is None:
        return
    try:
        task.close()
    except Exception:  # whatever it is, the worker must still end
        logger.exception("A stopped task could not tidy up")


def _drive(worker: _TaskWorker, make: Callable[[], Task[Any]]) -> Generator[object, None, None]:
    """Run a task to its end; yield its reports now and then, and its result or failure."""
    try:
        keep_triton_out()  # a task may import torch, and the window's OpenGL is up by now
        task = worker.task = make()
        told = 0.0
        while True:
            try:
                report = next(task)
            except StopIteration as stop:
                yield _Result(stop.value)
                return
            now = time.monotonic()
            if now - told >= REPORT_SECONDS or getattr(report, "finished_epoch", None) is not None:
                told = now
                yield report
    except Cancelled:
        return
    except Exception as error:  # noqa: BLE001 - see the top of this file
        yield failure_of(error)


def failure_of(error: Exception) -> Failure:
    """What to tell of an exception; a fault of ours is logged too."""
    if isinstance(error, InputError):
        return Failure(*input_message(error))
    details = "".join(traceback.format_exception(error))
    logger.error("A task failed", exc_info=error)
    if is_full_memory(error):
        return Failure(input_message(full_memory(error, LOWER_MEMORY))[0], details)
    if isinstance(error, OSError):
        return Failure(input_message(system_problem(error))[0], details)
    text = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {text[0] if text else 'no message'}"
    return Failure(advised(f"Something went wrong that was not foreseen. {words}", REPORT), details)


class RunningTasks(QObject):
    """The tasks of all windows that run now; keeps none of them alive.

    Attributes
    ----------
    changed : Signal
        One has begun or ended.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._tasks: list[ref[TaskHandle]] = []

    @property
    def tasks(self) -> list[TaskHandle]:
        """Them, in the order they were begun."""
        found = (weak() for weak in self._tasks)
        return [task for task in found if task is not None and task.running]

    def add(self, task: TaskHandle) -> None:
        """One begins."""
        self._tasks = [*map(ref, self.tasks), ref(task)]
        self.changed.emit()


RUNNING = RunningTasks()


class TaskHandle(QObject):
    """A running task, as the window sees it.

    Its signals come on the GUI thread: reports, then one of `done`, `failed`
    and `cancelled`, then `finished`.
    """

    progressed = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    finished = Signal()
    paused_changed = Signal(bool)

    def __init__(self, make: Callable[[], Task[Any]], title: str) -> None:
        super().__init__()
        self.title = title
        self.running = True
        self.begun = time.monotonic()
        self.progress: Progress | None = None
        self._outcome: _Result | Failure | None = None
        pool = QThreadPool.globalInstance()
        pool.setMaxThreadCount(max(WORKER_THREADS, pool.maxThreadCount()))
        self._make: Callable[[], Task[Any]] | None = make  # to be let go of on this thread
        self._worker = create_worker(_drive, make, _worker_class=_TaskWorker)
        self._worker.handle = self  # lives at least as long as the worker runs
        self._worker.yielded.connect(self._take)
        self._worker.finished.connect(self._end)
        self._worker.paused.connect(self._announce_pause)
        self._worker.resumed.connect(self._announce_pause)

    def start(self) -> None:
        """Begin."""
        RUNNING.add(self)
        self._worker.start()

    @property
    def paused(self) -> bool:
        """Whether it waits to be resumed."""
        return self.running and bool(self._worker.is_paused)

    def pause(self) -> None:
        """Wait at the next report until resumed."""
        if self.running:
            self._worker.pause()

    def resume(self) -> None:
        """Go on."""
        if self.running:
            self._worker.resume()

    def cancel(self) -> None:
        """Stop at the next report; the task leaves whole files only."""
        if self.running:
            self._worker.quit()

    def wait(self, milliseconds: int = 30_000) -> bool:
        """Wait until the worker has ended; the signals follow with the event loop.

        Returns
        -------
        bool
            Whether it has ended, or was cancelled before it began.
        """
        worker = self._worker
        if not worker.began and worker.abort_requested:
            return True
        return bool(worker.ended.wait(milliseconds / 1000))

    def _take(self, value: object) -> None:
        if isinstance(value, Progress):
            self.progress = value
            self.progressed.emit(value)
        elif isinstance(value, _Result | Failure):
            self._outcome = value

    def _announce_pause(self) -> None:
        self.paused_changed.emit(self.paused)

    def _end(self) -> None:
        self.running = False
        RUNNING.changed.emit()
        self._worker.handle = self._make = None
        if isinstance(self._outcome, _Result):
            self.done.emit(self._outcome.value)
        elif isinstance(self._outcome, Failure):
            self.failed.emit(self._outcome)
        else:
            self.cancelled.emit()
        self.finished.emit()


def start_task(
    make: Callable[[], Task[Any]],
    title: str,
    *,
    done: Callable[[Any], object] | None = None,
    failed: Callable[[Failure], object] | None = None,
    progressed: Callable[[Any], object] | None = None,
) -> TaskHandle:
    """Run a task in a worker thread.

    Parameters
    ----------
    make : callable
        Makes the task; called in the worker thread, so that it may import and
        read at leisure.
    title : str
        What it does, for people: "Training", "Opening run_3".
    done, failed, progressed : callable, optional
        Called on the GUI thread with the result, the failure and each report.

    Returns
    -------
    TaskHandle
    """
    handle = TaskHandle(make, title)
    for signal, slot in (
        (handle.done, done),
        (handle.failed, failed),
        (handle.progressed, progressed),
    ):
        if slot is not None:
            signal.connect(slot)
    handle.start()
    return handle
