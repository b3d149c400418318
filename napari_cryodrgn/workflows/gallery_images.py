"""Particle images as a gallery shows them: the molecule bright, phases flipped on request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from napari_cryodrgn.particles import CTFParameters, ParticleRows, Particles
from napari_cryodrgn.workflows.sample_images import LARGEST_SIDE, bin_images, low_pass


@dataclass(frozen=True)
class GalleryLook:
    """How images are shown.

    Parameters
    ----------
    inverted : bool
        Whether the training inverts the images (``invert_data``).
    flip_phases : bool
        Whether to turn what the CTF has turned over.
    cycles : float or None
        Of the low-pass filter, cycles across the image; None for none.
    """

    inverted: bool
    flip_phases: bool = False
    cycles: float | None = None


def gallery_images(
    particles: Particles, chosen: ParticleRows, look: GalleryLook
) -> npt.NDArray[np.float32]:
    """Read some images and make them ready to be looked at.

    Parameters
    ----------
    particles : Particles
        The set.
    chosen : ParticleRows
        Which of them.
    look : GalleryLook
        How they are shown.

    Returns
    -------
    (n, side, side) float32 array
        In the order of `chosen`, binned to at most `LARGEST_SIDE`, with the molecule bright
        where the training had the contrast right.

    Raises
    ------
    InputError
        Where one cannot be read, or is not part of the set.
    """
    positions = particles.rows.positions_of(chosen)
    images = particles.images.read(positions)
    if look.inverted:
        images = -images
    if particles.ctf is not None:
        ctf = particles.ctf.at(positions)
        # Of an underfocused image the CTF is negative at low frequency.
        images = phase_flipped(images, ctf) if look.flip_phases else -images
    return bin_images(low_pass(images, look.cycles), LARGEST_SIDE)


def phase_flipped(images: npt.NDArray[np.float32], ctf: CTFParameters) -> npt.NDArray[np.float32]:
    """Multiply the transforms of images (n, side, side) with the sign of their CTF."""
    import torch

    from napari_cryodrgn.imaging.ctf import ctf_2d

    side = images.shape[-1]
    size = ctf.pixel_size_at_box(side)
    y, x = np.meshgrid(fft.fftfreq(side, size), fft.rfftfreq(side, size), indexing="ij")
    points = torch.from_numpy(np.column_stack([x.ravel(), y.ravel()]))
    values = ctf_2d(points, torch.from_numpy(ctf.table[:, 1:])).numpy()
    signs = np.where(values > 0, 1, -1).astype(np.float32).reshape(len(images), *x.shape)
    flipped = fft.irfft2(fft.rfft2(images) * signs, s=(side, side))
    return np.asarray(flipped, dtype=np.float32)
