"""A thread that watches how long the window does not answer."""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
import threading
import time

from report import Report, Stall

HANG_SECONDS = 120.0
LOOK_SECONDS = 0.05
FRAMES = 16


class Watchdog(threading.Thread):
    """Takes the GUI thread's stack when it does not beat for long; ends the program at a hang."""

    def __init__(self, report: Report) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.report, self.limit = report, report.stall_limit
        self.after = ""
        self._stack = ""
        self._main = threading.main_thread()
        self.rest()

    def rest(self) -> None:
        """Count from now."""
        self._beaten = time.monotonic()
        self._gui_cpu, self._cpu = time.thread_time(), time.process_time()

    def beat(self) -> None:
        """Called on the GUI thread as often as it can."""
        still = time.monotonic() - self._beaten
        if still > self.limit:
            gui_cpu, cpu = time.thread_time() - self._gui_cpu, time.process_time() - self._cpu
            stack = self._stack or "(it answered before the stack was taken)"
            self.report.stalls.append(Stall(still, gui_cpu, cpu, self.after, stack))
        self.rest()
        self._stack = ""

    def run(self) -> None:
        """Look again and again."""
        while True:
            time.sleep(LOOK_SECONDS)
            still = time.monotonic() - self._beaten
            if still > 0.6 * self.limit and not self._stack:
                self._stack = stack_of(self._main)
            if still > HANG_SECONDS:
                print(f"no answer for {still:.0f} s after: {self.after}", file=sys.stderr)
                faulthandler.dump_traceback()
                os._exit(3)


def stack_of(thread: threading.Thread) -> str:
    """The innermost calls of a thread, the last one first.

    Written by `faulthandler`, which lets no other thread run meanwhile: whoever walks through
    the frames of a running thread in Python may find them gone, and the program dies.
    """
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        threads = file.read().split("\n\n")
    own = next((each for each in threads if f"0x{thread.ident:016x}" in each), "")
    return "\n".join(own.splitlines()[1 : FRAMES + 1])
