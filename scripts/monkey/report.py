"""What the monkey has found, and what of it is wrong."""

from __future__ import annotations

import json
import logging
import statistics
import traceback
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

COLUMNS = 8
"""Numbers of megabytes that are printed."""


@dataclass
class Stall:
    """A time in which the window did not answer.

    Attributes
    ----------
    seconds : float
        By the clock.
    gui_cpu, cpu : float
        Processor time of the GUI thread and of the whole process: where both are small, the
        machine was busy with other things.
    after : str
        The event.
    stack : str
        Of the GUI thread, while it was still.
    """

    seconds: float
    gui_cpu: float
    cpu: float
    after: str
    stack: str


@dataclass
class Report:
    """What was done, and what came of it."""

    seed: int
    stall_limit: float
    growth_limit: float
    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    stalls: list[Stall] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    opened_seconds: list[float] = field(default_factory=list)
    closed_seconds: list[float] = field(default_factory=list)
    viewers_left: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def growth(self) -> float:
        """MB from the second quarter to the last, medians."""
        quarter = len(self.rss_mb) // 4
        if quarter < 1:
            return 0.0
        second, last = self.rss_mb[quarter : 2 * quarter], self.rss_mb[-quarter:]
        return statistics.median(last) - statistics.median(second)

    def own_stalls(self) -> list[Stall]:
        """Those in which this process computed for longer than the limit."""
        return [stall for stall in self.stalls if stall.cpu > self.stall_limit]

    def wrong(self) -> list[str]:
        """What is wrong, each in a line."""
        wrong = []
        if self.errors:
            wrong.append(f"{len(self.errors)} errors that were not foreseen")
        if own := self.own_stalls():
            longest = max(stall.seconds for stall in own)
            wrong.append(f"no answer for over {self.stall_limit} s {len(own)} times: {longest:.1f}")
        if self.viewers_left:
            wrong.append(f"{self.viewers_left} viewers left of {len(self.closed_seconds)} closed")
        if self.growth() > self.growth_limit:
            wrong.append(f"memory grew by {self.growth():.0f} MB after the first quarter")
        return wrong

    def print(self) -> None:
        """Print all of it."""
        print(
            f"seed {self.seed}: {self.events} events in {self.seconds:.0f} s "
            f"({self.cpu_seconds:.0f} CPU-s): {dict(self.kinds)}"
        )
        print(f"{len(self.closed_seconds)} viewers closed, {self.viewers_left} left")
        for what, seconds in (("open", self.opened_seconds), ("close", self.closed_seconds)):
            if seconds:
                middle, most = statistics.median(seconds), max(seconds)
                print(f"seconds to {what} a viewer: {middle:.1f}, {most:.1f} at most")
        if self.rss_mb:
            shown = self.rss_mb[:: max(1, len(self.rss_mb) // COLUMNS)]
            words = ", ".join(f"{each:.0f}" for each in shown)
            print(f"memory (MB): {words}; after the first quarter {self.growth():+.0f}")
        for error, count in Counter(self.errors).most_common(20):
            print(f"--- {count} times\n{error}")
        for stall in self.stalls:
            print(
                f"--- {stall.seconds:.1f} s ({stall.cpu:.1f} CPU-s, of the GUI thread "
                f"{stall.gui_cpu:.1f}) {stall.after}\n{stall.stack}"
            )
        print("; ".join(self.wrong()) or "nothing wrong")

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        whole = asdict(self) | {"kinds": dict(self.kinds)}  # asdict cannot copy a Counter
        path.write_text(json.dumps(whole, indent=1) + "\n")


class Failures(logging.Handler):
    """Tasks that failed by a fault of ours are logged as errors; this takes them."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.ERROR)
        self.report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        error = record.exc_info[1] if record.exc_info else None
        trace = "".join(traceback.format_exception(error)) if error else record.getMessage()
        self.report.errors.append(trace)


def hear_errors(report: Report) -> None:
    """Take what napari was about to show as an error, too."""
    from napari.utils.notifications import ErrorNotification, notification_manager

    def hear(notification: Any) -> None:
        if isinstance(notification, ErrorNotification):
            report.errors.append("".join(traceback.format_exception(notification.exception)))

    logging.getLogger("napari_cryodrgn").addHandler(Failures(report))
    notification_manager.notification_ready.connect(hear, position="first")
