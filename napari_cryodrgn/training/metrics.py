"""``metrics.jsonl``: one JSON object a line, one line an epoch."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text, writing_failed
from napari_cryodrgn.io.checks import LARGEST_JSON, parse_json, read_text
from napari_cryodrgn.training.records import EpochMetrics


def append_metrics(path: Path, metrics: EpochMetrics) -> None:
    """Add an epoch's line and flush it to the disk.

    A process that is killed meanwhile leaves at most an unfinished last line,
    which `read_metrics` skips.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    line = json.dumps(dataclasses.asdict(metrics)) + "\n"
    try:
        with path.open("ab") as file:
            file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(writing_failed(error), file=path) from error


def read_metrics(path: str | Path) -> list[EpochMetrics]:
    """The epochs recorded in a metrics file, in order; empty where there is none.

    Raises
    ------
    InputError
        Where a whole line is no epoch of a training.
    """
    path = Path(path)
    if not path.is_file():
        return []
    metrics = []
    # What follows the last line end is unfinished.
    lines = read_text(path, LARGEST_JSON).split("\n")[:-1]
    for number, line in enumerate(lines, start=1):
        try:
            metrics.append(EpochMetrics(**parse_json(line, path)))
        except (InputError, TypeError) as error:
            raise InputError(
                "this line holds no training metrics", file=path, field="line", value=number
            ) from error
    return metrics


def keep_metrics_until(path: Path, epoch: int) -> None:
    """Forget the epochs after `epoch`, which are about to be trained again."""
    if not path.is_file():
        return
    kept = [record for record in read_metrics(path) if record.epoch <= epoch]
    write_text(path, "".join(json.dumps(dataclasses.asdict(record)) + "\n" for record in kept))
