"""Drag through the latent space of a run in the real window, and measure what is seen of it.

    python scripts/benchmark_drag.py RUN [--moves 500] [--every 33] [--out results.json]

Needs an X display of its own, such as Xvfb, and libXtst. A thread moves the X server's pointer
over the latent plot with the left button held, in two axes of z: real mouse events, which go
through Qt, the plot's tool, the session, the decoder, the worker that makes the surface, and
the canvas. After every `PAUSE_EVERY` moves the mouse rests for a moment with the button held,
as a hand does.

Of each move: the time from the pointer's move until a surface of it, or of a later one, was
painted. Of each rest: the time from its last move until a surface by the network was. Of the
whole drag: for how long the window's thread was away, and whether what was asked for last is
what is shown last. ``--stacks`` adds where the window's thread is found at random moments.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QObject, QPoint, QTimer
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume, State
from napari_cryodrgn.widgets.docks import LATENT, VOLUME, find_dock
from napari_cryodrgn.widgets.latent_dock import LatentDock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.widgets.window import make_window

HEARTBEAT_MS = 5
PATIENCE_SECONDS = 120.0
PAUSE_EVERY, PAUSE_SECONDS = 25, 0.8
CORNERS = 12
NETWORK = ("preview", "reduced", "exact")


class Pointer:
    """The X server's pointer, moved by another client than the window."""

    def __init__(self) -> None:
        self._x11, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        display = self._x11.XOpenDisplay(None)
        if not display:
            sys.exit("there is no X display")
        self._display = ctypes.c_void_p(display)

    def move(self, x: int, y: int) -> None:
        """Go to a pixel of the screen."""
        self._test.XTestFakeMotionEvent(self._display, -1, x, y, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def hold(self, down: bool) -> None:
        """Press or release the left button."""
        self._test.XTestFakeButtonEvent(self._display, 1, int(down), ctypes.c_ulong(0))
        self._x11.XFlush(self._display)


class Drag(QObject):
    """One drag, and what was measured of it."""

    def __init__(self, session: Session, dock: VolumeDock, native: Any, places: Any) -> None:
        super().__init__()
        self.session, self.layers, self.places = session, dock.layers, places
        self.moved: list[float] = []
        self.painted: list[tuple[float, int, str]] = []
        self.stages: dict[int, dict[str, float]] = {}
        self.blocks: list[float] = []
        self.stacks: Counter[str] = Counter()
        self.released = False
        self._states: list[tuple[State, int]] = []
        self._number = -1
        self._seen: ShownVolume | None = None
        self._beat_before = time.perf_counter()
        self._native = native
        native.installEventFilter(self)
        session.state_changed.connect(self._note_state)
        session.volume_changed.connect(self._note_volume)

    def eventFilter(self, _: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Note which of the moves this is."""
        if event.type() in (QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease):
            at = event.position()
            gone = np.abs(self.places[: len(self.moved)] - (at.x(), at.y())).max(axis=1)
            same = np.flatnonzero(gone < 1)
            if len(same):
                self._number = int(same[-1])
                self._stamp(self._number, "mouse event")
        return False

    def _note_state(self, state: State) -> None:
        self._states.append((state, self._number))
        self._stamp(self._number, "asked for")

    def _number_of(self, shown: ShownVolume) -> int | None:
        for state, number in reversed(self._states):
            if np.array_equal(state.z, shown.z):
                return number
        return None

    def _note_volume(self, volume: ShownVolume) -> None:
        number = self._number_of(volume)
        if number is not None:
            self._stamp(number, "decoded")

    def _stamp(self, number: int, stage: str) -> None:
        self.stages.setdefault(number, {}).setdefault(stage, time.perf_counter())

    def run(self, corner: QPoint, every: float) -> None:
        """Move the mouse; on a thread of its own."""
        pointer = Pointer()
        where = np.round(self.places + np.array([corner.x(), corner.y()])).astype(int)
        pointer.move(*map(int, where[0]))
        time.sleep(0.3)
        pointer.hold(True)
        time.sleep(0.1)
        due = time.perf_counter()
        for number, (x, y) in enumerate(where):
            self.moved.append(time.perf_counter())
            pointer.move(int(x), int(y))
            due += PAUSE_SECONDS if number % PAUSE_EVERY == PAUSE_EVERY - 1 else every
            time.sleep(max(0.0, due - time.perf_counter()))
        pointer.hold(False)
        self.released = True

    def beat(self) -> None:
        """Note how long the window's thread was away."""
        now = time.perf_counter()
        self.blocks.append(now - self._beat_before)
        self._beat_before = now

    def look(self, thread: int) -> None:
        """Note where the window's thread is, until the end of the drag."""
        while not self.released:
            time.sleep(0.01)
            frames = traceback.extract_stack(sys._current_frames()[thread])
            for depth in range(len(frames)):
                words = [f"{Path(f.filename).name}:{f.name}" for f in frames[depth:][:2]]
                self.stacks[" > ".join(words)] += 1
            last = frames[-1]
            self.stacks[f"LEAF {Path(last.filename).name}:{last.lineno} {last.name}"] += 1

    def note_paint(self, _: object = None) -> None:
        """After the canvas was painted: which of the moves is to be seen now."""
        shown = self.layers.painted
        if shown is None or shown is self._seen:
            return
        self._seen = shown
        number = self._number_of(shown)
        if number is not None and number >= 0:
            self._stamp(number, "painted")
            self.painted.append((time.perf_counter(), number, shown.rung))

    def latencies(self, numbers: range, rungs: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """Seconds from moves to the first paint of them or of later ones, inf without any."""
        waits = []
        for number in numbers:
            after = [at for at, there, rung in self.painted if there >= number and rung in rungs]
            waits.append(min(after, default=np.inf) - self.moved[number])
        return np.array(waits)

    def between(self, one: str, other: str) -> dict[str, float]:
        """How long it took from one stage to another, where a move reached both."""
        both = [at for number, at in self.stages.items() if number >= 0 and {one, other} <= set(at)]
        return percentiles(np.array([at[other] - at[one] for at in both]))


def path_on(plot: Any, mu: np.ndarray, n: int, seed: int) -> np.ndarray:
    """A smooth closed path of n pixels (x, y) of the plot, through `CORNERS` of its particles.

    In equal steps: a move within a pixel is none for the window.
    """
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(seed)
    points = plot.points[rng.choice(len(mu), CORNERS, replace=False)].astype(float)
    closed = np.vstack([points, points[:1]])
    spline = CubicSpline(np.arange(CORNERS + 1), closed, bc_type="periodic")
    low, high = plot.canvas.region()
    dense = spline(np.linspace(0, CORNERS, 50 * n))
    along = np.insert(np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1)), 0, 0.0)
    even = np.linspace(0, along[-1], n, endpoint=False)
    places = np.column_stack([np.interp(even, along, axis) for axis in dense.T])
    share = (np.clip(places, low, high) - low) / (high - low)
    native = plot.canvas.native
    y = (1 - share[:, 0]) * native.height()
    if plot.canvas.place_at((0.0, 0.0))[0] < plot.canvas.place_at((0.0, 10.0))[0]:
        y = share[:, 0] * native.height()
    pixels = np.column_stack([share[:, 1] * native.width(), y])
    return np.clip(np.round(pixels), 3, [native.width() - 4, native.height() - 4])


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Run the window until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"waited {seconds:.0f} s in vain for {what}")
        QApplication.processEvents()
        time.sleep(0.002)


