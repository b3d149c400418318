"""Real commands in forked processes, on particles and a run that are small enough for hundreds.

Forked from a process that has imported everything, a command is at work at once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer

import napari_cryodrgn
from napari_cryodrgn import cli
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_ctf, write_poses
from napari_cryodrgn.particles import CTFParameters, Poses
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import KeptState, LatentPoint, WindowState, write_session

N, BOX = 48, 16
SECONDS_ALLOWED = 120.0
FAULT_OF_OURS = 70

# What a window keeps as one works, written again and again; not a command of the program.
SESSIONS = 150

_NETWORK = "--zdim 2 --enc-dim 16 --enc-layers 1 --dec-dim 16 --dec-layers 1 --seed 1"
_PARTICLES = "particles.mrcs --poses poses.pkl --ctf ctf.pkl"
_TRAIN = f"train {_PARTICLES} --device cpu --threads 1 --no-analysis {_NETWORK}"

COMMANDS = {
    "train": f"{_TRAIN} -o fresh -n 4",
    "stream": f"{_TRAIN} -o streamed -n 3 --lazy --cache cache",
    "resume": f"{_TRAIN} -o run -n 5 --load latest",
    "analyze": "analyze run 3 --ksample 4 --pc 1 --skip-umap --device cpu",
    "decode": "decode run 3 -o decoded --zfile z.txt --device cpu",
    "movie": "movie run 3 --zfile z.txt -o movie.gif --volumes states --device cpu",
    "backproject": f"backproject {_PARTICLES} -o maps --threads 1",
    "select": "select run 3 -o chosen.json --where z0>0",
    "export": "export run kept.json -o exported.pkl",
    "session": "session",
}
_IMAGES = ("particles.mrcs", "poses.pkl", "ctf.pkl")
_STATES = ("run/weights.3.pkl", "run/config.yaml", "z.txt")
INPUTS = {
    "train": _IMAGES,
    "stream": _IMAGES,
    "resume": (*_IMAGES, "run/weights.3.pkl", "run/z.3.pkl"),
    "analyze": ("run/weights.3.pkl", "run/z.3.pkl", "run/config.yaml"),
    "decode": _STATES,
    "movie": _STATES,
    "backproject": _IMAGES,
    "select": ("run/z.3.pkl", "run/config.yaml"),
    "export": ("run/config.yaml", "kept.json"),
}
"""Files that a command reads."""
TRAINED = {"train": "fresh", "stream": "streamed", "resume": "run"}
"""Run folders that commands train in."""


# Within functions of those that the loop finds, or of torch.
_LATE = ("PIL.GifImagePlugin", "scipy.optimize", "sklearn.cluster", "torch._dynamo")


def import_all() -> None:
    """Import what commands import as they go: half of their time would go into that."""
    for module in pkgutil.walk_packages(napari_cryodrgn.__path__, "napari_cryodrgn."):
        if ".widgets" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)


class Child:
    """A command in a forked process.

    Parameters
    ----------
    folder : Path
        Where it works.
    words : list of str
    said : Path
        Takes everything it says; on another disk than the one that is filled.
    before : callable, optional
        Called in the process before the command.
    """

    def __init__(
        self, folder: Path, words: list[str], said: Path, before: Callable[[], None] | None = None
    ) -> None:
        self.status: int | None = None
        self._said = said
        said.unlink(missing_ok=True)  # one that is killed at once says nothing
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _run_and_exit(folder, words, said, before)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after at most so long."""
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                return False
            else:
                time.sleep(0.001)
        return True

    def said(self) -> str:
        """Everything it said."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""


def _run_and_exit(
    folder: Path, words: list[str], said: Path, before: Callable[[], None] | None
) -> None:
    status = FAULT_OF_OURS
    try:
        os.chdir(folder)
        descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        if before is not None:
            before()
        try:
            if words == ["session"]:
                _keep_sessions(folder)
            else:
                cli.main(words)
            status = 0
        except typer.Exit as end:
            status = end.exit_code
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:  # noqa: BLE001 - told to the parent, who calls it a fault
            traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _keep_sessions(folder: Path) -> None:
    """Write sessions as a window does, each said to be saved once it is."""
    run = RunFolder(folder / "run")
    with cli.errors_as_status():
        for row in range(SESSIONS):
            kept = tuple(
                KeptState(row=row, name=f"state {n}", colour="#ff0000", level=3.0, mode="surface")
                for n in range(row % 40)
            )
            write_session(run.session, WindowState(state=LatentPoint(row=row), kept=kept))
            cli.say(f"saved {row}")


def prepare(folder: Path) -> None:
    """Particles and a run with an analysis and a selection, as commands make them."""
    import_all()
    rng = np.random.default_rng(0)
    images = rng.normal(size=(N, BOX, BOX)).astype(np.float32)
    write_stack(folder / "particles.mrcs", images, 3.0)
    shifts = rng.uniform(-0.05, 0.05, (N, 2)).astype(np.float32)
    write_poses(folder / "poses.pkl", Poses(random_rotations(N, rng), shifts))
    row = [BOX, 3.0, 15000, 14000, 30, 300, 2.7, 0.1, 0]
    write_ctf(folder / "ctf.pkl", CTFParameters(np.tile(np.array(row, float), (N, 1))))
    np.savetxt(folder / "z.txt", rng.normal(size=(3, 2)))
    for words in (
        f"{_TRAIN} -o run -n 3",
        "analyze run --ksample 3 --pc 1 --skip-umap --device cpu",
        "select run -o kept.json --where z0>0",
    ):
        run_whole(folder, words)


def run_whole(folder: Path, words: str) -> float:
    """Run a command undisturbed, and return how long it took.

    Raises
    ------
    RuntimeError
        Where it fails.
    """
    started = time.monotonic()
    done = Child(folder, words.split(), folder.parent / "said")
    if not done.wait(SECONDS_ALLOWED) or done.status:
        raise RuntimeError(f"{words}: status {done.status}: {done.said()}")
    return time.monotonic() - started


def again(work: Path, command: str) -> str:
    """The words with which one goes on after a fault."""
    words = COMMANDS[command]
    begun = command in TRAINED and (work / TRAINED[command] / "config.yaml").exists()
    return f"{words} --load latest" if begun and "--load" not in words else words


def clean_copy(sound: Path, work: Path) -> None:
    """Put what `prepare` made into a folder, in place of what is there."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sound, work)
