"""How far two maps of one molecule agree, whatever their boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from napari_cryodrgn.reconstruction.fsc import FSCCurve, fourier_shell_correlation


def map_agreement(
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32],
    pixel_size: float | None = None,
) -> FSCCurve:
    """Fourier shell correlation of two maps of the same field of view.

    Parameters
    ----------
    first, second : (box, box, box) float32 arrays
        The maps; where their boxes differ, the larger one is reduced to the smaller.
    pixel_size : float, optional
        Å per voxel of the smaller one.
    """
    box = min(len(first), len(second))
    return fourier_shell_correlation(reduced(first, box), reduced(second, box), pixel_size)


def reduced(volume: npt.NDArray[np.float32], box: int) -> npt.NDArray[np.float32]:
    """A map in a smaller even box of the same field of view, by cutting off high frequencies."""
    side = len(volume)
    if side == box:
        return volume
    transform = fft.fftshift(fft.fftn(volume))
    cut = slice(side // 2 - box // 2, side // 2 - box // 2 + box)
    small = fft.ifftn(fft.ifftshift(transform[cut, cut, cut])).real
    return np.asarray(small * (box / side) ** 3, dtype=np.float32)
