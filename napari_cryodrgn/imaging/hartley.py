"""Hartley transforms, with the zero frequency in the centre of every array.

The Hartley transform of a real array is real: H(k) = Re F(k) − Im F(k), F being
the Fourier transform. It is unnormalised here, and its own inverse up to the
number of elements.
"""

from __future__ import annotations

import torch


def hartley_2d(images: torch.Tensor) -> torch.Tensor:
    """Hartley transform of images.

    Parameters
    ----------
    images : (..., box, box) tensor
        Real images; their centre is pixel (box // 2, box // 2).

    Returns
    -------
    (..., box, box) tensor
        Transforms; the zero frequency is at (box // 2, box // 2).
    """
    return _hartley(images, (-2, -1))


def inverse_hartley_2d(transforms: torch.Tensor) -> torch.Tensor:
    """Images whose `hartley_2d` is given, (..., box, box)."""
    return _hartley(transforms, (-2, -1)) / transforms.shape[-1] ** 2


def hartley_3d(volume: torch.Tensor) -> torch.Tensor:
    """Hartley transform of volumes, (..., box, box, box), centred like `hartley_2d`."""
    return _hartley(volume, (-3, -2, -1))


def inverse_hartley_3d(transform: torch.Tensor) -> torch.Tensor:
    """Volumes whose `hartley_3d` is given, (..., box, box, box)."""
    return _hartley(transform, (-3, -2, -1)) / transform.shape[-1] ** 3


def symmetrise(transforms: torch.Tensor) -> torch.Tensor:
    """Append a copy of the first row and column, which are periodic.

    The lattice is then odd, with the zero frequency in its very centre and every
    frequency opposite to its negative.

    Parameters
    ----------
    transforms : (..., box, box) tensor

    Returns
    -------
    (..., box + 1, box + 1) tensor
    """
    rows = torch.cat((transforms, transforms[..., :1, :]), dim=-2)
    return torch.cat((rows, rows[..., :, :1]), dim=-1)


def _hartley(values: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    spectrum = torch.fft.fftn(torch.fft.ifftshift(values, dim=axes), dim=axes)
    centred: torch.Tensor = torch.fft.fftshift(spectrum.real - spectrum.imag, dim=axes)
    return centred
