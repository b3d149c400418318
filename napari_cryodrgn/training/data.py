"""Images and their parameters in the form in which a training step takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psutil
import torch
from torch import Tensor

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley
from napari_cryodrgn.imaging.shift import shift_values, shifts_in_pixels
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.progress import Stopwatch, Task
from napari_cryodrgn.training.records import TrainingProgress

# Share of the memory now free that prepared images may take; the rest is for
# the model, the window and everything else on the computer.
MEMORY_SHARE = 0.5
# Pixels transformed at a time: some milliseconds of work, so that a report or a
# request to stop never waits long.
CHUNK_PIXELS = 1 << 20


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
        transforms = to_hartley(torch.tensor(images), invert=self.invert, window=self.window)
        values = transforms.reshape(len(images), -1).index_select(1, self.pixels)
        values = (values - self.norm[0]) / self.norm[1]
        pixels = shifts_in_pixels(torch.tensor(shifts), self.lattice.box)
        # A disc is point-symmetric, so it can be shifted without the rest.
        return shift_values(values, pixels, self.lattice.coords[self.pixels])


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """Prepared images, held in memory or prepared when asked for.

    Parameters
    ----------
    particles : Particles
        Whose images they are.
    preparation : Preparation
        How they are prepared.
    values : (N, P) float32 tensor or None
        All of them; None where they are prepared when asked for.
    """

    particles: Particles
    preparation: Preparation
    values: Tensor | None

    def __len__(self) -> int:
        return len(self.particles)

    def batch(self, positions: Tensor) -> Tensor:
        """Prepared images at the given positions, (B, P) on the CPU."""
        if self.values is not None:
            return self.values.index_select(0, positions)
        return _prepare(self.particles, self.preparation, positions.numpy())


def prepare_images(
    particles: Particles, preparation: Preparation, *, max_bytes: int | None = None
) -> Task[PreparedImages]:
    """Read every image once, check its pixels, and keep it prepared where it fits.

    Parameters
    ----------
    particles : Particles
        With poses.
    preparation : Preparation
        How the images are prepared.
    max_bytes : int, optional
        Memory that prepared images may take; a share of what is free by default.
        Beyond it they are only checked here and prepared for each batch.

    Returns
    -------
    PreparedImages
        The values are the same either way.

    Raises
    ------
    InputError
        Where a pixel is NaN or infinite; names the image.
    """
    n_images, n_pixels = len(particles), len(preparation.pixels)
    if max_bytes is None:
        max_bytes = int(psutil.virtual_memory().available * MEMORY_SHARE)
    fits = n_images * n_pixels * 4 <= max_bytes
    values = torch.empty((n_images, n_pixels)) if fits else None
    chunk = max(1, CHUNK_PIXELS // particles.box**2)
    watch = Stopwatch(n_images)
    for start in range(0, n_images, chunk):
        positions = np.arange(start, min(start + chunk, n_images))
        if values is None:
            _read(particles, positions)
        else:
            values[start : start + chunk] = _prepare(particles, preparation, positions)
        done = start + len(positions)
        yield TrainingProgress(
            done,
            n_images,
            "Reading images",
            watch.seconds_left(done),
            phase="preparing",
            images_done=done,
            n_images=n_images,
        )
    return PreparedImages(particles, preparation, values)


def check_pixels(particles: Particles, positions: npt.NDArray[np.int64]) -> Task[None]:
    """Look at some images and raise `InputError` for the first that is not all numbers."""
    chunk = max(1, CHUNK_PIXELS // particles.box**2)
    for start in range(0, len(positions), chunk):
        _read(particles, positions[start : start + chunk])
        yield TrainingProgress(
            start, len(positions), "Checking images", phase="preparing", n_images=len(positions)
        )


def _prepare(
    particles: Particles, preparation: Preparation, positions: npt.NDArray[np.int64]
) -> Tensor:
    if particles.poses is None:
        raise InputError("these particles have no poses", file=particles.source.path)
    return preparation(_read(particles, positions), particles.poses.shifts[positions])


def _read(particles: Particles, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Images at the positions; `InputError` where a pixel is no finite number."""
    images = particles.images.read(positions)
    finite = np.isfinite(images).all(axis=(1, 2))
    if not finite.all():
        row = int(particles.rows.rows[positions[np.argmin(finite)]])
        raise InputError(
            "this image holds NaN or infinite pixels",
            file=particles.source.path,
            field="image (counted from 1)",
            value=row + 1,
        )
    return images


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees of B particles, on the device.

    Parameters
    ----------
    observed : (B, P) tensor
        Centred images on the decoder's disc.
    encoder_input : (B, E) tensor
        Centred, phase-flipped images on the encoder's disc.
    rotations : (B, 3, 3) tensor
        Orientations.
    ctf : (B, P) tensor or None
        Contrast transfer function on the decoder's disc.
    """

    observed: Tensor
    encoder_input: Tensor
    rotations: Tensor
    ctf: Tensor | None


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """N particles as the training takes them; parameters lie on the device.

    Parameters
    ----------
    images : PreparedImages
        Their images on the pixels of both discs.
    rotations : (N, 3, 3) float32 tensor
    ctf_parameters : (N, 8) float32 tensor or None
        As `imaging.ctf.ctf_2d` takes them; None for images without CTF.
    frequencies : (P', 2) float32 tensor or None
        Spatial frequency of each pixel kept, 1/Å; None without CTF.
    encoder_pixels, decoder_pixels : (E,), (P,) int64 tensors or None
        Each disc, as positions among the pixels kept; None where it is all of
        them.
    """

    images: PreparedImages
    rotations: Tensor
    ctf_parameters: Tensor | None
    frequencies: Tensor | None
    encoder_pixels: Tensor | None
    decoder_pixels: Tensor | None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        """Where the batches lie."""
        return self.rotations.device

    @property
    def rows(self) -> ParticleRows:
        """Rows of the source table that the particles are."""
        return self.images.particles.rows

    def batch(self, positions: Tensor) -> Batch:
        """The particles at the given positions (a CPU tensor)."""
        values, ctf = self._values_and_ctf(positions)
        flipped = values if ctf is None else values * ctf.sign()
        return Batch(
            _columns(values, self.decoder_pixels),
            _columns(flipped, self.encoder_pixels),
            self.rotations.index_select(0, positions.to(self.device)),
            None if ctf is None else _columns(ctf, self.decoder_pixels),
        )

    def encoder_input(self, positions: Tensor) -> Tensor:
        """What the encoder sees of the particles at the given positions, (B, E)."""
        values, ctf = self._values_and_ctf(positions)
        return _columns(values if ctf is None else values * ctf.sign(), self.encoder_pixels)

    def _values_and_ctf(self, positions: Tensor) -> tuple[Tensor, Tensor | None]:
        values = self.images.batch(positions).to(self.device, non_blocking=True)
        if self.ctf_parameters is None or self.frequencies is None:
            return values, None
        parameters = self.ctf_parameters.index_select(0, positions.to(self.device))
        return values, ctf_2d(self.frequencies, parameters)


def kept_pixels(encoder_disc: Tensor | None, decoder_disc: Tensor) -> Tensor:
    """Lattice positions that either disc has, (P',) int64 in lattice order."""
    both = decoder_disc if encoder_disc is None else decoder_disc | encoder_disc
    return torch.nonzero(both).reshape(-1)


def training_set(
    images: PreparedImages,
    encoder_disc: Tensor | None,
    decoder_disc: Tensor,
    device: torch.device,
) -> TrainingSet:
    """Put the parameters of prepared particles on the device.

    Parameters
    ----------
    images : PreparedImages
        Prepared on `kept_pixels` of the two discs.
    encoder_disc : (side²,) bool tensor or None
        What the encoder sees; None for a model without one.
    decoder_disc : (side²,) bool tensor
        What is compared.
    device : torch.device
        Where the training computes.
    """
    particles, preparation = images.particles, images.preparation
    if particles.poses is None:
        raise InputError("these particles have no poses", file=particles.source.path)
    frequencies = parameters = None
    if particles.ctf is not None:
        pixel_size = particles.ctf.pixel_size_at_box(particles.box)
        frequencies = preparation.lattice.frequencies(pixel_size)[preparation.pixels].to(device)
        parameters = torch.from_numpy(particles.ctf.table[:, 1:]).float().to(device)
    return TrainingSet(
        images,
        torch.from_numpy(particles.poses.rotations).float().to(device),
        parameters,
        frequencies,
        _within(preparation.pixels, encoder_disc, device),
        _within(preparation.pixels, decoder_disc, device),
    )


def _within(pixels: Tensor, disc: Tensor | None, device: torch.device) -> Tensor | None:
    """Positions of a disc's pixels among those kept; None where that is all of them."""
    if disc is None:
        return None
    inside = disc.cpu()[pixels]
    return None if bool(inside.all()) else torch.nonzero(inside).reshape(-1).to(device)


def _columns(values: Tensor, columns: Tensor | None) -> Tensor:
    return values if columns is None else values.index_select(1, columns)
