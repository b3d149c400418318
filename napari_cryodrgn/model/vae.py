"""The model as a whole: encoder, decoder and the lattice they work on."""

from __future__ import annotations

import torch
from torch import nn

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.model.decoder import Decoder
from napari_cryodrgn.model.encoder import Encoder


class VAE(nn.Module):
    """Variational autoencoder of particle images; without latent, one single volume.

    Parameters
    ----------
    config : ModelConfig
        Shape of the network.
    box : int
        Side of the images, px.
    with_encoder : bool
        Whether images can be encoded; False for a model that has latents but whose
        encoder is missing or of another kind (tilt series, auto-decoder). Without
        latent dimensions there is no encoder anyway.
    latent_freqs : (n,) tensor, optional
        See `Decoder`.

    Attributes
    ----------
    encoder : Encoder or None
    decoder : Decoder

    Raises
    ------
    InputError
        Where the box is odd or settings do not fit each other.
    """

    def __init__(
        self,
        config: ModelConfig,
        box: int,
        *,
        with_encoder: bool = True,
        latent_freqs: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.box = box
        self._lattice = Lattice(box)
        self._disc = self._lattice.disc(config.enc_mask or box // 2)
        # The encoder comes first, as in cryoDRGN: optimiser states count parameters.
        self.encoder: Encoder | None = None
        if config.zdim and with_encoder:
            n_points = int(self._disc.sum())
            if n_points == 0:
                raise InputError(
                    "no point of the transform lies within this radius",
                    field="enc_mask",
                    value=config.enc_mask,
                )
            self.encoder = Encoder(n_points, config)
        self.decoder = Decoder(config, box, latent_freqs=latent_freqs)

    @property
    def zdim(self) -> int:
        """Latent dimensions; 0 for a single volume."""
        return self.config.zdim

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def lattice(self) -> Lattice:
        """The lattice of the images' transforms, on the model's device."""
        if self._lattice.device != self.device:
            self._lattice = self._lattice.to(self.device)
        return self._lattice

    @property
    def encoder_disc(self) -> torch.Tensor:
        """(side²,) bool tensor: the lattice points that the encoder sees."""
        self._disc = self._disc.to(self.device)
        return self._disc

    def encode(self, disc_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Where images lie in the latent space.

        Parameters
        ----------
        disc_values : (B, n_in) tensor
            Normalised Hartley values of centred, phase-flipped images at `encoder_disc`.

        Returns
        -------
        mu, logvar : (B, zdim) tensors
            Mean and log variance.

        Raises
        ------
        InputError
            Where the model has no encoder.
        """
        if self.encoder is None:
            raise InputError("this model has no encoder that could place images")
        return self.encoder.encode(disc_values)


def build_vae(
    config: ModelConfig,
    box: int,
    *,
    generator: torch.Generator | None = None,
) -> VAE:
    """A model with freshly drawn weights.

    Parameters
    ----------
    config : ModelConfig
        Shape of the network.
    box : int
        Side of the images, px; even.
    generator : torch.Generator, optional
        Source of the weights; torch's global one if not given.

    Returns
    -------
    VAE

    Raises
    ------
    InputError
        Where the box is odd or settings do not fit each other.
    """
    if generator is None:
        return VAE(config, box)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VAE(config, box)
