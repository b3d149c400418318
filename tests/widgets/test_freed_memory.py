"""Memory goes back to the system."""

from __future__ import annotations

import platform

import numpy as np
import psutil
import pytest

from napari_cryodrgn.widgets.freed_memory import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_holes_in_the_heap_go_back_to_the_system() -> None:
    process = psutil.Process()
    # Each too small for a mapping of its own; every eighth stays, and keeps its heap.
    blocks = [np.ones(8_000) for _ in range(3_000)]
    full = process.memory_info().rss
    kept = blocks[::8]
    del blocks
    give_back()
    assert full - process.memory_info().rss > 100 << 20
    assert all((block == 1).all() for block in kept)
