"""In-plane shifts of images, applied to their Hartley transforms."""

from __future__ import annotations

import math

import torch

from napari_cryodrgn.imaging.lattice import Lattice


def shifts_in_pixels(fractions: torch.Tensor, box: int) -> torch.Tensor:
    """Shifts in pixels from shifts as fractions of the box.

    cryoDRGN multiplies by the side of its lattice, box + 1, where the box would be
    right; a model trained with one and used with the other would see its images
    moved by 1 / box of their shift, so its rule is kept.

    Parameters
    ----------
    fractions : (..., 2) tensor
        Shifts (x, y) as `particles.Poses` holds them.
    box : int
        Side of the images, px.
    """
    return fractions * (box + 1)


def shift_hartley(
    transforms: torch.Tensor, shifts_px: torch.Tensor, lattice: Lattice
) -> torch.Tensor:
    """Move the content of images by +t, given their whole Hartley transforms.

    Parameters
    ----------
    transforms : (B, side²) tensor
        Hartley transforms on the lattice, flattened.
    shifts_px : (B, 2) tensor
        Shifts t = (x, y), px.
    lattice : Lattice

    Returns
    -------
    (B, side²) tensor
    """
    return shift_values(transforms, shifts_px, lattice.coords)


def shift_values(
    values: torch.Tensor, shifts_px: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """As `shift_hartley`, for any point-symmetric part of the lattice such as a disc.

    H′(k) = cos(2π k·t) H(k) + sin(2π k·t) H(−k), the shift theorem written for the
    Hartley transform Re F − Im F.

    Parameters
    ----------
    values : (B, P) tensor
        Hartley values at the points.
    shifts_px : (B, 2) tensor
        Shifts t = (x, y), px.
    points : (P, 2) or (P, 3) tensor
        Frequencies, cycles per pixel; in reverse order they are their own negatives.

    Returns
    -------
    (B, P) tensor
    """
    # Not a matrix product, whose rounding depends on how many images there are: an
    # image prepared alone and one prepared among others must agree to the last bit.
    x, y = shifts_px[:, :1] * points[:, 0], shifts_px[:, 1:] * points[:, 1]
    phases = (2 * math.pi) * (x + y)
    return torch.cos(phases) * values + torch.sin(phases) * values.flip(-1)
