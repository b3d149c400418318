"""Filters of maps: resolution, sharpening, masks, hand, crop.

Arrays are (z, y, x). Whatever multiplies the transform is real and depends on the distance
from the origin of reciprocal space alone, so that nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import distance_transform_edt

Map = npt.NDArray[np.float32]

EDGE_SHARE = 0.1
"""Width of the soft edge of a low-pass filter, as a share of its limit in 1/Å."""


@dataclass(frozen=True)
class VolumeFilter:
    """What is done to a map before it is shown, in this order.

    Parameters
    ----------
    low_pass : float or None
        Resolution in Å beyond which nothing is left.
    b_factor : float
        Å²; negative sharpens (see `sharpened`).
    mask_level : float or None
        Density from which a soft mask is made.
    extend : float
        Å by which the mask is extended before its edge begins.
    edge : float
        Å, width of the mask's soft edge.
    sphere : float or None
        Å, radius of a soft spherical mask about the middle of the box.
    flip_hand : bool
        Whether to mirror the map.
    """

    low_pass: float | None = None
    b_factor: float = 0.0
    mask_level: float | None = None
    extend: float = 0.0
    edge: float = 10.0
    sphere: float | None = None
    flip_hand: bool = False

    @property
    def does_nothing(self) -> bool:
        """Whether a map stays as it is."""
        masked = self.mask_level is not None or self.sphere is not None
        return self.low_pass is None and self.b_factor == 0 and not masked and not self.flip_hand

    def apply(self, data: Map, pixel_size: float) -> Map:
        """A filtered map of the same box.

        Parameters
        ----------
        data : (z, y, x) float32 array
        pixel_size : float
            Å per voxel.
        """
        result = filtered(data, pixel_size, low_pass=self.low_pass, b_factor=self.b_factor)
        if self.mask_level is not None:
            result = result * soft_mask(
                result, self.mask_level, self.extend / pixel_size, self.edge / pixel_size
            )
        if self.sphere is not None:
            edge = self.edge / pixel_size
            result = result * sphere_mask(data.shape, self.sphere / pixel_size, edge)
        return flipped_hand(result) if self.flip_hand else result


def filtered(
    data: Map, pixel_size: float, *, low_pass: float | None = None, b_factor: float = 0.0
) -> Map:
    """A map limited in resolution and sharpened, with one transform for both.

    Parameters
    ----------
    data : (z, y, x) float32 array
    pixel_size : float
        Å per voxel.
    low_pass : float, optional
        Resolution in Å at which the amplitude has fallen to a half, by a raised cosine that
        is `EDGE_SHARE` of the limit wide.
    b_factor : float
        Å². Amplitudes are multiplied by exp(-B s² / 4), s in 1/Å: a negative B sharpens, a
        positive one blurs (Rosenthal and Henderson, 2003).
    """
    if low_pass is None and b_factor == 0:
        return data
    s = frequencies(data.shape, pixel_size)
    factor = np.exp(-b_factor / 4 * np.square(s))
    if low_pass is not None:
        limit = 1 / low_pass
        width = EDGE_SHARE * limit
        factor *= raised_cosine((s - limit) / width + 0.5)
    transform = scipy.fft.rfftn(data) * factor.astype(np.float32)
    return np.asarray(scipy.fft.irfftn(transform, data.shape), dtype=np.float32)


def sharpened(data: Map, pixel_size: float, b_factor: float) -> Map:
    """A map with amplitudes times exp(-B s² / 4): negative B (Å²) sharpens."""
    return filtered(data, pixel_size, b_factor=b_factor)


def soft_mask(data: Map, level: float, extend: float, edge: float) -> Map:
    """1 where the density reaches a level and near it, falling to 0 by a raised cosine.

    Parameters
    ----------
    data : (z, y, x) float32 array
    level : float
        Density.
    extend, edge : float
        Distance in voxels over which it stays 1, and over which it falls.
    """
    inside = data >= level
    if not inside.any():
        return np.zeros(data.shape, np.float32)
    distance = distance_transform_edt(~inside)
    return raised_cosine((distance - extend) / max(edge, 1e-6)).astype(np.float32)


def sphere_mask(shape: tuple[int, ...], radius: float, edge: float) -> Map:
    """1 within a sphere about the middle voxel, n // 2, falling to 0 by a raised cosine.

    Parameters
    ----------
    shape : tuple of int
    radius, edge : float
        Voxels.
    """
    axes = np.ogrid[tuple(slice(-(n // 2), n - n // 2) for n in shape)]
    distance = np.sqrt(sum(np.square(axis, dtype=np.float32) for axis in axes))
    return raised_cosine((distance - radius) / max(edge, 1e-6)).astype(np.float32)


def flipped_hand(data: Map) -> Map:
    """The mirror image, z to -z about the middle voxel, n // 2, which stays in its place."""
    n = data.shape[0]
    return np.ascontiguousarray(data[(2 * (n // 2) - np.arange(n)) % n])


def crop_to_contents(data: Map, level: float, margin: int = 4) -> tuple[Map, tuple[int, int, int]]:
    """The smallest box about all density of a level, with a margin.

    Parameters
    ----------
    data : (z, y, x) float32 array
    level : float
        Density.
    margin : int
        Voxels kept about it.

    Returns
    -------
    cropped : (z, y, x) float32 array
        All of the map where no density reaches the level.
    corner : tuple of int
        Voxel (z, y, x) of the map at which it begins.
    """
    inside = data >= level
    if not inside.any():
        return data, (0, 0, 0)
    slices, corner = [], []
    for axis in range(3):
        there = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        first = max(int(there[0]) - margin, 0)
        slices.append(slice(first, min(int(there[-1]) + 1 + margin, data.shape[axis])))
        corner.append(first)
    return np.ascontiguousarray(data[tuple(slices)]), (corner[0], corner[1], corner[2])


def frequencies(shape: tuple[int, ...], pixel_size: float) -> npt.NDArray[np.float32]:
    """Distance from the origin of reciprocal space, 1/Å, of what ``rfftn`` gives."""
    z, y = (scipy.fft.fftfreq(n, pixel_size).astype(np.float32) for n in shape[:2])
    x = scipy.fft.rfftfreq(shape[2], pixel_size).astype(np.float32)
    squares = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2
    return np.asarray(np.sqrt(squares), dtype=np.float32)


def raised_cosine(t: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """1 up to t = 0, 0 from t = 1, half a cosine wave between."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(t, 0, 1)))
