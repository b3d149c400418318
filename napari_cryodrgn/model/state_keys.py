"""Names of weights: cryoDRGN's on disk, ours in memory.

Ours are those of cryoDRGN's VAE: ``encoder.…``, ``decoder.rand_freqs``,
``decoder.decoder.main.…``. Its single volumes (``train_nn``) and auto-decoders
(``train_dec``) save the decoder alone, without the leading ``decoder.``; its
Hartley decoder without positional encoding is the bare perceptron.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from napari_cryodrgn.config import ModelConfig

# Wrappers of PyTorch: DataParallel and its distributed kin, and compiled modules.
WRAPPERS = ("module.", "_orig_mod.")
DECODER = "decoder."

State = Mapping[str, torch.Tensor]


def unwrapped(state: State) -> dict[str, torch.Tensor]:
    """Weights under the names that they have without any wrapper of PyTorch."""
    plain = {}
    for name, tensor in state.items():
        for wrapper in WRAPPERS:
            name = name.replace(wrapper, "")
        plain[name] = tensor
    return plain


def to_disk(state: State, config: ModelConfig) -> dict[str, torch.Tensor]:
    """Weights under the names that cryoDRGN gives them.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``VAE.state_dict()``, possibly wrapped.
    config : ModelConfig
        The model's shape; without latent the file is that of a single volume.
    """
    bare = _is_bare(config)
    named = {}
    for name, tensor in unwrapped(state).items():
        if bare:
            name = name.replace("decoder.decoder.", DECODER, 1)
        named[name.removeprefix(DECODER) if config.zdim == 0 else name] = tensor
    return named


def from_disk(state: State, config: ModelConfig) -> dict[str, torch.Tensor]:
    """Weights under our names, whichever command of cryoDRGN wrote them.

    Parameters
    ----------
    state : mapping of str to Tensor
        A checkpoint's ``model_state_dict``.
    config : ModelConfig
        What the run's configuration says of the model.
    """
    plain = unwrapped(state)
    if not has_encoder(plain):
        plain = {DECODER + name: tensor for name, tensor in plain.items()}
    if _is_bare(config):
        plain = {
            name.replace("decoder.main.", "decoder.decoder.main.", 1): tensor
            for name, tensor in plain.items()
        }
    return plain


def has_encoder(state: State) -> bool:
    """Whether weights hold an encoder of any kind, that is a VAE."""
    return any(name.startswith("encoder.") for name in state)


def has_plain_encoder(state: State) -> bool:
    """Whether weights hold the encoder of single images, not that of tilt series."""
    return any(name.startswith("encoder.main.") for name in state)


def _is_bare(config: ModelConfig) -> bool:
    """Whether the decoder is a perceptron by itself on disk."""
    return config.pe_type == "none" and config.domain == "hartley"
