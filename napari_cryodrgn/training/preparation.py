"""From stored images to the values that a model is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley
from napari_cryodrgn.imaging.shift import shift_values, shifts_in_pixels
from napari_cryodrgn.particles import Particles


@dataclass(frozen=True, eq=False)
class Preparation:
    """How an image becomes the values that the model is compared with.

    Parameters
    ----------
    lattice : Lattice
        Frequencies of the transform.
    pixels : (P,) int64 tensor
        The pixels kept, as positions on the lattice.
    invert : bool
        Whether the contrast is inverted.
    window : (box, box) tensor or None
        Factor that fades the corners out.
    norm : (float, float)
        Mean and standard deviation divided out of the transform.
    """

    lattice: Lattice
    pixels: Tensor
    invert: bool
    window: Tensor | None
    norm: tuple[float, float]

    def __call__(self, images: npt.NDArray[np.float32], shifts: npt.NDArray[np.float32]) -> Tensor:
        """Normalised Hartley transforms of centred images on the pixels kept.

        Parameters
        ----------
        images : (n, box, box) float32 array
        shifts : (n, 2) float32 array
            Shift (x, y) that centres each, as a fraction of the box.

        Returns
        -------
        (n, P) float32 tensor
        """
        return self.centred(self.normalised(images), torch.tensor(shifts))

    def normalised(self, images: npt.NDArray[np.float32]) -> Tensor:
        """What does not depend on poses: normalised transforms on the pixels kept, (n, P)."""
        transforms = to_hartley(torch.tensor(images), invert=self.invert, window=self.window)
        values = transforms.reshape(len(images), -1).index_select(1, self.pixels)
        return (values - self.norm[0]) / self.norm[1]

    def centred(self, values: Tensor, shifts: Tensor) -> Tensor:
        """`normalised` values, moved by shifts (n, 2) in fractions of the box; on their device."""
        # A disc is point-symmetric, so it can be shifted without the rest.
        points = self.lattice.coords[self.pixels].to(values.device)
        return shift_values(values, shifts_in_pixels(shifts, self.lattice.box), points)


def kept_pixels(encoder_disc: Tensor | None, decoder_disc: Tensor) -> Tensor:
    """Lattice positions that either disc has, (P',) int64 in lattice order."""
    both = decoder_disc if encoder_disc is None else decoder_disc | encoder_disc
    return torch.nonzero(both).reshape(-1)


def by_shell(preparation: Preparation) -> Tensor:
    """The pixels kept from low to high frequency, (P,) int64 positions among them."""
    radius = preparation.lattice.coords[preparation.pixels].square().sum(dim=-1)
    return torch.argsort(radius, stable=True)


def shifts_of(particles: Particles) -> npt.NDArray[np.float32]:
    """Shifts (N, 2) that centre the images; `InputError` where there are no poses."""
    if particles.poses is None:
        raise InputError("these particles have no poses", file=particles.source.path)
    return particles.poses.shifts


@dataclass(frozen=True, eq=False)
class CheckedImages:
    """The images of particles as a stack that refuses those that are not all numbers.

    Parameters
    ----------
    particles : Particles
    """

    particles: Particles

    @property
    def box(self) -> int:
        """Side of the square images, px."""
        return self.particles.box

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel as the files' headers have it."""
        return self.particles.images.pixel_size

    def __len__(self) -> int:
        return len(self.particles)

    def at(self, positions: npt.NDArray[np.int64]) -> CheckedImages:
        """The stack of the images at the given positions."""
        return CheckedImages(self.particles.at(positions))

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images at the positions, (n, box, box).

        Raises
        ------
        InputError
            Where a pixel is NaN or infinite; names the image.
        """
        images = self.particles.images.read(positions)
        # A sum is finite where all its terms are, unless it overflows; then each is looked at.
        finite = np.isfinite(images.sum(axis=(1, 2), dtype=np.float64))
        if not finite.all():
            finite = np.isfinite(images).all(axis=(1, 2))
        if not finite.all():
            row = int(self.particles.rows.rows[positions[np.argmin(finite)]])
            raise InputError(
                "this image holds NaN or infinite pixels",
                file=self.particles.source.path,
                field="image (counted from 1)",
                value=row + 1,
            )
        return images
