"""Keeps torch from crashing napari where OpenGL is rendered in software.

Mesa's software renderer loads its own LLVM into the process. Once it has, the
first optimiser that torch makes imports triton, whose LLVM clashes with Mesa's
and ends the process with a segmentation fault; torch offers no switch against
that import. Nothing here needs triton, and torch does without it.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

MEMORY_MAPS = Path("/proc/self/maps")


def keep_triton_out(maps: Path = MEMORY_MAPS) -> bool:
    """Forbid importing triton where that would crash this process.

    To be called in a process with a window before torch is put to work; cheap
    enough to be called before every task.

    Parameters
    ----------
    maps : Path
        Linux' list of the files mapped into this process.

    Returns
    -------
    bool
        Whether triton is forbidden now. Not where it is imported already or not
        installed, and not where Mesa has loaded no LLVM, as with NVIDIA's OpenGL.
    """
    if "triton" in sys.modules:
        return sys.modules["triton"] is None
    if not maps.is_file() or importlib.util.find_spec("triton") is None:
        return False
    if b"libLLVM" not in maps.read_bytes():
        return False
    logger.info("Mesa's LLVM is loaded: triton is kept out of this process")
    # None makes "import triton" an ImportError, which torch expects.
    sys.modules["triton"] = None  # type: ignore[assignment]
    return True
