"""The decoder: from a frequency and a latent point to the transform of the volume there."""

from __future__ import annotations

import torch
from torch import nn

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.layers import MLP
from napari_cryodrgn.model.positional_encoding import encode_axes, encode_gaussian, frequencies


class Decoder(nn.Module):
    """Coordinate network of a volume's Fourier or Hartley transform.

    A Fourier decoder is evaluated at k_z <= 0 only; elsewhere its value is the
    conjugate of the one at −k, as the transform of a real volume has it. A Hartley
    decoder is evaluated where it is asked.

    Parameters
    ----------
    config : ModelConfig
        Encoding, layers, width, domain, activation and latent dimensions.
    box : int
        Side of the images the model is trained on, px.
    latent_freqs : (n,) tensor, optional
        Frequencies by which the latent is encoded as points are, axis by axis; as it is
        where not given.

    Raises
    ------
    InputError
        Where the encoding's settings do not fit each other.
    """

    def __init__(
        self, config: ModelConfig, box: int, *, latent_freqs: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        self.box = box
        self.zdim = config.zdim
        self.domain = config.domain
        self.pe_type = config.pe_type
        n = config.pe_dim or box // 2
        self.rand_freqs: nn.Parameter | None = None
        self.axis_freqs: torch.Tensor
        self.latent_freqs: torch.Tensor | None
        if config.pe_type == "gaussian":
            if config.feat_sigma is None:
                raise InputError("the Gaussian encoding needs a spread", field="feat_sigma")
            # A parameter that is not trained: cryoDRGN's optimisers count it.
            drawn = torch.randn(3 * n, 3) * config.feat_sigma
            self.rand_freqs = nn.Parameter(drawn, requires_grad=False)
        per_axis = config.pe_type not in ("gaussian", "none")
        freqs = frequencies(config.pe_type, n, box) if per_axis else None
        self.register_buffer("axis_freqs", freqs, persistent=False)
        if config.pe_type == "none" and config.domain == "hartley" and config.zdim:
            raise InputError(
                "the Hartley decoder without positional encoding takes no latent",
                field="pe_type",
                value="none",
            )
        self.register_buffer("latent_freqs", latent_freqs, persistent=False)
        n_features = 3 if config.pe_type == "none" else 6 * n
        per_latent = 1 if latent_freqs is None else 2 * len(latent_freqs)
        self.decoder = MLP(
            n_features + per_latent * config.zdim,
            config.dec_layers,
            config.dec_dim,
            2 if config.domain == "fourier" else 1,
            activation=config.activation,
        )

    def features(self, points: torch.Tensor) -> torch.Tensor:
        """Positional encoding of points (..., 3) in cycles per pixel.

        Never in reduced precision: the phases reach hundreds of radians.
        """
        if self.pe_type == "none":
            return points
        with torch.autocast(points.device.type, enabled=False):
            if self.rand_freqs is not None:
                return encode_gaussian(points, self.rand_freqs, self.box)
            return encode_axes(points, self.axis_freqs)

    def coefficients(self, points: torch.Tensor, z: torch.Tensor | None) -> torch.Tensor:
        """Output of the network, without regard to symmetry.

        Parameters
        ----------
        points : (..., P, 3) tensor
            Frequencies, cycles per pixel.
        z : (..., zdim) tensor or None
            One latent point for each set of P points; None for a model without latent.

        Returns
        -------
        (..., P, 2) or (..., P, 1) tensor
            Real and imaginary part, or Hartley value.
        """
        if z is not None and self.latent_freqs is not None:
            z = encode_axes(z, self.latent_freqs)
        hidden = self.decoder.first(self.features(points))
        return self.decoder.rest(hidden + self.decoder.offset(z)[..., None, :])

    def forward(self, points: torch.Tensor, z: torch.Tensor | None) -> torch.Tensor:
        """Hartley values at any points.

        Parameters
        ----------
        points : (..., P, 3) tensor
            Frequencies, cycles per pixel.
        z : (..., zdim) tensor or None
            One latent point for each set of P points; None for a model without latent.

        Returns
        -------
        (..., P) tensor
        """
        if self.domain == "hartley":
            return self.coefficients(points, z)[..., 0]
        real, imaginary = self._fourier(points, z)
        return real - imaginary

    def slice_values(self, points: torch.Tensor, z: torch.Tensor | None) -> torch.Tensor:
        """Hartley values on central slices: as `forward`, at half the cost for Fourier decoders.

        Parameters
        ----------
        points : (..., P, 3) tensor
            Rotated disc of a lattice: its second half is the first one, reversed and
            negated, and the zero frequency is not part of it (`Lattice.disc`).
        z : (..., zdim) tensor or None
            One latent point for each slice.

        Returns
        -------
        (..., P) tensor
        """
        if self.domain == "hartley":
            return self.forward(points, z)
        n = points.shape[-2]
        if n % 2:
            raise ValueError(f"{n} points cannot be point-symmetric without the zero frequency")
        real, imaginary = self._fourier(points[..., : n // 2, :], z)
        return torch.cat((real - imaginary, (real + imaginary).flip(-1)), dim=-1)

    def _fourier(
        self, points: torch.Tensor, z: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Real and imaginary parts, each (..., P), evaluated at k_z <= 0 and conjugated."""
        sign = torch.where(points[..., 2] > 0, -1.0, 1.0).to(points.dtype)
        values = self.coefficients(points * sign[..., None], z)
        return values[..., 0], values[..., 1] * sign
