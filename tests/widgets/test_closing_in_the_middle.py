"""The window is closed at a random moment of each long task: nothing is left, and the run opens."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.latent.embedding import UmapSettings
from napari_cryodrgn.progress import Task, run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.docks import LATENT, VOLUME, open_dock
from napari_cryodrgn.widgets.sessions import session_for
from napari_cryodrgn.widgets.tasks import start_task
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.backproject import backproject_run
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.embed import embed_run
from napari_cryodrgn.workflows.export_particles import export_particles
from napari_cryodrgn.workflows.movie import make_movie
from napari_cryodrgn.workflows.movie_recipe import make_recipe
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.train import train

pytestmark = pytest.mark.gui

SMALL = {"zdim": 3, "enc_layers": 1, "enc_dim": 8, "dec_layers": 1, "dec_dim": 8}
LONGEST = 0.6


def config(particles: Path, out: Path, epochs: int) -> TrainingConfig:
    return TrainingConfig(
        particles=particles,
        outdir=out,
        **SMALL,
        num_epochs=epochs,
        seed=0,
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def run(tiny_set_template: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("closing") / "run"
    return run_to_end(train(config(tiny_set_template / "particles.star", out, 1)))


def many(run: OpenRun) -> np.ndarray:
    """States enough for some seconds."""
    assert run.latent is not None
    return np.resize(run.latent.mu, (1500, 3))


TASKS: dict[str, Callable[[OpenRun, Path], Task[object]]] = {
    "training": lambda run, out: train(
        config(Path(run.config.particles), out / "new", 100_000)  # type: ignore[union-attr, arg-type]
    ),
    "analysis": lambda run, _: analyze(run.folder, run.epoch, ksample=60),
    "UMAP": lambda run, _: embed_run(run.folder, run.latent, UmapSettings(seed=1)),
    "decoding": lambda run, out: decode(run.folder, run.epoch, many(run), out / "volumes"),
    "backprojection": lambda run, out: backproject_run(run, None, out / "maps"),
    "movie": lambda run, out: make_movie(
        make_recipe(run.folder.path, many(run)), out / "movie.gif", volumes_folder=out / "states"
    ),
    "export": lambda run, out: export_particles(run, run.latent.rows, out / "kept.star"),
}


def left_behind(before: set[threading.Thread]) -> list[str]:
    """Threads that were not there before, and processes begun from here.

    Qt's own pool of threads, which Python knows as dummies, waits for the next task.
    """
    threads = [
        thread.name
        for thread in threading.enumerate()
        if thread not in before and not isinstance(thread, threading._DummyThread)
    ]
    children = psutil.Process().children(recursive=True)
    return threads + [" ".join(child.cmdline()[:4]) for child in children if child.is_running()]


@pytest.mark.parametrize("name", TASKS)
def test_closing_in_the_middle_leaves_nothing(
    name, run, make_napari_viewer, settle, qtbot, tmp_path
):
    before = set(threading.enumerate())
    viewer = make_napari_viewer(show=True)
    dock = open_dock(viewer, LATENT)
    open_dock(viewer, VOLUME)
    session = session_for(viewer)
    session.open_run(run.path)
    session.request_z(np.zeros(3), source="typed")
    opened = session.run
    task = dock.own(start_task(partial(TASKS[name], opened, tmp_path), name))
    # No seed: another moment each time. Of most tasks that is in the middle.
    moment = random.uniform(0, LONGEST)
    qtbot.wait(round(1000 * moment))
    del dock, session
    started = time.monotonic()
    viewer.close()
    took = time.monotonic() - started
    settle(lambda: not task.running)
    for _ in range(100):
        if not left_behind(before):
            break
        qtbot.wait(100)
    assert left_behind(before) == [], moment
    assert not list(tmp_path.rglob("*.part")), moment
    assert not list(run.path.rglob("*.part")), moment
    # Each piece of a task is short; what may take long is done beside the thread that waits.
    assert took < 20, moment
    assert open_run(run.path).problems == ()
    new = RunFolder(tmp_path / "new")
    assert not new.lock.exists()
    if new.config.exists():
        assert open_run(new.path).epoch == max(new.latent_epochs(), default=None)
