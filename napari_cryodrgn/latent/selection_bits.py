"""Masks of a million particles kept small: a bit each, compressed."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

# Fast: 2 ms for a million particles. Higher levels gain little on bits.
_LEVEL = 1


@dataclass(frozen=True)
class PackedMask:
    """A boolean mask, compressed.

    Parameters
    ----------
    n : int
        Its length.
    content : bytes
        Its bits, the first in the highest bit of the first byte, as zlib has compressed them.
    """

    n: int
    content: bytes

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_]) -> PackedMask:
        """Pack a mask, (N,) bool."""
        return cls(len(mask), zlib.compress(np.packbits(mask).tobytes(), _LEVEL))

    def unpacked(self) -> npt.NDArray[np.bool_]:
        """The mask, (N,) bool, a new array."""
        bits = np.frombuffer(zlib.decompress(self.content), dtype=np.uint8)
        return np.unpackbits(bits, count=self.n).view(np.bool_)

    @cached_property
    def count(self) -> int:
        """Entries that are true."""
        return int(np.count_nonzero(self.unpacked()))

    @cached_property
    def digest(self) -> str:
        """Hex digest of what is in it."""
        return hashlib.sha256(self.content + self.n.to_bytes(8, "little")).hexdigest()[:32]
