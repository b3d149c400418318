"""Drives long tasks in a terminal: progress, stopping, errors and exit status."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

import typer
from tqdm import tqdm

from napari_cryodrgn.errors import (
    LOWER_MEMORY,
    Cancelled,
    InputError,
    full_memory,
    is_full_memory,
    system_problem,
)
from napari_cryodrgn.progress import Progress, Task, duration_text

Result = TypeVar("Result")

PROGRAM = "napari-cryodrgn"
FAILED = 1
# As shells number processes ended by a signal: 130 for Ctrl-C, 143 for kill.
_SIGNAL_STATUS = 128
INTERRUPTED = _SIGNAL_STATUS + signal.SIGINT
_BAR = "{desc} {percentage:3.0f}%|{bar:24}| "
_NO_BAR = "{desc} "
# Between lines, where standard error is a file: a log of hours should stay short.
_LINE_SECONDS = 30.0


def say(text: str) -> None:
    """Write a line on standard error."""
    tqdm.write(text, file=sys.stderr)


@contextlib.contextmanager
def errors_as_status() -> Iterator[None]:
    """Turn errors that are no fault of ours into one line on standard error and exit status 1.

    These are an `InputError`, full memory, and what the system refuses. Ctrl-C ends with 130.
    """
    try:
        yield
    except InputError as error:
        _say_error(error)
        raise typer.Exit(FAILED) from error
    except (RuntimeError, MemoryError) as error:
        if not is_full_memory(error):
            raise
        _say_error(full_memory(error, LOWER_MEMORY, kept="what was written before is whole"))
        raise typer.Exit(FAILED) from error
    except OSError as error:
        # A disk that is full or gone; anything else is a fault of ours.
        if error.errno is None or isinstance(error, BrokenPipeError):
            raise
        _say_error(system_problem(error))
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        say(f"{PROGRAM}: stopped.")
        raise typer.Exit(INTERRUPTED) from error


def _say_error(error: InputError) -> None:
    say(f"{PROGRAM}: error: {' '.join(str(error).split())}")


def drive(task: Task[Result], stopped: Callable[[], str] = lambda: "") -> Result:
    """Drive a task to its end with a progress bar on standard error.

    Ctrl-C, or a signal to terminate, closes the task at its next report, so that
    it leaves things in order; a second Ctrl-C does not wait.

    Parameters
    ----------
    task : Task
        What to drive.
    stopped : callable, optional
        Says, after the task was closed, what there is now and how to go on.

    Returns
    -------
    object
        The task's result.

    Raises
    ------
    typer.Exit
        Where it was stopped: status 130 or 143, the latter too where somebody asked the
        task itself to stop.
    """
    with _ProgressLine() as line, _signals() as received:
        while True:
            try:
                report = next(task)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            except Cancelled:  # asked for otherwise than by a signal to this process
                received.append(signal.SIGTERM)
                break
            line.show(report)
            if received:
                break
        task.close()
    say(f"{PROGRAM}: stopped. {stopped()}".rstrip())
    raise typer.Exit(_SIGNAL_STATUS + received[0])


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals to stop that have come so far; only the main thread gets any."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, _frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _ProgressLine:
    """A bar in a terminal; now and then a line in a file."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._bar: tqdm[None] | None = None
        self._message = ""
        self._last_line = 0.0

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, report: Progress) -> None:
        """Show a report."""
        left = duration_text(report.seconds_left)
        notes = ", ".join(
            part for part in (_figures(report), f"{left} left" if left else "") if part
        )
        if self._is_terminal:
            self._show_bar(report, notes)
        elif report.message != self._message or time.monotonic() > self._last_line + _LINE_SECONDS:
            share = "" if report.fraction is None else f" {report.fraction:.0%}"
            say(f"{report.message}{share}{f', {notes}' if notes else ''}")
            self._last_line = time.monotonic()
        self._message = report.message

    def _show_bar(self, report: Progress, notes: str) -> None:
        # Notes go into the format: as a postfix tqdm would put a comma before them.
        form = (_NO_BAR if report.fraction is None else _BAR) + notes
        if self._bar is None:
            self._bar = tqdm(
                total=1.0,
                desc=report.message,
                bar_format=form,
                file=sys.stderr,
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.bar_format = form
        self._bar.n = report.fraction or 0.0
        self._bar.set_description_str(report.message, refresh=False)
        self._bar.refresh()


def _figures(report: Progress) -> str:
    """Loss and pace, where a report has them."""
    loss, pace = getattr(report, "loss", None), getattr(report, "images_per_second", None)
    parts = [] if loss is None else [f"loss {loss:.4f}"]
    if pace is not None:
        parts.append(f"{pace:.0f} images/s")
    return ", ".join(parts)


class _LinesAboveBar(logging.Handler):
    """Writes log records without breaking the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        say(f"{PROGRAM}: {record.levelname.lower()}: {record.getMessage()}")


def show_warnings() -> None:
    """Show what the package logs from warnings upwards on standard error."""
    logger = logging.getLogger("napari_cryodrgn")
    if not any(isinstance(handler, _LinesAboveBar) for handler in logger.handlers):
        logger.addHandler(_LinesAboveBar(logging.WARNING))
