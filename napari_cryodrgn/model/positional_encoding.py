"""Positional encodings: how the decoder is told where in frequency space it is.

Each turns points k (cycles per pixel, |k| <= 0.5 along an axis) into sines and
cosines of k times a set of frequencies (Zhong et al., 2021, Methods; the Gaussian
features are those of Tancik et al., 2020).
"""

from __future__ import annotations

import math

import torch

from napari_cryodrgn.config import PositionalEncoding
from napari_cryodrgn.errors import InputError


def frequencies(pe_type: PositionalEncoding, n: int, box: int) -> torch.Tensor:
    """Frequencies f_j of an encoding along one axis; the phase at k is k · f_j.

    Parameters
    ----------
    pe_type : str
        Any encoding but "gaussian" and "none", which have no such frequencies.
    n : int
        Number of frequencies.
    box : int
        Side of the images the model is trained on, px.

    Returns
    -------
    (n,) float32 tensor

    Raises
    ------
    InputError
        Where `linear_lowf` is asked for with another number than half the box.
    """
    half = box / 2
    # A single frequency is the first of its series.
    steps = torch.arange(n, dtype=torch.float64) / max(1, n - 1)
    highest, lowest = {
        "geom_ft": (box * math.pi, 2 * math.pi),
        "geom_full": (box * math.pi, 1.0),
        "geom_lowf": (half, 1.0),
        "geom_nohighf": (half, 2 * math.pi),
        "linear_lowf": (half, 1.0),
    }[pe_type]
    if pe_type == "linear_lowf":
        if n != box // 2:
            raise InputError(
                f"the encoding linear_lowf has exactly {box // 2} frequencies at a box of {box}",
                field="pe_dim",
                value=n,
            )
        return torch.arange(1, n + 1, dtype=torch.float32)
    return (highest * (lowest / highest) ** steps).float()


def encode_axes(points: torch.Tensor, freqs: torch.Tensor) -> torch.Tensor:
    """Encode each axis by itself.

    Parameters
    ----------
    points : (..., d) tensor
        Frequencies k, cycles per pixel: x, y, z.
    freqs : (n,) tensor
        From `frequencies`.

    Returns
    -------
    (..., 2 d n) tensor
        For each axis: n sines, then n cosines.
    """
    phases = points[..., None] * freqs
    return torch.cat((phases.sin(), phases.cos()), dim=-1).flatten(-2)


def encode_gaussian(points: torch.Tensor, rand_freqs: torch.Tensor, box: int) -> torch.Tensor:
    """Encode by random directions.

    Parameters
    ----------
    points : (..., 3) tensor
        Frequencies k, cycles per pixel.
    rand_freqs : (m, 3) tensor
        Random vectors, drawn once for a model.
    box : int
        Side of the images the model is trained on, px.

    Returns
    -------
    (..., 2 m) tensor
        m sines, then m cosines, of k · F box / 2.
    """
    phases = points @ (rand_freqs * (box / 2)).T
    return torch.cat((phases.sin(), phases.cos()), dim=-1)
