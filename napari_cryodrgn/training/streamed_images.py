"""Images that do not fit in memory: read, prepared and cached as an epoch goes on.

They are kept in half precision, read anew or taken from the cache alike, so that a
training does not depend on what the cache holds.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cryodrgn.training.cached_rows import CachedRows
from napari_cryodrgn.training.epoch_order import (
    EpochOrder,
    chunk_size,
    chunked_order,
    shuffled_order,
)
from napari_cryodrgn.training.prefetch import made_ahead
from napari_cryodrgn.training.preparation import CheckedImages, by_shell, shifts_of
from napari_cryodrgn.training.prepared_images import PreparedImages

PIECES = 2  # the one that is trained on, and the one being read


@dataclass(frozen=True, eq=False)
class StreamedImages(PreparedImages):
    """Images on disk.

    Parameters
    ----------
    particles, preparation
        See `PreparedImages`.
    chunked : bool
        Whether an epoch goes by chunks of neighbours (`epoch_order`).
    cache : CachedRows or None
        Keeps them prepared between epochs; None prepares them anew.
    """

    chunked: bool
    cache: CachedRows | None

    @property
    def lazy(self) -> bool:
        """Whether an epoch goes by chunks of neighbours."""
        return self.chunked

    @property
    def where(self) -> str:
        """On disk, with or without a cache."""
        return "read as needed" if self.cache is None else "read as needed, cached on disk"

    def close(self) -> None:
        """Let go of the cache; one that is not whole leaves nothing."""
        if self.cache is not None:
            self.cache.close()

    def order(self, seed: int, epoch: int) -> EpochOrder:
        """In which order an epoch looks at them."""
        order = chunked_order if self.chunked else shuffled_order
        return order(seed, epoch, len(self), self.particles.box)

    def batch(self, positions: Tensor) -> Tensor:
        """Centred images at the given positions, (B, P) float32 on the CPU."""
        rows = torch.empty((len(positions), len(self.preparation.pixels)), dtype=torch.float16)
        self._read(positions.numpy(), rows, threading.Event())
        return self._centring(torch.device("cpu"))(rows, positions)

    @contextlib.contextmanager
    def batches(
        self, order: EpochOrder, places: Sequence[slice], device: torch.device
    ) -> Iterator[Iterator[Tensor]]:
        """See `PreparedImages.batches`."""
        wanted = np.concatenate([np.arange(place.start, place.stop) for place in places])
        edges = np.searchsorted(wanted, order.bounds)
        positions = order.positions.numpy()[wanted]

        def make(stopping: threading.Event) -> Iterator[Tensor]:
            for start, end in itertools.pairwise(edges.tolist()):
                if start < end:
                    rows = self._room_for(end - start, device)
                    self._read(positions[start:end], rows, stopping)
                    yield rows

        sizes = [place.stop - place.start for place in places]
        centred = self._centring(device)
        with made_ahead(make, PIECES) as pieces:
            cut = _cut(pieces, sizes)
            yield (
                centred(rows, order.positions[place])
                for rows, place in zip(cut, places, strict=True)
            )

    def _room_for(self, n_images: int, device: torch.device) -> Tensor:
        shape = (n_images, len(self.preparation.pixels))
        # Pinned memory is sent to a GPU while both go on.
        return torch.empty(shape, dtype=torch.float16, pin_memory=device.type == "cuda")

    def _read(
        self, positions: npt.NDArray[np.int64], rows: Tensor, stopping: threading.Event
    ) -> None:
        """Fill rows (n, P) with normalised images by shell, those that lie together at one go."""
        ascending = np.argsort(positions, kind="stable")
        step, out = chunk_size(self.particles.box), rows.numpy()
        images, shells = CheckedImages(self.particles), by_shell(self.preparation)
        for start in range(0, len(positions), step):
            if stopping.is_set():
                return
            where = ascending[start : start + step]
            chunk = positions[where]
            cached = None if self.cache is None else self.cache.read(chunk)
            if cached is None:
                cached = self._prepared(images.read(chunk), shells)
                if self.cache is not None:
                    self.cache.add(chunk, cached)
            out[where] = cached

    def _prepared(self, images: npt.NDArray[np.float32], shells: Tensor) -> npt.NDArray[np.float16]:
        values = self.preparation.normalised(images).index_select(1, shells)
        rounded: npt.NDArray[np.float16] = values.half().numpy()
        return rounded

    def _centring(self, device: torch.device) -> _Centring:
        back = torch.argsort(by_shell(self.preparation)).to(device)
        shifts = torch.from_numpy(shifts_of(self.particles)).float()
        return _Centring(self, back, shifts, device)


@dataclass(frozen=True, eq=False)
class _Centring:
    """From rows by shell to centred images on a device."""

    images: StreamedImages
    back: Tensor
    shifts: Tensor
    device: torch.device

    def __call__(self, rows: Tensor, positions: Tensor) -> Tensor:
        values = rows.to(self.device, non_blocking=True).float().index_select(1, self.back)
        shifts = self.shifts.index_select(0, positions).to(self.device, non_blocking=True)
        return self.images.preparation.centred(values, shifts)


def _cut(pieces: Iterator[Tensor], sizes: Sequence[int]) -> Iterator[Tensor]:
    """Rows of successive pieces in batches of the given sizes, some across two pieces."""
    piece, used = None, 0
    for size in sizes:
        parts: list[Tensor] = []
        while size:
            if piece is None or used == len(piece):
                piece = None  # gone before the next is asked for
                piece, used = next(pieces), 0
            part = piece[used : used + size]
            used, size = used + len(part), size - len(part)
            parts.append(part)
        yield parts[0] if len(parts) == 1 else torch.cat(parts)
