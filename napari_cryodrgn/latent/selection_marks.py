"""Particles marked as good or bad by hand, from which junk is learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.selection_bits import PackedMask

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class JunkMarks:
    """Which of N particles are marked good, which bad; none is both.

    Parameters
    ----------
    good_bits, bad_bits : PackedMask
        Compressed, for the history of a session keeps many.
    """

    good_bits: PackedMask
    bad_bits: PackedMask

    @classmethod
    def none(cls, n: int) -> JunkMarks:
        """No mark on n particles."""
        bits = PackedMask.of(np.zeros(n, np.bool_))
        return cls(bits, bits)

    @cached_property
    def good(self) -> Mask:
        """Those marked good, (N,) bool, read-only."""
        return _frozen(self.good_bits)

    @cached_property
    def bad(self) -> Mask:
        """Those marked bad, (N,) bool, read-only."""
        return _frozen(self.bad_bits)

    def marked(self, which: int | Mask, good: bool | None) -> JunkMarks:
        """With other marks on a particle, by its position, or on those of a mask.

        Parameters
        ----------
        which : int or (N,) bool array
        good : bool or None
            None takes their marks away.
        """
        good_ones, bad_ones = self.good.copy(), self.bad.copy()
        good_ones[which], bad_ones[which] = good is True, good is False
        return JunkMarks(PackedMask.of(good_ones), PackedMask.of(bad_ones))

    def carried(self, over: Callable[[PackedMask], PackedMask]) -> JunkMarks:
        """Over other particles, by a function that takes a mask there."""
        return JunkMarks(over(self.good_bits), over(self.bad_bits))


def _frozen(bits: PackedMask) -> Mask:
    mask = bits.unpacked()
    mask.flags.writeable = False
    return mask
