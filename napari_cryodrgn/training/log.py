"""``run.log``: the course of a training, for people and for cryoDRGN's learning curve."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text, writing_failed
from napari_cryodrgn.training.records import EpochMetrics, PoseChange

_EPOCH_LINE = re.compile(r"=====> Epoch: (\d+) ")


def log_line(path: Path, text: str) -> None:
    """Add a line with the time to a run's log.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    now = datetime.datetime.now().isoformat(" ", "seconds")
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{now}  {text}\n")
    except OSError as error:
        raise InputError(writing_failed(error), file=path) from error


def epoch_line(metrics: EpochMetrics) -> str:
    """An epoch's losses, in the words by which cryoDRGN finds them in its logs."""
    took = datetime.timedelta(seconds=metrics.seconds)
    return (
        f"# =====> Epoch: {metrics.epoch} Average gen loss = {metrics.gen_loss:.6f}, "
        f"KLD = {metrics.kld:.6f}, total loss = {metrics.loss:.6f}; Finished in {took}"
    )


def pose_line(lately: PoseChange, in_all: PoseChange, pixel_size: float | None) -> str:
    """How far poses moved in an epoch, and since they were given."""
    return (
        f"Poses moved by {lately.words(pixel_size)} on average in this epoch, "
        f"{in_all.words(pixel_size)} from the given ones"
    )


def keep_log_until(path: Path, epoch: int) -> None:
    """Drop the losses of epochs after `epoch`, which are about to be trained again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    numbers = [_EPOCH_LINE.search(line) for line in lines]
    kept = [
        line
        for line, number in zip(lines, numbers, strict=True)
        if number is None or int(number.group(1)) <= epoch
    ]
    write_text(path, "".join(kept))
