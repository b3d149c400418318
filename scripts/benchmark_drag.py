"""Drag through the latent space of a run in the real window, and measure what is seen of it.

    python scripts/benchmark_drag.py RUN [--moves 500] [--every 33] [--out results.json]

Needs a display (``xvfb-run`` gives one). Each move asks the session for another latent
point, as a mouse move over the plot does. Of each move it is measured how long it took until
a surface of it, or of a later one, was painted; of the whole drag, how long the window's
thread was held up at most, and whether what was asked for last is what is shown last.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.docks import VOLUME, find_dock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.widgets.window import make_window

HEARTBEAT_MS = 5
PATIENCE_SECONDS = 120.0


class Drag:
    """One drag along a closed path through particles, and what was measured of it."""

    def __init__(self, session: Session, dock: VolumeDock, path: np.ndarray) -> None:
        self.session, self.layers, self.path = session, dock.layers, path
        self.asked: list[float] = []
        self.painted: list[tuple[float, int, str]] = []
        self.blocks: list[float] = []
        self._beat_before = time.perf_counter()
        self._seen: object = None

    def move(self) -> bool:
        """Ask for the next point; whether there are more."""
        number = len(self.asked)
        last = number == len(self.path) - 1
        self.asked.append(time.perf_counter())
        self.session.request_z(self.path[number], moving=not last, source="drag")
        return not last

    def beat(self) -> None:
        """Note how long the window's thread was away."""
        now = time.perf_counter()
        self.blocks.append(now - self._beat_before)
        self._beat_before = now

    def note_paint(self, _: object = None) -> None:
        """After the canvas was painted: which of the moves is to be seen now."""
        shown = self.layers.painted
        if shown is None or shown is self._seen:
            return
        self._seen = shown
        same = np.flatnonzero((self.path[: len(self.asked)] == shown.z).all(axis=1))
        if len(same):
            self.painted.append((time.perf_counter(), int(same[-1]), shown.rung))

    def latencies(self, rungs: set[str]) -> np.ndarray:
        """Seconds from each move to the first paint of it or of a later one, at these rungs."""
        paints = [(at, number) for at, number, rung in self.painted if rung in rungs]
        waits = []
        for number, asked in enumerate(self.asked):
            after = [at for at, there in paints if there >= number]
            if after:
                waits.append(min(after) - asked)
        return np.array(waits)


def closed_path(mu: np.ndarray, n: int, seed: int) -> np.ndarray:
    """A smooth path of n different points through six particles and back."""
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(seed)
    knots = mu[rng.choice(len(mu), 6, replace=False)]
    spline = CubicSpline(np.arange(7), np.vstack([knots, knots[:1]]), bc_type="periodic")
    return spline(np.linspace(0, 6, n, endpoint=False)).astype(np.float32)


def wait_until(condition: object, what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Run the window until something is so."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            sys.exit(f"waited {seconds:.0f} s in vain for {what}")
        QApplication.processEvents()
        time.sleep(0.002)


def percentiles(values: np.ndarray) -> dict[str, float]:
    """Median, 95th percentile and largest, in ms."""
    if not len(values):
        return {"n": 0}
    median, high = np.percentile(values, [50, 95]) * 1000
    return {
        "n": len(values),
        "median_ms": round(float(median), 1),
        "p95_ms": round(float(high), 1),
        "largest_ms": round(float(values.max()) * 1000, 1),
    }


def measure(run: Path, n_moves: int, every: int, seed: int) -> dict[str, object]:
    """Open the window, let the surrogate be made, drag, and report."""
    viewer = make_window(run)
    session = session_for(viewer)
    wait_until(lambda: session.volume is not None and not session.busy, "the first volume")
    dock = find_dock(viewer, VOLUME)
    if not isinstance(dock, VolumeDock):
        sys.exit("there is no Volume dock")
    wait_until(lambda: session.surrogate is not None, "the surrogate")
    time_to_settle = time.monotonic() + 10
    wait_until(lambda: time.monotonic() > time_to_settle, "the window")
    path = closed_path(session.latent.mu, n_moves, seed)
    drag = Drag(session, dock, path)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.events.draw.connect(drag.note_paint, position="last")
    heart, mover = QTimer(), QTimer()
    heart.timeout.connect(drag.beat)
    heart.start(HEARTBEAT_MS)
    mover.timeout.connect(lambda: drag.move() or mover.stop())
    mover.start(every)
    wait_until(lambda: len(drag.asked) == n_moves, "the drag", 600)
    dragged = time.perf_counter() - drag.asked[0]
    wait_until(lambda: not session.busy and dock.layers.painted is session.volume, "the last")
    QApplication.processEvents()
    heart.stop()
    blocks = np.array(drag.blocks[1:])
    rungs = [rung for _, _, rung in drag.painted]
    shown = dock.layers.painted
    report: dict[str, object] = {
        "box": session.volume.full_box,
        "canvas": list(viewer.canvas.size),
        "moves": n_moves,
        "every_ms": every,
        "dragged_seconds": round(dragged, 1),
        "surrogate": vars(session.surrogate) if session.surrogate else None,
        "paints": {rung: rungs.count(rung) for rung in sorted(set(rungs))},
        "move_to_surface": percentiles(drag.latencies({"surrogate", "preview", "exact"})),
        "move_to_network_surface": percentiles(drag.latencies({"preview", "exact"})),
        "gui_gap": percentiles(blocks),
        "gui_gaps_over_50_ms": int((blocks > 0.05).sum()),
        "last_shown_is_last_asked": shown is not None and bool((shown.z == path[-1]).all()),
        "last_rung": None if shown is None else shown.rung,
    }
    viewer.close()
    return report


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--every", type=int, default=33, help="ms between moves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the results there, as JSON")
    options = parser.parse_args()
    report = measure(options.run, options.moves, options.every, options.seed)
    text = json.dumps(report, indent=2)
    sys.stdout.write(text + "\n")
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
