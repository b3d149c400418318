"""Progress records: how every long task reports, and how it is cancelled.

A long task is a generator that yields `Progress` (or a subclass of it) at
least every 0.2 s where it can, and returns its result. Whoever drives it, the
command line or a worker thread, cancels by closing the generator, which then
leaves nothing half-written behind.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """One report of a long task.

    Parameters
    ----------
    done : float
        Units finished so far.
    total : float or None
        Units in all; None while unknown.
    message : str
        What is being done now, for people.
    seconds_left : float or None
        Estimated seconds to the end; None while unknown.
    """

    done: float
    total: float | None = None
    message: str = ""
    seconds_left: float | None = None

    @property
    def fraction(self) -> float | None:
        """Share finished, 0 to 1; None while the total is unknown."""
        return None if not self.total else min(1.0, self.done / self.total)


Task = Generator[Progress, None, Result]


@dataclass
class Stopwatch:
    """Estimates the time left from the units finished since it was made."""

    total: float
    started: float = field(default_factory=time.monotonic)

    def seconds_left(self, done: float) -> float | None:
        """Seconds to the end at the mean pace so far; None before the first unit."""
        if done <= 0:
            return None
        return (time.monotonic() - self.started) / done * max(0.0, self.total - done)


def run_to_end(task: Task[Result]) -> Result:
    """Drive a task to its end, ignoring its reports, and return its result."""
    while True:
        try:
            next(task)
        except StopIteration as stop:
            result: Result = stop.value
            return result


def duration_text(seconds: float | None) -> str:
    """Seconds as people say them: '45 s', '3 min 20 s', '2 h 05 min'; '' for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
