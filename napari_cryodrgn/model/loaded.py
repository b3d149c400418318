"""A trained model, loaded and ready to decode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import Checkpoint, read_checkpoint
from napari_cryodrgn.model.state_keys import from_disk, has_plain_encoder
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.run import RunFolder


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A trained model in evaluation mode.

    Parameters
    ----------
    vae : VAE
        The network with its weights. Its encoder is None where the run has none for
        single images.
    config : RunConfig
        What the run says of itself.
    epoch : int
        Epochs finished.
    norm : (float, float)
        Mean and standard deviation that the images' transforms were normalised by.
    """

    vae: VAE
    config: RunConfig
    epoch: int
    norm: tuple[float, float]

    @property
    def box(self) -> int:
        """Side of the images the model was trained on, px."""
        return self.config.box

    @property
    def zdim(self) -> int:
        """Latent dimensions; 0 for a single volume."""
        return self.vae.zdim


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
    if run_config.kind == "abinit":
        raise InputError(
            "models of 'cryodrgn abinit' cannot be decoded yet", file=config, field="kind"
        )
    checkpoint = read_checkpoint(weights)
    norm = run_config.norm or checkpoint.norm
    if norm is None:
        raise InputError("the normalisation is missing", file=config, field="norm")
    vae = _with_weights(run_config, checkpoint, Path(weights))
    number = checkpoint.epoch if epoch is None else epoch
    return LoadedModel(vae.to(device), run_config, number, norm)


def _with_weights(config: RunConfig, checkpoint: Checkpoint, path: Path) -> VAE:
    state = from_disk(checkpoint.model_state, config.model)
    encodes = has_plain_encoder(state)
    if not encodes:
        state = {name: part for name, part in state.items() if not name.startswith("encoder.")}
    vae = build_vae(config.model, config.box, with_encoder=encodes)
    _check_state(state, vae.state_dict(), path)
    vae.load_state_dict(state)
    return vae.eval().requires_grad_(False)


def _check_state(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], path: Path
) -> None:
    """Raise `InputError` for the first weight that the configuration contradicts."""
    hint = "Do the weights belong to this config.yaml?"
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(
                "these weights are missing, which the configuration asks for",
                file=path,
                field=name,
                hint=hint,
            )
        if found[name].shape != tensor.shape:
            raise InputError(
                f"the weights have the shape {tuple(found[name].shape)}, "
                f"the configuration asks for {tuple(tensor.shape)}",
                file=path,
                field=name,
                hint=hint,
            )
    unknown = [name for name in found if name not in expected]
    if unknown:
        raise InputError(
            "these weights have no place in the model that the configuration describes",
            file=path,
            field=unknown[0],
            hint=hint,
        )
