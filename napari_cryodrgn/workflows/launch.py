"""Starting a training as a process of its own, or as a job of a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import IO, Any

import psutil

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import writing_failed
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import LockOwner, lock_owner, refuse_if_locked
from napari_cryodrgn.workflows.follow_status import forget_past, read_status
from napari_cryodrgn.workflows.launch_record import Launch, read_launch, write_launch


def under_way(run: RunFolder) -> bool:
    """Whether a training runs in a folder, is being started there or waits in a queue."""
    if lock_owner(run.lock) is not None:
        return True
    launch, status = read_launch(run), read_status(run)
    if launch is None:
        return False
    if launch.owner is None:  # a job of a cluster: once it has begun its lock tells
        return status is None
    if launch.owner.is_gone():
        return False
    # Its process takes a moment to go after its last word.
    return status is None or status.state == "running" or status.owner.pid != launch.owner.pid


def make_ready(run: RunFolder) -> None:
    """Make a run folder ready for a training that is to be started beside this process.

    Raises
    ------
    InputError
        Where one is under way already, or the folder cannot be made.
    """
    refuse_if_locked(run.lock)
    if under_way(run):
        raise InputError("a training is being started in this folder already", file=run.path)
    try:
        run.own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"this folder cannot be made ({error.strerror})", file=run.own, field="--outdir"
        ) from error
    forget_past(run)


def launch_in_background(config: TrainingConfig) -> Launch:
    """Train in a process of its own, which goes on when this one ends.

    What it says goes to ``launch.log`` in the run folder; `follow.follow_run`
    follows it.

    Parameters
    ----------
    config : TrainingConfig

    Returns
    -------
    Launch
        Written into the run folder too.

    Raises
    ------
    InputError
        Where a training is under way in the folder, or it cannot be written to.
    """
    from napari_cryodrgn.workflows.train_files import command

    run = RunFolder(config.outdir.expanduser().absolute())
    make_ready(run)
    words = [sys.executable, "-m", "napari_cryodrgn", *command(config)[1:], "--no-analysis"]
    try:
        with run.launch_log.open("ab") as log:
            process = _detached(words, log)
    except OSError as error:
        raise InputError(writing_failed(error), file=run.launch_log) from error
    launch = Launch("background", time.time(), _owner_of(process))
    write_launch(run, launch)
    return launch


def _detached(words: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that neither the end of this one nor its terminal ends."""
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        flags = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")
        apart = {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    # What it prints is to be read while it runs.
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=surroundings,
        **apart,
    )
    # Ask how it ended as soon as it has, or its number would stay in use.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def _owner_of(process: subprocess.Popen[bytes]) -> LockOwner:
    here = LockOwner.this_process()
    try:
        started: float = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        started = time.time()  # gone already: whoever follows it finds out
    return LockOwner(process.pid, here.host, started)
