"""In which order an epoch looks at the images, and in which pieces they are read.

Both follow from the seed and the epoch alone, so that a training that is taken up
again, and the processes of one training, agree.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from napari_cryodrgn.training.randomness import generator, image_order

CHUNK_BYTES = 4 << 20
"""Pixels (float32) of neighbouring images that are read at one go: a disk's seek is short
beside it."""

SHUFFLED_BYTES = 1 << 30
"""Pixels (float32) of the images that are shuffled with one another: 16,384 of box 128. Prepared
they take 0.4 of it."""

FIRST_CHUNKS = 4
"""Chunks of an epoch's first piece. Pieces grow from there, so that the first step comes soon and
each piece is read while the one before is trained on."""


class EpochOrder(NamedTuple):
    """The images of an epoch.

    Parameters
    ----------
    positions : (N,) int64 tensor
        Every image once.
    bounds : tuple of int
        0, then where each piece ends that is read as a whole; the last is N.
    """

    positions: Tensor
    bounds: tuple[int, ...]


def chunk_size(box: int) -> int:
    """Images that are read at one go."""
    return max(1, CHUNK_BYTES // (4 * box * box))


def piece_bounds(n_images: int, box: int) -> tuple[int, ...]:
    """0, then the ends of the pieces: they double in size up to `SHUFFLED_BYTES`."""
    size, largest = FIRST_CHUNKS * chunk_size(box), max(1, SHUFFLED_BYTES // (4 * box * box))
    bounds = [0]
    while bounds[-1] < n_images:
        bounds.append(min(n_images, bounds[-1] + size))
        size = min(largest, 2 * size)
    return tuple(bounds)


def shuffled_order(seed: int, epoch: int, n_images: int, box: int) -> EpochOrder:
    """All images in random order; the pieces are only how far is read ahead."""
    return EpochOrder(image_order(seed, epoch, n_images), piece_bounds(n_images, box))


def chunked_order(seed: int, epoch: int, n_images: int, box: int) -> EpochOrder:
    """Chunks of neighbours in random order, their images shuffled within each piece.

    Parameters
    ----------
    seed, epoch : int
        Of the run, and counted from 1.
    n_images : int
    box : int
        Side of the images, px, from which sizes of chunks and pieces follow.
    """
    source, chunk = generator(seed, "order", epoch), chunk_size(box)
    chunks = torch.randperm(-(-n_images // chunk), generator=source)
    positions = (chunks[:, None] * chunk + torch.arange(chunk)).reshape(-1)
    positions = positions[positions < n_images]
    bounds = piece_bounds(n_images, box)
    for start, end in itertools.pairwise(bounds):
        mixed = torch.randperm(end - start, generator=source)
        positions[start:end] = positions[start:end][mixed]
    return EpochOrder(positions, bounds)


def stored_order(n_images: int, box: int) -> EpochOrder:
    """The images as they are stored."""
    return EpochOrder(torch.arange(n_images), piece_bounds(n_images, box))
