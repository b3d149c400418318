"""Measure the latent space dock with a million particles, by real events on a display.

Makes a run of that many simulated latents, opens it in a window, and reports how long each
action takes until its picture is there, and the longest time for which the window did not
answer meanwhile. Run it under an X server (scripts/with_display.sh).

    python scripts/benchmark_latent.py --particles 1000000 --folder /tmp/million --out report
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import napari
import numpy as np
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.io.pickles import Latents, write_array, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.latent.selection import inside_polygon
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.latent_dock import LatentDock

LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
BEAT = 0.004


@dataclass(frozen=True)
class Stall:
    """A time for which the window did not answer, and CPU time spent in it, seconds."""

    wall: float = 0.0
    own_cpu: float = 0.0
    all_cpu: float = 0.0


@dataclass(frozen=True)
class Row:
    """One measured action, times in seconds.

    `most_own` is the most CPU time of the window's thread between two turns of its event loop.
    """

    action: str
    until_shown: float
    stall: Stall = Stall()
    most_own: float = 0.0
    note: str = ""


class Watch:
    """Notes the longest time between two turns of the event loop, and where it was spent.

    The window's thread may have worked meanwhile (`own_cpu`), its other threads may have held
    Python's lock or the cores (`all_cpu`), or other programs may have had the cores.
    """

    def __init__(self, stacks: bool) -> None:
        self._main = threading.get_ident()
        self._ended = False
        self.restart()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(int(BEAT * 1000))
        if stacks:
            threading.Thread(target=self._look, daemon=True).start()

    def _beat(self) -> None:
        now = _clocks()
        wall, own, everything = (b - a for a, b in zip(self.last, now, strict=True))
        if wall > self.longest.wall:
            self.longest = Stall(wall, own, everything)
        self.most_own = max(self.most_own, own)
        self.last = now

    def restart(self) -> None:
        """Begin to measure."""
        self.last = _clocks()
        self.longest = Stall()
        self.most_own = 0.0

    def end(self) -> None:
        """Look no more."""
        self._ended = True
        self._timer.stop()

    def _look(self) -> None:
        """Say what each thread does while the window does not answer."""
        while not self._ended:
            time.sleep(0.01)
            late = time.perf_counter() - self.last[0]
            if late < 0.06:
                continue
            threads = {thread.ident: thread.name for thread in threading.enumerate()}
            lines = [f"late by {1000 * late:.0f} ms"]
            for ident, frame in sys._current_frames().items():
                if ident != threading.get_ident():
                    who = "window" if ident == self._main else threads.get(ident, "?")
                    lines.append(f"  {who}: {_places(frame)}")
            sys.stderr.write("\n".join(lines) + "\n")


def _clocks() -> tuple[float, float, float]:
    return time.perf_counter(), time.thread_time(), time.process_time()


def _places(frame: FrameType | None) -> str:
    """The innermost functions of a stack, without a look at the source files."""
    places = []
    while frame is not None and len(places) < 9:
        code = frame.f_code
        places.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return " < ".join(places)


def make_run(folder: Path, n: int) -> RunFolder:
    """A run of N particles in 20 clusters of an 8-dimensional latent space, analysed."""
    run = RunFolder(folder)
    if run.own.is_dir():
        shutil.rmtree(run.own)  # selections of the time before
    if run.latents(1).is_file():
        return run
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = rng.choice(20, n, p=np.linspace(1, 3, 20) / np.linspace(1, 3, 20).sum())
    mu = (rng.normal(size=(n, 8)) * 0.6 + 2.5 * rng.normal(size=(20, 8))[labels]).astype("f4")
    write_latents(run.latents(1), Latents(mu, rng.normal(size=(n, 8)).astype("f4")))
    write_run_config(run.config, RunConfig(kind="vae", box=64, model=ModelConfig(zdim=8)))
    analysis = run.analysis(1)
    analysis.kmeans(20).mkdir(parents=True)
    angle = 2 * np.pi * labels / 20
    umap = 6 * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(size=(n, 2)) * 0.8
    write_array(analysis.umap, umap.astype("f4"))
    write_array(analysis.kmeans(20) / "labels.pkl", labels.astype(np.int64))
    return run


class Bench:
    """The window, and what is measured in it."""

    def __init__(self, stacks: bool) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1400, 950)
        self.dock = LatentDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Latent space", area="right")
        self.watch = Watch(stacks)
        self.rows: list[Row] = []
        self.pause(2)

    def pause(self, seconds: float) -> None:
        """Let the window live for so long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.001)

    def measure(
        self, action: str, do: Callable[[], object], shown: Callable[[], bool], note: str = ""
    ) -> None:
        """Do something, wait until it is shown and painted, and note the times."""
        self.pause(0.5)
        self.watch.restart()
        begun = time.perf_counter()
        do()
        while not shown():
            if time.perf_counter() - begun > 120:
                raise SystemExit(f"{action}: nothing was shown within two minutes")
            QApplication.processEvents()
            time.sleep(0.001)
        QApplication.processEvents()
        took = time.perf_counter() - begun
        self.pause(1.0)
        self.rows.append(Row(action, took, self.watch.longest, self.watch.most_own, note))

    def run(self, folder: Path) -> None:
        """All that is measured."""
        dock, plot = self.dock, self.dock.plot
        self.measure("open to first picture", lambda: dock.open_run(folder), self.drawn)
        first = plot.picture
        for column in ("z_norm", "z3", "kmeans20", "density"):
            self.measure(
                f"colour by {column}",
                lambda column=column: plot.choose_colour(column),
                lambda column=column: plot.colour_column == column,
            )
        for view in ("PCA", "PCA 3D", "UMAP"):
            before = plot.scatter
            self.measure(
                f"axes {view}",
                lambda view=view: plot.choose_view(view),
                lambda before=before: plot.scatter is not before,
            )
        del first
        self.lasso()
        self.move()

    def drawn(self) -> bool:
        """Whether there is a picture."""
        return self.dock.plot.picture is not None

    def lasso(self) -> None:
        """A lasso of 200 points, compared with a test of all particles; undo and redo."""
        dock, plot = self.dock, self.dock.plot
        native, book = plot.canvas.native, dock.session.selections
        turns = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        height, width = native.height(), native.width()
        reach = 0.3 * min(height, width) * (1 + 0.2 * np.sin(5 * turns))
        path = [
            QPoint(int(width / 2 + r * np.cos(t)), int(height / 2 + r * np.sin(t)))
            for r, t in zip(reach, turns, strict=True)
        ]
        dock.tools.choose("lasso")
        QTest.mousePress(native, LEFT, NO_KEY, path[0])
        self.watch.restart()
        begun = time.perf_counter()
        for point in path:
            QTest.mouseMove(native, point)
            self.pause(0.002)
        took = time.perf_counter() - begun
        stall, own = self.watch.longest, self.watch.most_own
        self.rows.append(Row("drawing a lasso of 200 points", took, stall, own))

        def highlighted() -> bool:
            masks = plot.picture.choice.masks
            return len(masks) == (1 if book.count else 0) and (
                not masks or int(masks[-1][0].sum()) == book.count
            )

        self.measure(
            "lasso: release to highlighted selection",
            lambda: QTest.mouseRelease(native, LEFT, NO_KEY, path[-1]),
            lambda: bool(book.count) and highlighted(),
        )
        polygon = np.array([plot.canvas.place_at((p.x(), p.y())) for p in path])
        expected = inside_polygon(plot.points, polygon)
        self.rows.append(
            Row("lasso: particles selected", 0, note=f"{book.count:,}; by hand {expected.sum():,}")
        )
        self.measure("undo", book.undo, lambda: not book.count and highlighted())
        self.measure("redo", book.redo, lambda: bool(book.count) and highlighted())

    def move(self) -> None:
        """Zoom and pan, until every particle in view is drawn."""
        plot, native = self.dock.plot, self.dock.plot.canvas.native
        middle = QPoint(native.width() // 2, native.height() // 3)
        shown = plot.picture

        def wheel() -> None:
            for _ in range(12):
                place = QPointF(middle)
                turned = QWheelEvent(
                    place, native.mapToGlobal(place), QPoint(), QPoint(0, 120),
                    Qt.MouseButton.NoButton, NO_KEY, Qt.ScrollPhase.NoScrollPhase, False,
                )  # fmt: skip
                QApplication.sendEvent(native, turned)
                self.pause(0.02)

        self.measure("zoom in, 12 steps of the wheel", wheel, lambda: plot.picture is not shown)
        shown = plot.picture

        def pan() -> None:
            right = Qt.MouseButton.RightButton
            QTest.mousePress(native, right, NO_KEY, middle)
            for step in range(20):
                QTest.mouseMove(native, middle + QPoint(6 * step, 3 * step))
                self.pause(0.01)
            QTest.mouseRelease(native, right, NO_KEY, middle + QPoint(120, 60))

        self.measure("pan, 20 events", pan, lambda: plot.picture is not shown)
        self.measure("zoom in further", wheel, lambda: plot.picture.drawing.whole)
        self.rows.append(Row("at close range", 0, note=plot.picture.drawing.text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="report.json and report.md")
    parser.add_argument("--stacks", action="store_true", help="say where the window was held up")
    options = parser.parse_args()
    run = make_run(options.folder, options.particles)
    bench = Bench(options.stacks)
    bench.run(run.path)
    bench.viewer.window._qt_window.grab().save(str(options.out.with_suffix(".png")))
    bench.watch.end()
    bench.viewer.close()
    options.out.with_suffix(".json").write_text(
        json.dumps([asdict(r) for r in bench.rows], indent=2)
    )
    lines = [
        "| action | until shown, s | longest stall, ms | CPU of it, window / all threads, ms "
        "| most CPU of the window between two turns, ms | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.action} | {row.until_shown:.2f} | {1000 * row.stall.wall:.0f} "
        f"| {1000 * row.stall.own_cpu:.0f} / {1000 * row.stall.all_cpu:.0f} "
        f"| {1000 * row.most_own:.0f} | {row.note} |"
        for row in bench.rows
    ]
    lines.append(f"\nLoad average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
    options.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
