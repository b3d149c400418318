"""Some rows of a cryoSPARC table, with every field as it is."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.io.npy import read_npy_rows
from napari_cryodrgn.progress import Progress, Task


def copy_cs_rows(source: Path, rows: npt.NDArray[np.int64], target: BinaryIO) -> Task[None]:
    """Copy a ``.cs`` file with only some of its rows.

    Parameters
    ----------
    source : Path
        A file that `io.cs.read_cs` can read.
    rows : (K,) int64 array
        Rows to keep, 0-based, in the order in which they are written.
    target : binary file
        Written to.
    """
    yield Progress(0, None, f"Writing {len(rows):,} particles")
    fields = read_npy_rows(source, rows)
    with source.open("rb") as file:
        version = np.lib.format.read_magic(file)
    # Fields of many classes need the longer header of version 2, as the source has it.
    np.lib.format.write_array(target, fields, version=version)
