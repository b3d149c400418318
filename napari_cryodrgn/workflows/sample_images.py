"""A handful of particle images, prepared for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.progress import Progress, Task

LARGEST_SIDE = 128
"""Side to which larger images are binned: they are shown no larger."""


@dataclass(frozen=True, eq=False)
class ImageSample:
    """Some particle images.

    Parameters
    ----------
    images : (n, side, side) float32 array
        Binned to at most `LARGEST_SIDE`; contrast as the files have it.
    particles : ParticleRows
        Which particles they are.
    field_of_view : float or None
        Side of an image, Å; None where the pixel size is not known.
    """

    images: npt.NDArray[np.float32]
    particles: ParticleRows
    field_of_view: float | None

    @property
    def side(self) -> int:
        """Side of the images, px."""
        return int(self.images.shape[-1])


def sample_images(particles: Particles, n_images: int = 12, seed: int = 0) -> Task[ImageSample]:
    """Read some images at random, and bin them.

    Parameters
    ----------
    particles : Particles
        The set.
    n_images : int
        How many, or all where there are fewer.
    seed : int
        Of the draw; another one gives another handful.

    Returns
    -------
    ImageSample
    """
    chosen = np.random.default_rng(seed).permutation(len(particles))[:n_images]
    chosen.sort()
    yield Progress(0, len(chosen), "Reading images")
    images = bin_images(particles.images.read(chosen), LARGEST_SIDE)
    size = particles.pixel_size
    view = None if size is None else size * particles.box
    return ImageSample(images, particles.rows.at(chosen), view)


def bin_images(images: npt.NDArray[np.float32], largest: int) -> npt.NDArray[np.float32]:
    """Reduce square images to a side of at most `largest` by cutting off high frequencies.

    Parameters
    ----------
    images : (n, side, side) float32 array
    largest : int
        Even.
    """
    side = images.shape[-1]
    if side <= largest:
        return images
    transforms = fft.fftshift(fft.fft2(images), axes=(1, 2))
    cut = slice(side // 2 - largest // 2, side // 2 + largest // 2)
    binned = fft.ifft2(fft.ifftshift(transforms[:, cut, cut], axes=(1, 2))).real
    reduced: npt.NDArray[np.float32] = (binned * (largest / side) ** 2).astype(np.float32)
    return reduced


def low_pass(images: npt.NDArray[np.float32], cycles: float | None) -> npt.NDArray[np.float32]:
    """Filter images with a Gaussian that is 1/e at a frequency.

    Parameters
    ----------
    images : (n, side, side) float32 array
    cycles : float or None
        The frequency, in cycles across the image; None leaves them as they are.
    """
    if cycles is None:
        return images
    side = images.shape[-1]
    frequency = fft.fftfreq(side, 1 / side)
    squared = frequency[:, None] ** 2 + frequency[None, : side // 2 + 1] ** 2
    filtered = fft.irfft2(fft.rfft2(images) * np.exp(-squared / cycles**2), s=(side, side))
    smooth: npt.NDArray[np.float32] = filtered.astype(np.float32)
    return smooth
