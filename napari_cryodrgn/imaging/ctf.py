"""Contrast transfer function of the microscope."""

from __future__ import annotations

import math

import torch

ANGSTROM_PER_MM = 1e7
VOLT_PER_KV = 1e3


def electron_wavelength(kilovolts: torch.Tensor) -> torch.Tensor:
    """Relativistic electron wavelength, Å, at an accelerating voltage in kV."""
    volts = kilovolts * VOLT_PER_KV
    return 12.2639 / torch.sqrt(volts + 0.97845e-6 * volts.square())


def ctf_2d(freqs: torch.Tensor, params: torch.Tensor) -> torch.Tensor:
    """CTF at points of frequency space.

    Negative at low frequency for underfocus, as images of particles darker than
    their ground have it. There is no envelope.

    Parameters
    ----------
    freqs : (P, 2) or (B, P, 2) tensor
        Spatial frequencies (x, y), 1/Å.
    params : (B, 8) tensor
        One row a particle, as in `particles.CTFParameters` without its first column:
        pixel size (Å/px, not used: the frequencies have their unit), defocus U and V
        (Å), astigmatism angle (°), voltage (kV), spherical aberration (mm), amplitude
        contrast, phase shift (°).

    Returns
    -------
    (B, P) tensor

    Notes
    -----
    With s the frequency, θ its angle, λ the wavelength:
    Δf = ½ (U + V + (U − V) cos 2(θ − α)), γ = 2π (−½ Δf λ s² + ¼ Cs λ³ s⁴) − φ and
    CTF = √(1 − w²) sin γ − w cos γ (Rohou and Grigorieff, 2015, written with
    cryoDRGN's signs).
    """
    columns = params.to(freqs)[:, 1:, None].unbind(1)
    defocus_u, defocus_v, angle, kilovolts, aberration, contrast, phase = columns
    x, y = freqs[..., 0], freqs[..., 1]
    squared = x.square() + y.square()
    direction = torch.atan2(y, x) - torch.deg2rad(angle)
    defocus = 0.5 * (defocus_u + defocus_v + (defocus_u - defocus_v) * torch.cos(2 * direction))
    wavelength = electron_wavelength(kilovolts)
    spherical = aberration * ANGSTROM_PER_MM * wavelength.pow(3)
    gamma = (2 * math.pi) * (
        -0.5 * defocus * wavelength * squared + 0.25 * spherical * squared.square()
    ) - torch.deg2rad(phase)
    return torch.sqrt(1 - contrast.square()) * torch.sin(gamma) - contrast * torch.cos(gamma)
