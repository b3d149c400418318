"""States given as volumes, and their projections through Fourier slices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from napari_cryodrgn.simulation.gaussians import (
    grid_frequencies,
    half_grid_frequencies,
    volume_of,
)

# Cubic splines through the transform of a volume in twice its box: the replica of the
# volume that interpolation leaves is below 1.2 % at the edge of the box, 0.2 % within two
# thirds of it.
PADDING = 2

# In cycles per pixel; a little above one half, for rounding.
_NYQUIST = 0.5 + 1e-6

_Splines = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class VolumeStructure:
    """Classes given as volumes.

    Parameters
    ----------
    names : tuple of str
        What each class is.
    volumes : list of (n, n, n) float32 arrays
        The volumes, [z, y, x].
    splines : list of pairs of (P, P, P) float32 arrays
        Spline coefficients of the real and imaginary part of their padded transforms, zero
        frequency at index P // 2, phases about the centre.
    pixel_size : float
        Å per voxel of the volumes.
    """

    names: tuple[str, ...]
    volumes: list[npt.NDArray[np.float32]]
    splines: list[_Splines]
    pixel_size: float

    @classmethod
    def of(
        cls, names: tuple[str, ...], volumes: list[npt.NDArray[np.float32]], pixel_size: float
    ) -> VolumeStructure:
        """Prepare volumes, each (n, n, n), [z, y, x]."""
        return cls(names, volumes, [_splines(volume) for volume in volumes], pixel_size)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class is."""
        return self.names

    @property
    def moves(self) -> bool:
        """Volumes do not."""
        return False

    def slices(
        self,
        classes: npt.NDArray[np.int64],
        coordinates: npt.NDArray[np.float64],
        rotations: npt.NDArray[np.float32],
        box: int,
        pixel_size: float,
    ) -> torch.Tensor:
        """See `Structure.slices`; interpolated in Fourier space."""
        y, x = torch.meshgrid(
            grid_frequencies(box, pixel_size),
            half_grid_frequencies(box, pixel_size),
            indexing="ij",
        )
        plane = torch.stack([x, y, torch.zeros_like(x)], dim=-1).reshape(-1, 3).numpy()
        turned = plane @ rotations
        out = np.empty((len(classes), *x.shape), np.complex64)
        for number in np.unique(classes):
            chosen = classes == number
            values = self._sample(int(number), turned[chosen], pixel_size)
            out[chosen] = values.reshape(-1, *x.shape)
        return torch.from_numpy(out)

    def volume(
        self, class_number: int, coordinate: float, box: int, pixel_size: float
    ) -> npt.NDArray[np.float32]:
        """See `Structure.volume`; resampled to the box and pixel size asked for."""
        given = self.volumes[class_number]
        if box == len(given) and pixel_size == self.pixel_size:
            return given
        # Band-limited resampling is exact, and separable.
        along_x = self._to_frequencies(half_grid_frequencies(box, pixel_size))
        along_yz = self._to_frequencies(grid_frequencies(box, pixel_size))
        transform = torch.from_numpy(given).to(torch.complex64)
        for matrix, axes in ((along_yz, "kz,zyx->kyx"), (along_yz, "ky,zyx->zkx")):
            transform = torch.einsum(axes, matrix, transform)
        transform = torch.einsum("kx,zyx->zyk", along_x, transform)
        return volume_of(transform * self._scale(pixel_size)).numpy()

    def _to_frequencies(self, frequencies: torch.Tensor) -> torch.Tensor:
        """Matrix that takes samples of the volumes' grid to the given frequencies, 1/Å."""
        n = len(self.volumes[0])
        places = (torch.arange(n) - n // 2) * self.pixel_size
        matrix = torch.polar(
            torch.ones(len(frequencies), n), -2 * math.pi * frequencies[:, None] * places
        )
        matrix[(frequencies * self.pixel_size).abs() > _NYQUIST] = 0
        return matrix

    def _scale(self, pixel_size: float) -> float:
        """Keeps density values: a sum over larger voxels has fewer terms."""
        return (self.pixel_size / pixel_size) ** 3

    def _sample(
        self, number: int, points: npt.NDArray[np.float32], pixel_size: float
    ) -> npt.NDArray[np.complex64]:
        """Transform of a class at points (..., 3) in 1/Å; zero beyond its Nyquist frequency."""
        real, imaginary = self.splines[number]
        side = len(real)
        cycles = points.reshape(-1, 3) * self.pixel_size
        known = np.flatnonzero((np.abs(cycles) <= _NYQUIST).all(axis=1))
        # Points are x, y, z, and the arrays' axes z, y, x.
        index = cycles[known, ::-1].T * side + side // 2
        values = np.zeros(len(cycles), np.complex64)
        for part, unit in ((real, 1), (imaginary, 1j)):
            values[known] += unit * ndimage.map_coordinates(
                part, index, order=3, mode="grid-wrap", prefilter=False
            )
        scaled: npt.NDArray[np.complex64] = values.reshape(points.shape[:-1])
        return scaled * np.float32(self._scale(pixel_size))


def _splines(volume: npt.NDArray[np.float32]) -> _Splines:
    """Spline coefficients of a volume's padded transform."""
    n = volume.shape[0]
    side = PADDING * n
    before = side // 2 - n // 2
    padded = np.pad(volume.astype(np.float32), [(before, side - n - before)] * 3)
    spectrum = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(padded)))
    real, imaginary = (
        ndimage.spline_filter(part, order=3, output=np.float32, mode="grid-wrap")
        for part in (spectrum.real, spectrum.imag)
    )
    return real, imaginary
