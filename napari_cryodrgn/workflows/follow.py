"""Following a training that runs elsewhere: another process, another computer, a cluster."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from napari_cryodrgn.progress import Task, duration_text
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import lock_owner
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.workflows.follow_status import TrainingStatus, read_status
from napari_cryodrgn.workflows.launch_record import Launch, read_launch
from napari_cryodrgn.workflows.launch_slurm import JobWatch, job_log

LOOK_SECONDS = 0.25
# Of a process on another computer nobody here can ask whether it is still there.
SILENT_SECONDS = 60.0
LOG_LINES = 8


@dataclass(frozen=True)
class Ending:
    """How a training that was followed came to its end.

    Parameters
    ----------
    state : {"finished", "stopped", "failed", "died", "none"}
        "died": its process is gone without a word; "none": nothing trains in the folder.
    text : str
        That in words.
    details : str
        What it said last on its terminal, where it failed.
    """

    state: Literal["finished", "stopped", "failed", "died", "none"]
    text: str
    details: str = ""


def follow_run(folder: str | Path) -> Task[Ending]:
    """Follow the training in a folder to its end, whoever runs it.

    Closing the task ends the following and leaves the training alone.

    Parameters
    ----------
    folder : path-like
        Run folder, local or on a shared disk.

    Yields
    ------
    TrainingProgress
        The training's own reports, four times a second at most. `finished_epoch`
        is set once for each epoch that was finished since the task began.

    Returns
    -------
    Ending
    """
    run = RunFolder(Path(folder).expanduser().absolute())
    known = max(run.weight_epochs(), default=0)
    launch = read_launch(run)
    watch = JobWatch(launch) if launch is not None and launch.job else None
    last: TrainingStatus | None = None
    news = time.monotonic()
    while True:
        status = read_status(run)
        ending = _ending(run, status, watch)
        newest = max(run.weight_epochs(), default=0)
        finished = newest if newest > known else None
        known = max(known, newest)
        if status != last:
            last, news = status, time.monotonic()
        silent = time.monotonic() - news
        yield _report(status, finished, silent, watch)
        if ending is not None:
            return ending
        time.sleep(LOOK_SECONDS)


def _report(
    status: TrainingStatus | None, finished: int | None, silent: float, watch: JobWatch | None
) -> TrainingProgress:
    """The training's own report, with what only a follower can say."""
    if status is None:
        words = "Starting …" if watch is None else watch.words()
        return TrainingProgress(0, None, words, finished_epoch=finished)
    report = replace(status.progress, finished_epoch=finished)
    if status.state != "running" or silent < SILENT_SECONDS:
        return report
    words = f"No word from {status.owner.host} for {duration_text(silent)}"
    return replace(report, message=words, seconds_left=None, images_per_second=None)


def _ending(run: RunFolder, status: TrainingStatus | None, watch: JobWatch | None) -> Ending | None:
    """How it ended; None while it goes on."""
    if status is not None and status.state != "running":
        details = log_tail(run) if status.state == "failed" else ""
        return Ending(status.state, status.text, details)
    if watch is not None:
        return _ending_of_job(run, status, watch)
    if lock_owner(run.lock) is not None:
        return None
    if status is not None:
        if not status.owner.is_gone():
            return None
        again = read_status(run)  # its last word may have come between the two looks
        if again is not None and again.state != "running":
            return _ending(run, again, watch)
        return Ending(
            "died",
            "The training has ended without a word: it was killed, or its computer ran out of "
            "memory. Finished epochs are kept",
            log_tail(run),
        )
    return _ending_of_launch(run, read_launch(run))


def _ending_of_job(run: RunFolder, status: TrainingStatus | None, watch: JobWatch) -> Ending | None:
    """How a cluster's job ended that has not said so itself."""
    watch.look()
    if watch.state != "gone":
        return None
    again = read_status(run)  # its last word may have come between the two looks
    if again is not None and again.state != "running":
        return None
    # Nothing of it runs any more, though the process was on another computer.
    for path in (run.launch, run.lock):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    job = f"SLURM job {watch.launch.job}"
    details = job_log(run, watch.launch.job)
    if status is None:
        text = f"{job} was cancelled, or ended before the training began"
        return Ending("failed", text, details)
    text = f"{job} has ended: cancelled, or out of time or memory. Finished epochs are kept"
    return Ending("died", text, details)


def _ending_of_launch(run: RunFolder, launch: Launch | None) -> Ending | None:
    """How a training ended that has said nothing in the folder itself."""
    if launch is None:
        return Ending("none", "Nothing trains in this folder")
    if launch.owner is not None and not launch.owner.is_gone():
        return None
    if read_status(run) is not None:
        return None  # it has just spoken: the next look tells
    return Ending("failed", failure_words(run), log_tail(run))


def failure_words(run: RunFolder) -> str:
    """What a training that could not begin said was wrong."""
    lines = [line for line in log_tail(run).splitlines() if ": error: " in line]
    return lines[-1].split(": error: ", 1)[1] if lines else "The training could not begin"


def log_tail(run: RunFolder) -> str:
    """The last lines that the training's process wrote on its terminal."""
    try:
        text = run.launch_log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])
