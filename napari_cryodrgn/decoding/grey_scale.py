"""Volumes of different boxes brought together: same place, same grey scale.

A volume decoded at a smaller box has fewer and larger voxels, and as cryoDRGN writes it,
values larger by the ratio of the voxels' volumes. Beside the full one it is divided by that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.imaging.hartley import hartley_3d, inverse_hartley_3d


def at_full_scale(volume: npt.NDArray[np.float32], full_box: int) -> npt.NDArray[np.float32]:
    """A volume (box, box, box) as decoded at its box, on the grey scale of the full box."""
    box = volume.shape[-1]
    return volume if box == full_box else volume * np.float32((box / full_box) ** 3)


def at_smaller_box(volume: npt.NDArray[np.float32], box: int) -> npt.NDArray[np.float32]:
    """A volume's lower frequencies in larger voxels, on the same grey scale.

    Parameters
    ----------
    volume : (side, side, side) float32 array
    box : int
        Side of the result, px: even, at most that of the volume.

    Returns
    -------
    (box, box, box) float32 array
        Voxel i shows what voxel i side / box showed.
    """
    side = volume.shape[-1]
    if box == side:
        return volume
    with torch.inference_mode():
        start = side // 2 - box // 2
        inner = slice(start, start + box)
        transform = hartley_3d(torch.from_numpy(volume))[inner, inner, inner]
        axis = torch.arange(-(box // 2), box // 2)
        squares = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
        kept = torch.where(squares <= (box // 2) ** 2, transform, 0)
        return at_full_scale(inverse_hartley_3d(kept).numpy(), side)
