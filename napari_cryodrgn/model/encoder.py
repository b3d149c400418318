"""The encoder: from the transform of an image to a point in the latent space."""

from __future__ import annotations

import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.model.layers import MLP


class Encoder(MLP):
    """Perceptron from the phase-flipped transform within a disc to mean and log variance.

    Parameters
    ----------
    n_in : int
        Lattice points in the disc.
    config : ModelConfig
        Layers, width, activation and kind of the encoder; latent dimensions.
    """

    def __init__(self, n_in: int, config: ModelConfig) -> None:
        super().__init__(
            n_in,
            config.enc_layers,
            config.enc_dim,
            2 * config.zdim,
            activation=config.activation,
            residual=config.encode_mode == "resid",
        )
        self.zdim = config.zdim

    def encode(self, disc_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance of each image, two (B, zdim) tensors, from (B, n_in)."""
        output = self(disc_values)
        return output[..., : self.zdim], output[..., self.zdim :]
