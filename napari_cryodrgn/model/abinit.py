"""Models of ``cryodrgn abinit`` (cryoDRGN-AI): a decoder alone, described in its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.state_keys import unwrapped

LATENT_FREQS = "geom_freqs_conf"


@dataclass(frozen=True, eq=False)
class Hypervolume:
    """A decoder as ``cryodrgn abinit`` saves it.

    Parameters
    ----------
    config : RunConfig
        The run's configuration, with the box and the network filled in.
    state : dict of str to Tensor
        Weights, under the names that train_nn and train_dec give them.
    latent_freqs : (n,) tensor or None
        Frequencies that encode the latent, where it is encoded.
    mask_radius : int
        Radius of the ball within which the model was trained, lattice steps.
    """

    config: RunConfig
    state: dict[str, torch.Tensor]
    latent_freqs: torch.Tensor | None
    mask_radius: int


def read_hypervolume(parts: dict[str, Any], config: RunConfig, path: Path) -> Hypervolume:
    """Find the decoder among the parts of a checkpoint.

    Parameters
    ----------
    parts : dict
        `Checkpoint.extra`.
    config : RunConfig
        What the run's configuration says, which is not all.
    path : Path
        The checkpoint, for messages.

    Returns
    -------
    Hypervolume

    Raises
    ------
    InputError
        Where a part is missing or cannot be used.
    """
    try:
        settings = parts["hypervolume_params"]
        model = ModelConfig(
            zdim=settings["z_dim"],
            dec_layers=settings["n_layers"],
            dec_dim=settings["hidden_dim"],
            pe_type=settings["pe_type"],
            pe_dim=settings["pe_dim"],
            feat_sigma=settings["feat_sigma"],
            domain=settings["domain"],
        )
        box = int(settings["resolution"]) - 1
        radius = int(parts["output_mask_radius"])
        saved = unwrapped(parts["hypervolume_state_dict"])
    except KeyError as error:
        raise InputError("this part is missing", file=path, field=str(error.args[0])) from error
    except (AttributeError, TypeError, ValueError, pydantic.ValidationError) as error:
        raise InputError(
            "the description of the network cannot be used", file=path, field="hypervolume_params"
        ) from error
    state = {
        "decoder" + name.removeprefix("mlp") if name.startswith("mlp.") else name: tensor
        for name, tensor in saved.items()
    }
    return Hypervolume(
        config=config.model_copy(update={"box": box, "model": model}),
        latent_freqs=state.pop(LATENT_FREQS, None),
        state=state,
        mask_radius=radius,
    )
