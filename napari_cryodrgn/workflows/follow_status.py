"""What a training says of itself while it runs, and how it is asked to stop.

Both are small files in the run folder, so that whoever sees the folder can
follow and stop the training: another window, another process, another computer
that shares the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from dataclasses import dataclass
from typing import Literal, TypeVar

import psutil

from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_json, require_file
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import LockOwner, lock_owner
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.workflows.launch_record import read_launch

Result = TypeVar("Result")
State = Literal["running", "finished", "stopped", "failed"]
When = Literal["now", "epoch"]

WRITE_SECONDS = 1.0
# A slow shared disk must not hold the training up: of its time this share at most.
WRITE_SHARE = 0.02


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training has come.

    Parameters
    ----------
    state : {"running", "finished", "stopped", "failed"}
        As its process last wrote it; one that was killed stays "running".
    owner : LockOwner
        The process.
    progress : TrainingProgress
        Its last report.
    text : str
        How it ended, for people; "" while it runs.
    """

    state: State
    owner: LockOwner
    progress: TrainingProgress
    text: str = ""


def read_status(run: RunFolder) -> TrainingStatus | None:
    """What the training in a folder last said; None where it has said nothing readable."""
    try:
        content = read_json(run.status)
        return TrainingStatus(
            content["state"],
            LockOwner(**content["owner"]),
            TrainingProgress(**content["progress"]),
            content["text"],
        )
    except (ValueError, TypeError, KeyError):
        return None


def write_status(run: RunFolder, status: TrainingStatus) -> None:
    """Say how far the training has come.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    write_text(run.status, json.dumps(dataclasses.asdict(status)) + "\n")


def request_stop(run: RunFolder, when: When) -> None:
    """Ask the training in a folder to stop.

    Parameters
    ----------
    run : RunFolder
    when : {"now", "epoch"}
        After the present step, or when the epoch under way is finished and saved.

    Raises
    ------
    InputError
        Where the folder cannot be written to.
    """
    write_text(run.stop_request, when + "\n")


def stop_requested(run: RunFolder) -> When | None:
    """What `request_stop` asked for; None where it did not."""
    try:
        require_file(run.stop_request)
        text = run.stop_request.read_text(encoding="utf-8").strip()
    except InputError:
        return None
    except (OSError, ValueError):  # it is there, and cannot be read
        return "now"
    return "epoch" if text == "epoch" else "now"


def forget_past(run: RunFolder) -> None:
    """Remove what an earlier training in the folder said, and was asked."""
    for path in (run.status, run.stop_request, run.launch):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def reported(run: RunFolder, task: Task[Result]) -> Task[Result]:
    """Drive a training so that others can follow it and ask it to stop.

    Parameters
    ----------
    run : RunFolder
        Where it trains. Nothing is written before the training holds the folder's lock,
        unless it was started for others to follow.
    task : Task
        The training.

    Raises
    ------
    Cancelled
        Where somebody asked it to stop; the task was closed.
    """
    writer = _StatusWriter(run)
    stop: When | None = None
    try:
        while True:
            try:
                report = next(task)
            except StopIteration as end:
                writer.end("finished", "Training complete")
                result: Result = end.value
                return result
            writer.note(report)
            yield report
            stop = stop_requested(run)
            if stop == "now" or (stop == "epoch" and _between_epochs(report)):
                break
        task.close()
        raise Cancelled
    except (GeneratorExit, Cancelled):
        task.close()
        writer.end("stopped", "Stopped on request")
        raise
    except BaseException as error:
        writer.end("failed", str(error) or type(error).__name__)
        raise


def _between_epochs(report: Progress) -> bool:
    """Whether an epoch has just been saved that is not the last."""
    if not isinstance(report, TrainingProgress) or report.finished_epoch is None:
        return False
    return report.finished_epoch < report.n_epochs


class _StatusWriter:
    """Writes the status now and then; a disk that refuses does not stop the training."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.owner = LockOwner.this_process()
        self.last: TrainingProgress | None = None
        launch = read_launch(run)
        self._may_write = launch is not None and launch.is_of_this_process()
        self._next = 0.0
        with contextlib.suppress(OSError):
            # Left by a training that was killed before it could look.
            if run.stop_request.stat().st_mtime < psutil.Process().create_time():
                run.stop_request.unlink()

    def note(self, report: Progress) -> None:
        """Take note of a report."""
        if not isinstance(report, TrainingProgress):
            return
        self.last = report
        if time.monotonic() >= self._next or report.finished_epoch is not None:
            self._write(TrainingStatus("running", self.owner, report))

    def end(self, state: State, text: str) -> None:
        """Say how it ended; of a training that was refused at once there is nothing to say."""
        if self.last is None:
            return
        self._write(TrainingStatus(state, self.owner, self.last, text))
        with contextlib.suppress(OSError):
            self.run.stop_request.unlink(missing_ok=True)

    def _write(self, status: TrainingStatus) -> None:
        self._may_write = self._may_write or lock_owner(self.run.lock) == self.owner
        if not self._may_write:
            return
        started = time.monotonic()
        with contextlib.suppress(InputError):
            write_status(self.run, status)
        now = time.monotonic()
        self._next = now + max(WRITE_SECONDS, (now - started) / WRITE_SHARE)
