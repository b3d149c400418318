"""A batch computed in parts where memory does not hold it at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import torch

from napari_cryodrgn.errors import is_full_memory

Result = TypeVar("Result")


class BatchParts:
    """Into how many parts batches are cut: one, and twice as many each time memory is full.

    The steps stay those of whole batches: gradients of the parts are summed.

    Parameters
    ----------
    tell : callable, optional
        Given a line for the log.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.number = 1
        self._tell = tell

    def run(
        self, compute: Callable[[list[slice]], Result], n_images: int, *, most: int | None = None
    ) -> Result:
        """Compute a batch, in smaller parts if it must be.

        Parameters
        ----------
        compute : callable
            Given the parts; called anew with smaller ones where memory was full.
        n_images : int
            Of the batch.
        most : int, optional
            Parts that the batch may be cut into; one for each image if not given.

        Raises
        ------
        torch.OutOfMemoryError, MemoryError, RuntimeError
            Where smaller parts are not to be had, or that was not the reason.
        """
        most = n_images if most is None else most
        while True:
            try:
                return compute(self._slices(n_images, most))
            except (RuntimeError, MemoryError) as error:
                if not is_full_memory(error) or self.number >= most:
                    raise
            # Here, where the error no longer holds what had been computed.
            self.number *= 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if self._tell is not None:
                size = -(-n_images // self.number)
                self._tell(
                    f"Memory is full: each batch is computed in {self.number} parts of {size} "
                    "images from here on; the steps are the same"
                )

    def _slices(self, n_images: int, most: int) -> list[slice]:
        number = max(1, min(self.number, n_images, most))
        bounds = [n_images * part // number for part in range(number + 1)]
        return [slice(start, end) for start, end in itertools.pairwise(bounds)]
