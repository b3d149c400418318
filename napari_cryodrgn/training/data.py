"""Images and their parameters in the form in which a training step takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.progress import Stopwatch, Task
from napari_cryodrgn.training.cached_rows import CachedRows, Tell, quietly
from napari_cryodrgn.training.distributed import agreed
from napari_cryodrgn.training.epoch_order import EpochOrder
from napari_cryodrgn.training.preparation import Preparation, shifts_of
from napari_cryodrgn.training.prepared_images import HeldImages, PreparedImages
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.training.streamed_images import StreamedImages

# Share of the memory now free that prepared images may take; the rest is for
# the model, the window and everything else on the computer.
MEMORY_SHARE = 0.5
# Pixels transformed at a time: some milliseconds of work, so that a report or a
# request to stop never waits long.
CHUNK_PIXELS = 1 << 20
# Pixels (4 bytes each) that are prepared before the first step, which takes seconds.
# Larger sets are prepared while the first epoch runs.
PIXELS_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class CacheChoice:
    """Where images that do not fit in memory are kept prepared.

    Parameters
    ----------
    folder : Path
    tell : callable
        Given lines for the log, from another thread.
    writes : bool
        Whether this process writes a cache where there is none.
    """

    folder: Path
    tell: Tell
    writes: bool = True


def prepare_images(
    particles: Particles,
    preparation: Preparation,
    *,
    max_bytes: int | None = None,
    lazy: bool | None = None,
    cache: CacheChoice | None = None,
) -> Task[PreparedImages]:
    """Prepare images, a small set at once and others when they are asked for.

    Parameters
    ----------
    particles : Particles
        With poses.
    preparation : Preparation
        How the images are prepared.
    max_bytes : int, optional
        Memory that prepared images may take; a share of what is free by default.
    lazy : bool, optional
        Whether epochs go by chunks of neighbours, and images are read from disk;
        so where they do not fit in memory if not given.
    cache : CacheChoice, optional
        Keeps images prepared that are not held in memory; without they are prepared
        anew each time.

    Returns
    -------
    PreparedImages
        Those that are not held in memory are rounded to half precision.

    Raises
    ------
    InputError
        Where a pixel is NaN or infinite, here or when the image is read; names the image.
    """
    shifts_of(particles)
    n_images, n_pixels = len(particles), len(preparation.pixels)
    if max_bytes is None:
        max_bytes = int(psutil.virtual_memory().available * MEMORY_SHARE)
    fits = n_images * n_pixels * 4 <= max_bytes
    # The order depends on it, so that all processes of a training must agree.
    chunked = bool(agreed(int(not fits if lazy is None else lazy)))
    if chunked or not fits:
        rows = None
        if cache is not None:
            rows = CachedRows(
                cache.folder, particles, preparation, quietly(cache.tell), writes=cache.writes
            )
        return StreamedImages(particles, preparation, chunked, rows)
    there = np.zeros(n_images, dtype=np.bool_)
    held = HeldImages(particles, preparation, torch.empty((n_images, n_pixels)), there)
    if n_images * particles.box**2 <= PIXELS_AT_ONCE:
        yield from _prepare_all(held)
    return held


def _prepare_all(images: HeldImages) -> Task[None]:
    n_images = len(images)
    chunk = max(1, CHUNK_PIXELS // images.particles.box**2)
    watch = Stopwatch(n_images)
    for start in range(0, n_images, chunk):
        done = min(start + chunk, n_images)
        images.batch(torch.arange(start, done))
        yield TrainingProgress(
            done,
            n_images,
            "Reading images",
            watch.seconds_left(done),
            phase="preparing",
            images_done=done,
            n_images=n_images,
        )


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

    def part(self, where: slice) -> Batch:
        """Some of its particles."""
        ctf = None if self.ctf is None else self.ctf[where]
        return Batch(self.observed[where], self.encoder_input[where], self.rotations[where], ctf)


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

    def order(self, seed: int, epoch: int) -> EpochOrder:
        """In which order an epoch looks at the particles."""
        return self.images.order(seed, epoch)

    def batch(self, positions: Tensor) -> Batch:
        """The particles at the given positions (a CPU tensor)."""
        return self._batch(positions, self.images.batch(positions).to(self.device))

    @contextlib.contextmanager
    def batches(self, order: EpochOrder, places: Sequence[slice]) -> Iterator[Iterator[Batch]]:
        """The particles at successive places of an order, read ahead where they must be read."""
        with self.images.batches(order, places, self.device) as found:
            yield (
                self._batch(order.positions[place], values)
                for place, values in zip(places, found, strict=True)
            )

    @contextlib.contextmanager
    def encoder_inputs(self, places: Sequence[slice]) -> Iterator[Iterator[Tensor]]:
        """What the encoder sees of particles at successive places of the set, (B, E) each."""
        order = self.images.stored_order()
        with self.images.batches(order, places, self.device) as found:
            yield (
                self._encoder_input(order.positions[place], values)
                for place, values in zip(places, found, strict=True)
            )

    def encoder_input(self, positions: Tensor) -> Tensor:
        """What the encoder sees of the particles at the given positions, (B, E)."""
        return self._encoder_input(positions, self.images.batch(positions).to(self.device))

    def _batch(self, positions: Tensor, values: Tensor) -> Batch:
        ctf = self._ctf(positions)
        flipped = values if ctf is None else values * ctf.sign()
        return Batch(
            _columns(values, self.decoder_pixels),
            _columns(flipped, self.encoder_pixels),
            self.rotations.index_select(0, positions.to(self.device)),
            None if ctf is None else _columns(ctf, self.decoder_pixels),
        )

    def _encoder_input(self, positions: Tensor, values: Tensor) -> Tensor:
        ctf = self._ctf(positions)
        return _columns(values if ctf is None else values * ctf.sign(), self.encoder_pixels)

    def _ctf(self, positions: Tensor) -> Tensor | None:
        if self.ctf_parameters is None or self.frequencies is None:
            return None
        parameters = self.ctf_parameters.index_select(0, positions.to(self.device))
        return ctf_2d(self.frequencies, parameters)


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
