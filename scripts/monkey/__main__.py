"""A monkey at the window: random clicks, drags, wheel turns, keys, closed docks, themes and runs.

    scripts/with_display.sh .venv/bin/python scripts/monkey RUN --events 2000 --seed 1

Works on a copy of the run, with a home folder of its own. Every event is one that a person could
make; file dialogs are cancelled. The same seed draws the same numbers, but what they meet depends
on how fast the window is, so that a repetition follows the same way only roughly; the log names
every event. A thread watches how long the window does not answer. SIGTERM ends it early, with its
report.

Ends with 1 where an error nobody has foreseen was raised, the window computed for longer than
allowed without an answer, a viewer was left after it was closed, or memory grew after the first
quarter.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

import psutil
from report import Report, hear_errors
from watchdog import HANG_SECONDS, Watchdog

FOLDERS = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


def play(runs: list[Path], report: Report, events: int, log: TextIO) -> None:
    """Open the window, make the events, close it."""
    import napari
    from napari.utils.notifications import notification_manager
    from qtpy.QtWidgets import QApplication

    from napari_cryodrgn.widgets.shared_contexts import share_contexts

    share_contexts()  # as our window does
    napari.qt.get_qapp()
    from monkey import Monkey

    watch = Watchdog(report)
    with notification_manager:
        monkey = Monkey(runs, report, watch, log)
        signal.signal(signal.SIGTERM, monkey.rest)
        monkey.open()
        hear_errors(report)  # after ours, which would take them away
        QApplication.instance().setQuitOnLastWindowClosed(False)
        watch.rest()
        watch.start()
        monkey.play(events)
        watch.limit = HANG_SECONDS
        monkey.close()


def main() -> int:
    """Play, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="run folders; copies are used")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stall", type=float, default=2.0, help="seconds without an answer")
    parser.add_argument("--growth", type=float, default=100.0, help="MB after the first quarter")
    parser.add_argument("--out", type=Path, default=Path("monkey"), help="report and log, a folder")
    args = parser.parse_args()
    out = args.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    given = [path.absolute() for path in args.runs]
    faulthandler.enable()
    report = Report(args.seed, args.stall, args.growth)
    log_file = out / f"events_{args.seed}.log"
    with (
        tempfile.TemporaryDirectory(prefix="monkey-", ignore_cleanup_errors=True) as home,
        log_file.open("w", buffering=1) as log,
    ):
        os.environ |= dict.fromkeys(FOLDERS, home)
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "napari.yaml")
        os.chdir(home)
        runs = [
            Path(shutil.copytree(run, Path(home) / f"run{number}"))
            for number, run in enumerate(given)
        ]
        begun, cpu = time.monotonic(), time.process_time()
        play(runs, report, args.events, log)
        report.seconds = time.monotonic() - begun
        report.cpu_seconds = time.process_time() - cpu
        for child in psutil.Process().children(recursive=True):  # trainings beside the window
            child.terminate()
    report.print()
    report.write(out / f"report_{args.seed}.json")
    return 1 if report.wrong() else 0


if __name__ == "__main__":
    sys.exit(main())
