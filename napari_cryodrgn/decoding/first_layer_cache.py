"""What the points of a box add to the first layer: the same for every latent point."""

from __future__ import annotations

import threading

import psutil
import torch

# Part of the memory that is free, and no more than this.
_FREE_PART = 8
_MOST_BYTES = 2**30


def default_cache_bytes() -> int:
    """A bound for the cache: an eighth of the free memory, 1 GiB at most."""
    return min(_MOST_BYTES, int(psutil.virtual_memory().available) // _FREE_PART)


class FirstLayerCache:
    """Keeps tensors by box and number of the chunk, within a bound on their memory.

    Where it is full the box that takes most gives way, so that small boxes, which are
    wanted quickly, are kept whole. May be used by several threads.

    Parameters
    ----------
    max_bytes : int
        Bound on the memory of all tensors kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._chunks: dict[int, dict[int, torch.Tensor]] = {}
        self._bytes: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        """Memory of the tensors kept."""
        with self._lock:
            return sum(self._bytes.values())

    def get(self, box: int, number: int) -> torch.Tensor | None:
        """The chunk of a box, where it is kept."""
        with self._lock:
            return self._chunks.get(box, {}).get(number)

    def put(self, box: int, number: int, chunk: torch.Tensor) -> None:
        """Keep a chunk, where there is room or a box that takes more gives way."""
        size = chunk.numel() * chunk.element_size()
        with self._lock:
            own = self._bytes.get(box, 0) + size
            while sum(self._bytes.values()) + size > self.max_bytes:
                largest = max(self._bytes, key=self._bytes.__getitem__, default=box)
                if largest == box or self._bytes[largest] < own:
                    return
                _, dropped = self._chunks[largest].popitem()
                self._bytes[largest] -= dropped.numel() * dropped.element_size()
            self._chunks.setdefault(box, {})[number] = chunk
            self._bytes[box] = own

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._chunks.clear()
            self._bytes.clear()