def percentiles(values: npt.NDArray[np.float64]) -> dict[str, float]:
    """Median, 95th percentile and largest, in ms."""
    if not len(values):
        return {"n": 0}
    median, high = np.percentile(values, [50, 95], method="lower") * 1000
    return {
        "n": len(values),
        "median_ms": round(float(median), 1),
        "p95_ms": round(float(high), 1),
        "largest_ms": round(float(values.max()) * 1000, 1),
    }


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Open the window, let the surrogate be made, drag, and report."""
    viewer = make_window(options.run)
    session = session_for(viewer)
    wait_until(lambda: session.volume is not None and not session.busy, "the first volume")
    dock, latent = find_dock(viewer, VOLUME), find_dock(viewer, LATENT)
    if not isinstance(dock, VolumeDock) or not isinstance(latent, LatentDock):
        sys.exit("there is no Volume or no Latent space dock")
    latent.plot.choose_view("z")
    wait_until(lambda: session.surrogate is not None, "the surrogate")
    time_to_settle = time.monotonic() + options.settle
    wait_until(lambda: time.monotonic() > time_to_settle, "the window")
    native = latent.plot.canvas.native
    places = path_on(latent.plot, session.latent.mu, options.moves, options.seed)
    drag = Drag(session, dock, native, places)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.events.draw.connect(drag.note_paint, position="last")
    heart = QTimer()
    heart.timeout.connect(drag.beat)
    heart.start(HEARTBEAT_MS)
    drag.beat()
    drag.blocks.clear()
    if options.stacks:
        here = threading.get_ident()
        threading.Thread(target=drag.look, args=(here,), daemon=True).start()
    corner = native.mapToGlobal(QPoint(0, 0))
    cpu = time.process_time()
    mover = threading.Thread(target=drag.run, args=(corner, options.every / 1000), daemon=True)
    mover.start()
    wait_until(lambda: drag.released, "the drag", 600)
    cpu = time.process_time() - cpu
    blocks = np.array(drag.blocks)
    last = session.state_now
    wait_until(lambda: session.state_now is not None and not session.state_now.moving, "release")
    last = session.state_now
    wait_until(lambda: not session.busy and dock.layers.painted is session.volume, "the last")
    wait_until(lambda: drag._seen is session.volume, "the last paint")
    heart.stop()
    if options.shot is not None:
        viewer.window._qt_window.grab().save(str(options.shot))
    rungs = [rung for _, _, rung in drag.painted]
    shown = dock.layers.painted
    every_move, rests = range(options.moves), range(PAUSE_EVERY - 1, options.moves, PAUSE_EVERY)
    report: dict[str, object] = {
        "box": session.volume.full_box,
        "canvas": list(viewer.canvas.size),
        "load": [round(value, 1) for value in os.getloadavg()],
        "moves": options.moves,
        "every_ms": options.every,
        "dragged_seconds": round(time.perf_counter() - drag.moved[0], 1),
        "cpu_seconds": round(cpu, 1),
        "surrogate": vars(session.surrogate) if session.surrogate else None,
        "paints": dict(Counter(rungs)),
        "move_to_surface": percentiles(drag.latencies(every_move, ("surrogate", *NETWORK))),
        "rest_to_network_surface": percentiles(drag.latencies(rests, NETWORK)),
        "stages": {
            f"{one} to {other}": drag.between(one, other)
            for one, other in (
                ("mouse event", "asked for"),
                ("asked for", "decoded"),
                ("decoded", "painted"),
            )
        },
        "gui_gap": percentiles(blocks),
        "gui_gaps_over_50_ms": int((blocks > 0.05).sum()),
        "last_shown_is_last_asked": shown is not None and bool((shown.z == last.z).all()),
        "last_rung": None if shown is None else shown.rung,
    }
    if options.stacks:
        report["stacks"] = dict(drag.stacks.most_common(options.stacks))
    viewer.close()
    return report


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--every", type=int, default=33, help="ms between moves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settle", type=float, default=10.0, help="s for the surrogate to grow")
    parser.add_argument("--stacks", type=int, default=0, help="how many lines of a profile to give")
    parser.add_argument("--shot", type=Path, help="write a picture of the window there")
    parser.add_argument("--out", type=Path, help="write the results there, as JSON")
    report = measure(options := parser.parse_args())
    text = json.dumps(report, indent=2)
    sys.stdout.write(text + "\n")
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
