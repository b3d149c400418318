"""How much the open window computes while nobody touches it.

    scripts/with_display.sh .venv/bin/python scripts/measure_idle.py RUN [--seconds 20]

Opens a copy of the run, waits until its volume is shown and the process has come to rest, then
counts the processor time of the whole process, all threads, over the given time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

REST_SHARE = 0.02
"""Of a core, over two seconds: below it the process counts as at rest."""

PATIENCE = 900
"""Seconds: on a busy machine it takes long until all is prepared that is done beside the window."""


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="idle-") as home:
        os.environ["HOME"] = os.environ["XDG_DATA_HOME"] = home
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "napari.yaml")
        run = Path(shutil.copytree(args.run.absolute(), Path(home) / "run"))
        measure(run, args.seconds)


def sleep(seconds: float) -> None:
    """Let the window live; QTest.qWait would look for events again and again."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def measure(run: Path, seconds: float) -> None:
    """Open the window on a run and measure it."""
    from napari_cryodrgn.widgets.sessions import session_for
    from napari_cryodrgn.widgets.window import make_window

    viewer = make_window(run)
    session = session_for(viewer)
    begun = time.monotonic()
    resting = 0
    while resting < 3 and time.monotonic() - begun < PATIENCE:
        before = time.process_time()
        sleep(2.0)
        calm = time.process_time() - before < 2 * REST_SHARE
        resting = resting + 1 if calm and session.volume is not None and not session.busy else 0
    before = time.process_time()
    sleep(seconds)
    used = time.process_time() - before
    words = "at rest" if resting >= 3 else "not yet at rest"
    print(f"{used:.2f} CPU-s in {seconds:.0f} s, {100 * used / seconds:.2f} % of a core ({words})")
    viewer.close()


if __name__ == "__main__":
    main()
