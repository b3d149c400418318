"""Trainings that are started other than in this one process."""

from __future__ import annotations

import os

import typer

from napari_cryodrgn.commandline.drive import FAILED
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.progress import run_to_end


def trains_along() -> bool:
    """Whether ``torchrun`` started this process to train along with the first one."""
    return int(os.environ.get("RANK", "0")) > 0 and int(os.environ.get("WORLD_SIZE", "1")) > 1


def train_along(config: TrainingConfig) -> None:
    """Train along, and say nothing: what goes wrong the first process tells.

    Raises
    ------
    typer.Exit
        With status 1, where something went wrong.
    """
    from napari_cryodrgn.workflows.train import train

    try:
        run_to_end(train(config))
    except (InputError, Cancelled) as error:
        raise typer.Exit(FAILED) from error
