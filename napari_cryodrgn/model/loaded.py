"""A trained model, loaded and ready to decode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.state_keys import from_disk, has_plain_encoder
from napari_cryodrgn.model.vae import VAE


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
    mask_radius : int or None
        Radius (lattice steps) of the ball outside which the model was not trained; None
        where all of it was.
    """

    vae: VAE
    config: RunConfig
    epoch: int
    norm: tuple[float, float]
    mask_radius: int | None = None

    @property
    def box(self) -> int:
        """Side of the images the model was trained on, px."""
        return self.config.box

    @property
    def zdim(self) -> int:
        """Latent dimensions; 0 for a single volume."""
        return self.vae.zdim


def model_with_weights(
    config: RunConfig,
    state: dict[str, torch.Tensor],
    path: Path,
    *,
    latent_freqs: torch.Tensor | None = None,
) -> VAE:
    """Build the model that a run's configuration describes, and give it its weights.

    Parameters
    ----------
    config : RunConfig
        What the run says of itself.
    state : dict of str to Tensor
        Weights, under the names in the file.
    path : Path
        The file they come from, for messages.
    latent_freqs : (n,) tensor, optional
        See `Decoder`.

    Returns
    -------
    VAE
        In evaluation mode; without encoder where the run has none for single images.

    Raises
    ------
    InputError
        Where a weight is missing, has another shape, or is not part of the model.
    """
    state = from_disk(state, config.model)
    encodes = has_plain_encoder(state)
    if not encodes:
        state = {name: part for name, part in state.items() if not name.startswith("encoder.")}
    _check_size(config, state, path, encodes)
    vae = VAE(config.model, config.box, with_encoder=encodes, latent_freqs=latent_freqs)
    _check_state(state, vae.state_dict(), path)
    vae.load_state_dict(state)
    return vae.eval().requires_grad_(False)


def _check_size(
    config: RunConfig, state: dict[str, torch.Tensor], path: Path, encodes: bool
) -> None:
    """Raise `InputError` where the network would be far larger than its weights.

    So that a configuration's word alone takes no memory; what differs by less is then named.
    """
    model, half = config.model, config.box // 2
    n_points = 0
    if encodes and model.zdim:
        n_points = int(math.pi * min(model.enc_mask or half, half) ** 2) + 1
    frequencies = model.pe_dim or half
    asked = (
        (n_points + model.enc_dim * model.enc_layers) * model.enc_dim * bool(n_points)
        + (6 * frequencies + model.dec_dim * model.dec_layers) * model.dec_dim
        + 9 * frequencies
    )
    there = sum(tensor.numel() for tensor in state.values())
    if asked > 4 * there + 10_000_000:
        raise InputError(
            f"there are {there:,} weights, and the configuration asks for about {asked:,}",
            file=path,
            field="model_state_dict",
            hint="Do the weights belong to this config.yaml?",
        )


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
