"""Several long tasks reported as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from napari_cryodrgn.progress import Progress, Stopwatch, Task

Result = TypeVar("Result")

# Before so much is done, the pace so far says little about the rest.
_FORESEEABLE = 0.1


@dataclass
class Stages:
    """A course of tasks, each with its share of the whole.

    Parameters
    ----------
    stopwatch : Stopwatch
        Of the whole, whose total is 1.
    done : float
        Share finished.
    """

    stopwatch: Stopwatch
    done: float = 0.0

    @classmethod
    def begin(cls) -> Stages:
        """Start the clock."""
        return cls(Stopwatch(1.0))

    def run(
        self,
        task: Task[Result],
        share: float,
        *,
        fraction: Callable[[Progress], float | None] = lambda report: report.fraction,
    ) -> Task[Result]:
        """Run one task, and report how far the whole is.

        Parameters
        ----------
        task : Task
            The task.
        share : float
            Its share of the whole time, as far as that can be told.
        fraction : callable, optional
            How much of the task a report says is done; None where it does not say.

        Returns
        -------
        object
            The task's result.
        """
        begin, furthest = self.done, 0.0
        try:
            while True:
                report = next(task)
                # A task may count anew for its second part; the whole never goes back.
                furthest = max(furthest, fraction(report) or 0.0)
                yield self._whole(report, begin + share * furthest)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        finally:
            task.close()
            self.done = begin + share

    def _whole(self, report: Progress, done: float) -> Progress:
        return replace(report, done=done, total=1.0, seconds_left=self.stopwatch.seconds_left(done))
