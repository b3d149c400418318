"""Trainings that are started other than in this one process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import FAILED, PROGRAM, drive, errors_as_status
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.launch_options import SlurmOptions

Launcher = Literal["here", "background", "slurm"]
Run = Annotated[Path, typer.Argument(help="Run folder in which a training is under way.")]


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


def train_elsewhere(config: TrainingConfig, launcher: Launcher, slurm: SlurmOptions) -> None:
    """Start a training beside this process, and say how to follow it."""
    with errors_as_status():
        if launcher == "slurm":
            from napari_cryodrgn.workflows.launch_slurm import launch_on_slurm

            launch = launch_on_slurm(config, slurm)
            what = f"SLURM job {launch.job} is queued"
        else:
            from napari_cryodrgn.workflows.launch import launch_in_background

            launch_in_background(config)
            what = "The training was started in the background"
    typer.echo(f"{what}. '{PROGRAM} follow {config.outdir}' shows how it goes.")


def follow(run: Run) -> None:
    """Follow a training that runs elsewhere: in the background, in a window, on a cluster.

    Ctrl-C ends the following, not the training.
    """
    from napari_cryodrgn.workflows.follow import follow_run

    with errors_as_status():
        folder = RunFolder(run.expanduser().absolute())
        if not folder.own.is_dir():
            raise InputError("no training has begun in this folder", file=run)
        ending = drive(follow_run(run), lambda: "The training goes on.")
        if ending.state in ("failed", "died"):
            raise InputError(ending.text, file=run)
    typer.echo(f"{ending.text}.")


def stop(
    run: Run,
    after_epoch: Annotated[
        bool,
        typer.Option("--after-epoch", help="When the epoch under way is finished and saved."),
    ] = False,
) -> None:
    """Ask the training in a run folder to stop, wherever it runs; finished epochs stay."""
    from napari_cryodrgn.workflows.launch import under_way
    from napari_cryodrgn.workflows.launch_slurm import stop_training

    with errors_as_status():
        folder = RunFolder(run.expanduser().absolute())
        if not under_way(folder):
            raise InputError("no training is under way in this folder", file=run)
        stop_training(folder, "epoch" if after_epoch else "now")
