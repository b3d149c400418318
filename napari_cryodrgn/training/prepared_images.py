"""Prepared images held in memory, and what all kinds of them offer."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cryodrgn.particles import Particles
from napari_cryodrgn.training.epoch_order import EpochOrder, shuffled_order, stored_order
from napari_cryodrgn.training.prefetch import made_ahead
from napari_cryodrgn.training.preparation import CheckedImages, Preparation, shifts_of

BATCHES_AHEAD = 4


@dataclass(frozen=True, eq=False)
class PreparedImages(ABC):
    """Images as the model is compared with them, wherever they lie.

    Parameters
    ----------
    particles : Particles
        Whose images they are; with poses.
    preparation : Preparation
        How they are prepared.
    """

    particles: Particles
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.particles)

    @property
    def lazy(self) -> bool:
        """Whether an epoch goes by chunks of neighbours, as suits reading them from disk."""
        return False

    @property
    @abstractmethod
    def where(self) -> str:
        """Where they are, for the log."""

    def close(self) -> None:
        """Let go of files."""
        return

    def order(self, seed: int, epoch: int) -> EpochOrder:
        """In which order an epoch looks at them."""
        return shuffled_order(seed, epoch, len(self), self.particles.box)

    def stored_order(self) -> EpochOrder:
        """As they are stored."""
        return stored_order(len(self), self.particles.box)

    @abstractmethod
    def batch(self, positions: Tensor) -> Tensor:
        """Centred images at the given positions, (B, P) float32 on the CPU."""

    @abstractmethod
    def batches(
        self, order: EpochOrder, places: Sequence[slice], device: torch.device
    ) -> contextlib.AbstractContextManager[Iterator[Tensor]]:
        """Centred images of many batches, read ahead where they must be read.

        Parameters
        ----------
        order : EpochOrder
        places : sequence of slice
            Where each batch stands in that order, ascending.
        device : torch.device
            Where they are wanted.

        Yields
        ------
        iterator over (B, P) float32 tensors
        """


@dataclass(frozen=True, eq=False)
class HeldImages(PreparedImages):
    """Images held in memory, each prepared when it is first asked for.

    Parameters
    ----------
    particles, preparation
        See `PreparedImages`.
    values : (N, P) float32 tensor
    there : (N,) bool array
        Which of them are prepared.
    """

    values: Tensor
    there: npt.NDArray[np.bool_]

    @property
    def where(self) -> str:
        """In memory."""
        return "in memory"

    def batch(self, positions: Tensor) -> Tensor:
        """Centred images at the given positions, (B, P) float32 on the CPU."""
        asked = positions.numpy()
        missing = np.unique(asked[~self.there[asked]])
        if len(missing):
            images = CheckedImages(self.particles).read(missing)
            prepared = self.preparation(images, shifts_of(self.particles)[missing])
            self.values[torch.from_numpy(missing)] = prepared
            self.there[missing] = True
        return self.values.index_select(0, positions)

    @contextlib.contextmanager
    def batches(
        self, order: EpochOrder, places: Sequence[slice], device: torch.device
    ) -> Iterator[Iterator[Tensor]]:
        """See `PreparedImages.batches`."""
        on_gpu = device.type == "cuda"
        if self.there.all() and not on_gpu:
            yield (self.batch(order.positions[place]) for place in places)
            return

        def make(stopping: threading.Event) -> Iterator[Tensor]:
            for place in places:
                values = self.batch(order.positions[place])
                yield values.pin_memory() if on_gpu else values

        with made_ahead(make, BATCHES_AHEAD) as ready:
            yield (values.to(device, non_blocking=True) for values in ready)
