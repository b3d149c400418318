"""Checkpoints: ``weights.N.pkl``, read as data, written whole, turned into models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model import safe_load
from napari_cryodrgn.model.abinit import read_hypervolume
from napari_cryodrgn.model.loaded import LoadedModel, model_with_weights
from napari_cryodrgn.model.state_keys import to_disk
from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.run import RunFolder

_WHOLE = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    Parameters
    ----------
    epoch : int
        Epochs finished.
    model_state : dict of str to Tensor
        Weights, under the names in the file, on the CPU.
    optimizer_state : dict or None
        State of the optimiser.
    norm : (float, float) or None
        Mean and standard deviation of the images, where the file has them
        (single volumes and auto-decoders).
    extra : dict
        Everything else.
    """

    epoch: int
    model_state: dict[str, torch.Tensor]
    optimizer_state: dict[str, Any] | None
    norm: tuple[float, float] | None
    extra: dict[str, Any]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without running anything in it.

    Parameters
    ----------
    path : path-like
        A ``weights.N.pkl`` of cryoDRGN (any command and version since 1.0) or of ours.

    Returns
    -------
    Checkpoint

    Raises
    ------
    InputError
        Where the file is missing, broken, holds code, or is no checkpoint.
    """
    path = Path(path)
    content = safe_load.load(path)
    if not isinstance(content, dict):
        raise InputError("this is no checkpoint: it holds no named parts", file=path)
    content = dict(content)
    state = content.pop("model_state_dict", None)
    if not _is_state(state):
        raise InputError("the weights are missing", file=path, field="model_state_dict")
    epoch = content.pop("epoch", None)
    if not isinstance(epoch, int):
        raise InputError("this must be a whole number", file=path, field="epoch", value=epoch)
    return Checkpoint(
        epoch=epoch,
        model_state=dict(state),
        optimizer_state=content.pop("optimizer_state_dict", None),
        norm=_norm(content.pop("norm", None), path),
        extra=content,
    )


def write_checkpoint(
    path: str | Path,
    *,
    epoch: int,
    model: VAE,
    optimizer: torch.optim.Optimizer | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint that cryoDRGN reads, whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write.
    epoch : int
        Epochs finished.
    model : VAE
        The model; without latent it is written as ``cryodrgn train_nn`` would.
    optimizer : Optimizer, optional
        Its state is kept for a training that goes on.
    extra : mapping, optional
        Further named parts: tensors, numbers, strings and containers of them, so that
        the file can be read back safely. A single volume needs ``norm`` here.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    content: dict[str, Any] = {
        "epoch": epoch,
        "model_state_dict": to_disk(_on_cpu(model.state_dict()), model.config),
        "optimizer_state_dict": None if optimizer is None else _on_cpu(optimizer.state_dict()),
        **(extra or {}),
    }
    with replacing(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # PyTorch's own writer wraps an operating system's error, such as a full disk.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def load_model(
    run: RunFolder, epoch: int | None = None, device: torch.device | str = "cpu"
) -> LoadedModel:
    """Load the model of a run.

    Parameters
    ----------
    run : RunFolder
    epoch : int, optional
        Which epoch; the latest that has weights if not given.
    device : torch.device or str
        Where to put it.

    Returns
    -------
    LoadedModel

    Raises
    ------
    InputError
        Where files are missing or unusable, or weights and configuration disagree.
    """
    epochs = run.weight_epochs()
    if epoch is None and not epochs and run.weights().is_file():
        return load_model_files(run.weights(), run.config, device)
    number = run.epoch_or_latest(epoch, epochs, "weights")
    return load_model_files(run.weights(number), run.config, device, epoch=number)


def load_model_files(
    weights: str | Path,
    config: str | Path,
    device: torch.device | str = "cpu",
    *,
    epoch: int | None = None,
) -> LoadedModel:
    """Load a model from loose files.

    Parameters
    ----------
    weights : path-like
        A checkpoint.
    config : path-like
        The ``config.yaml`` that belongs to it.
    device : torch.device or str
        Where to put it.
    epoch : int, optional
        The epoch as the file's name has it; that in the file if not given.

    Returns
    -------
    LoadedModel

    Raises
    ------
    InputError
        Where files are missing or unusable, or weights and configuration disagree.
    """
    run_config = read_run_config(config)
    checkpoint = read_checkpoint(weights)
    norm = run_config.norm or checkpoint.norm
    if norm is None:
        raise InputError("the normalisation is missing", file=config, field="norm")
    number = checkpoint.epoch if epoch is None else epoch
    path = Path(weights)
    if run_config.kind != "abinit":
        vae = model_with_weights(run_config, checkpoint.model_state, path)
        return LoadedModel(vae.to(device), run_config, number, norm)
    found = read_hypervolume(checkpoint.extra, run_config, path)
    vae = model_with_weights(found.config, found.state, path, latent_freqs=found.latent_freqs)
    return LoadedModel(vae.to(device), found.config, number, norm, found.mask_radius)


def _is_state(state: object) -> bool:
    return isinstance(state, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) and _is_plain(tensor)
        for name, tensor in state.items()
    )


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor is numbers in memory, each with a place of its own."""
    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and (tensor.is_floating_point() or tensor.dtype in _WHOLE)
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def _norm(norm: object, path: Path) -> tuple[float, float] | None:
    if norm is None:
        return None
    try:
        mean, deviation = (float(value) for value in norm)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise InputError(
            "this must be a mean and a standard deviation", file=path, field="norm", value=norm
        ) from error
    return mean, deviation


def _on_cpu(value: Any) -> Any:
    """The same nested containers with every tensor on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {name: _on_cpu(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_on_cpu(part) for part in value)
    return value
