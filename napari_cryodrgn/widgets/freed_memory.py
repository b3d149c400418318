"""Gives memory that is free again back to the system.

glibc keeps what a program frees for its next wants, in up to eight heaps a core, and lets go of
a heap's end only. Decoding, opening runs and drawing leave so many holes that a window held
2.4 GB where it used 1.5 (docs/benchmarks.md).
"""

from __future__ import annotations

import ctypes
import platform


def give_back() -> None:
    """Let go of the free pages of all heaps; nothing where the C library is another one.

    Takes some tens of ms a GB, in which other threads go on but for their own wants of memory.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
