"""States given as volumes, and their projections through Fourier slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from napari_cryodrgn.simulation.gaussians import (
    grid_frequencies,
    half_grid_frequencies,
    volume_of,
)

# Twice the box: together with the correction below, slices of band-limited volumes that
# leave some room in their box are within 1 % of the exact ones.
PADDING = 2


@dataclass(frozen=True, eq=False)
class VolumeStructure:
    """Classes given as volumes.

    Parameters
    ----------
    names : tuple of str
        What each class is.
    transforms : list of (P, P, P) complex64 tensors
        Padded transforms, zero frequency at index P // 2, phases about the centre.
    pixel_size : float
        Å per voxel of the volumes.
    """

    names: tuple[str, ...]
    transforms: list[torch.Tensor]
    pixel_size: float

    @classmethod
    def of(
        cls, names: tuple[str, ...], volumes: list[npt.NDArray[np.float32]], pixel_size: float
    ) -> VolumeStructure:
        """Prepare volumes, each (n, n, n), [z, y, x]."""
        return cls(names, [_padded_transform(volume) for volume in volumes], pixel_size)

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
        plane = torch.stack([x, y, torch.zeros_like(x)], dim=-1)
        turned = plane.reshape(-1, 3) @ torch.from_numpy(rotations)
        out = torch.empty((len(classes), *x.shape), dtype=torch.complex64)
        for number in np.unique(classes):
            chosen = torch.from_numpy(np.flatnonzero(classes == number))
            values = self._sample(int(number), turned[chosen], box, pixel_size)
            out[chosen] = values.reshape(-1, *x.shape)
        return out

    def volume(
        self, class_number: int, coordinate: float, box: int, pixel_size: float
    ) -> npt.NDArray[np.float32]:
        """See `Structure.volume`; resampled to the box and pixel size asked for."""
        full = grid_frequencies(box, pixel_size)
        z, y, x = torch.meshgrid(full, full, half_grid_frequencies(box, pixel_size), indexing="ij")
        points = torch.stack([x, y, z], dim=-1).reshape(box, -1, 3)
        planes = [self._sample(class_number, plane[None], box, pixel_size) for plane in points]
        return volume_of(torch.stack(planes).reshape(z.shape)).numpy()

    def _sample(
        self, number: int, points: torch.Tensor, box: int, pixel_size: float
    ) -> torch.Tensor:
        """Transform of a class at points (..., 3) in 1/Å; zero beyond its Nyquist frequency."""
        transform = self.transforms[number]
        side = transform.shape[0]
        index = points * (self.pixel_size * side) + side // 2
        # grid_sample wants -1 and 1 at the outermost samples; it takes no complex numbers.
        places = (2 * index / (side - 1) - 1).reshape(1, 1, 1, -1, 3)
        parts = torch.view_as_real(transform).movedim(-1, 0)[None]
        real, imaginary = grid_sample(parts, places, align_corners=True)[0, :, 0, 0]
        # Keeps density values: a sum over larger voxels has fewer terms.
        scale = (self.pixel_size / pixel_size) ** 3
        return torch.complex(real, imaginary).reshape(points.shape[:-1]) * scale


def _padded_transform(volume: npt.NDArray[np.float32]) -> torch.Tensor:
    """Centred transform of a padded volume, corrected for the interpolation to come."""
    n = volume.shape[0]
    side = PADDING * n
    grid = torch.arange(n) - n // 2
    # Linear interpolation in Fourier space multiplies real space by sinc²; undone here.
    correction = 1 / torch.sinc(grid / side).square()
    data = torch.from_numpy(np.ascontiguousarray(volume, np.float32))
    data = data * correction * correction[:, None] * correction[:, None, None]
    before = side // 2 - n // 2
    after = side - n - before
    padded = torch.nn.functional.pad(data, (before, after) * 3)
    spectrum = torch.fft.fftn(torch.fft.ifftshift(padded))
    centred: torch.Tensor = torch.fft.fftshift(spectrum)
    return centred
