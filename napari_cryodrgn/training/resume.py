"""Taking a training up again: from which epoch, and whether the options allow it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import Checkpoint, read_checkpoint
from napari_cryodrgn.model.state_keys import from_disk
from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.run import RunFolder

logger = logging.getLogger(__name__)

# What may differ when a run is continued: how long, where and how often saved,
# not what is computed. The files are compared by content, see `training.source`.
FREE_OPTIONS = {
    "num_epochs",
    "device",
    "threads",
    "outdir",
    "load",
    "checkpoint",
    "cache",
    "lazy",
    "compile",
}
FILE_OPTIONS = {"particles", "poses", "ctf", "ind", "datadir", "ignore_ctf"}


@dataclass(frozen=True, eq=False)
class ResumePoint:
    """Where a training goes on.

    Parameters
    ----------
    epoch : int
        Last finished epoch; 0 where none is.
    checkpoint : Checkpoint or None
        Its weights and optimiser; None where no epoch is finished.
    """

    epoch: int
    checkpoint: Checkpoint | None


def last_finished(run: RunFolder, zdim: int) -> ResumePoint:
    """The last epoch of a run of which weights and latents are whole.

    Parameters
    ----------
    run : RunFolder
    zdim : int
        Latent dimensions; a run without any has weights only.

    Returns
    -------
    ResumePoint
        Epochs whose files cannot be read are passed over, with a warning.
    """
    epochs = set(run.weight_epochs())
    if zdim:
        epochs &= set(run.latent_epochs())
    for epoch in sorted(epochs, reverse=True):
        try:
            checkpoint = read_checkpoint(run.weights(epoch))
            if zdim:
                read_latents(run.latents(epoch))
        except InputError as error:
            logger.warning("Epoch %d is passed over: %s", epoch, error)
            continue
        return ResumePoint(epoch, checkpoint)
    return ResumePoint(0, None)


def require_same_options(config: TrainingConfig, recorded: RunConfig) -> None:
    """Check that a run is continued with the options it was begun with.

    Parameters
    ----------
    config : TrainingConfig
        What is asked for now.
    recorded : RunConfig
        What the run's ``config.yaml`` says.

    Raises
    ------
    InputError
        Where an option differs that would change the result; names it.
    """
    given = config.model_dump(mode="json", exclude=FREE_OPTIONS | FILE_OPTIONS)
    # What runs do not say that are of the time before it could be chosen, or cryoDRGN's.
    unsaid = {"schedule": "cryodrgn", "do_pose_sgd": recorded.refines_poses}
    options = {**unsaid, **_recorded_options(recorded)}
    for name, before in options.items():
        if name not in given:
            continue
        now = given[name]
        if name in ("seed", "norm") and now is None:
            continue  # drawn or measured once, then taken from the run
        if _effective(name, now, recorded) != _effective(name, before, recorded):
            raise InputError(
                f"the run was begun with {before!s}",
                field=_option_name(name),
                value=now,
                hint="Continue with the same value, or give another run folder",
            )


def _recorded_options(recorded: RunConfig) -> dict[str, Any]:
    """Options of a run; for a run that cryoDRGN began, those its configuration shows."""
    norm = None if recorded.norm is None else list(recorded.norm)
    shown = {
        "invert_data": recorded.invert_data,
        "window": recorded.window,
        "window_r": recorded.window_r,
    }
    options = recorded.training or {**recorded.model.model_dump(mode="json"), **shown}
    return {**options, "seed": recorded.seed, "norm": norm}


def _effective(name: str, value: Any, recorded: RunConfig) -> Any:
    """The value that counts where an option is left empty."""
    if value is None and name in ("enc_mask", "pe_dim"):
        return recorded.box // 2
    if value is None and name == "beta":
        return 1 / recorded.model.zdim if recorded.model.zdim else None
    return value


def _option_name(name: str) -> str:
    extra = TrainingConfig.model_fields[name].json_schema_extra
    names = extra.get("names") if isinstance(extra, dict) else None
    return str(names[-1]) if isinstance(names, list) and names else name


def restore(
    vae: VAE, checkpoint: Checkpoint, path: Path, optimiser: torch.optim.Optimizer | None = None
) -> None:
    """Put the weights of a checkpoint, and its optimiser's state, in place.

    Parameters
    ----------
    vae : VAE
        The model.
    checkpoint : Checkpoint
        What was read.
    path : Path
        Where it was read, for messages.
    optimiser : Optimizer, optional
        Restored too where given.

    Raises
    ------
    InputError
        Where the checkpoint does not belong to such a model, or has no state of
        an optimiser though one is to be restored.
    """
    state = checkpoint.optimizer_state
    if optimiser is not None and state is None:
        raise InputError(
            "the state of the optimiser is missing",
            file=path,
            field="optimizer_state_dict",
            hint="To start from these weights, name the file with --load and another run folder",
        )
    try:
        vae.load_state_dict(from_disk(checkpoint.model_state, vae.config))
        if optimiser is not None and state is not None:
            optimiser.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise InputError(
            f"these weights are not of a model with the given options ({_one_line(error)})",
            file=path,
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
