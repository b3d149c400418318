"""Where a decoder is evaluated for a volume: points of a cubic lattice, by flat index.

The lattice has the side box + 1 and the order [z, y, x]; index i stands for a frequency k,
and side³ − 1 − i for −k. The tensors are kept for the boxes used last.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from napari_cryodrgn.imaging.lattice import Lattice


@lru_cache(maxsize=4)
def half_ball(trained_box: int, box: int, *, encoded: bool = True) -> tuple[torch.Tensor, int]:
    """Which points of a cubic lattice of side box + 1 are evaluated, at k_z <= 0.

    Parameters
    ----------
    trained_box : int
        Box the model was trained on.
    box : int
        Box of the volume; the ball's radius is 0.5 box / trained_box.
    encoded : bool
        Whether the decoder has a positional encoding. cryoDRGN treats those without in
        its own way: the central plane is evaluated as a whole, and points on the sphere
        itself are rounded differently.

    Returns
    -------
    index : (P,) int64 tensor
        Flat indices, ascending. Index i stands for k, side³ − 1 − i for −k.
    n_mirrored : int
        How many of them, from the first, also give the value at −k.
    """
    lattice = Lattice(box, 0.5 * box / trained_box)
    squares = lattice.axis.square()
    # In single precision and in the order x, y, z: points on the sphere itself are in
    # or out by rounding, and the weights know which.
    distance = squares[None, None, :] + squares[None, :, None]
    distance = distance + squares[: box // 2 + 1, None, None]
    inside = distance <= lattice.extent**2 if encoded else distance.sqrt() <= lattice.extent
    index = torch.nonzero(inside.reshape(-1))[:, 0]
    if encoded:
        index = index[index <= lattice.side**3 // 2]
        return index, len(index) - 1
    return index, int((index < box // 2 * lattice.side**2).sum())


@lru_cache(maxsize=4)
def whole_cube(box: int) -> torch.Tensor:
    """Flat indices, (box³,) int64, of a cubic lattice of side box + 1 without its last planes."""
    steps = torch.arange(box)
    side = box + 1
    return ((steps[:, None, None] * side + steps[:, None]) * side + steps).reshape(-1)


@lru_cache(maxsize=4)
def masked_planes(trained_box: int, box: int, radius: int) -> torch.Tensor:
    """Points of a cubic lattice of side box + 1 within a ball, as ``cryodrgn abinit`` has it.

    Parameters
    ----------
    trained_box : int
        Box the model was trained on.
    box : int
        Box of the volume.
    radius : int
        Radius of the ball, lattice steps.

    Returns
    -------
    (P,) int64 tensor
        Flat indices, ascending. Each plane's disc has a whole number of steps as radius
        and lacks its centre (0, 0, k_z).
    """
    lattice = Lattice(box, 0.5 * box / trained_box)
    trained_side = trained_box + 1
    # In single precision, as cryoDRGN's volumes have it: what would be 16 steps exactly may
    # be rounded below 16, and is 15 then.
    squared = np.float32((radius / trained_side) ** 2) - lattice.axis.numpy() ** 2
    radii = np.sqrt(np.maximum(squared, 0)) * np.float32(trained_side)
    return torch.nonzero(torch.cat([lattice.disc(int(steps)) for steps in radii]))[:, 0]
