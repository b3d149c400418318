"""Headers of MRC files.

Many files in use lack the format's stamp, its machine stamp or its version, so a
header is believed when its numbers make sense, in either byte order, and never
more than the size of the file allows. Format: Cheng et al., J. Struct. Biol.
192 (2015) 146, MRC2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import require_file

HEADER_BYTES = 1024

LARGEST_SIDE = 1 << 24
"""Beyond any real image; the mark of a header read in the wrong byte order."""

MODES = {0: "u1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", 17: "i1"}
"""Pixel types. Mode 0 is unsigned, as cryoDRGN and older programs have it, unless
IMOD's flag says that it is signed."""

_IMOD_STAMP = 1146047817

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class StackHeader:
    """What the header of an MRC file says.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Sections, rows, columns.
    dtype : numpy dtype
        Of the pixels in the file, with its byte order.
    offset : int
        Bytes before the first pixel.
    pixel_size : tuple of float or None
        Å along the spatial axes x, y, z; None where the header is silent.
    origin : tuple of float
        Place of the first voxel, Å, x, y, z.
    axes : tuple of int
        Spatial axis, 1 to 3, of columns, rows and sections.
    space_group : int
        0 marks a stack of images, 1 a volume; often wrong.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    pixel_size: Triple | None
    origin: Triple
    axes: tuple[int, int, int]
    space_group: int

    @property
    def section_bytes(self) -> int:
        """Bytes of one section, that is of one image of a stack."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        """Bytes of all pixels."""
        return self.shape[0] * self.section_bytes


def read_header(path: str | Path) -> StackHeader:
    """Read and check the header of an MRC file; no pixel is read.

    Raises
    ------
    InputError
        Where the file is missing, no MRC file, of an unknown mode, or shorter than its header
        says.
    """
    path = Path(path)
    require_file(path)
    try:
        with path.open("rb") as file:
            raw = file.read(HEADER_BYTES)
        actual = path.stat().st_size
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", file=path) from error
    if len(raw) < HEADER_BYTES:
        raise InputError(
            f"this is no MRC file: {len(raw)} bytes are less than a header of {HEADER_BYTES}",
            file=path,
        )
    header = _interpret(path, *_in_byte_order(path, raw))
    expected = header.offset + header.data_bytes
    if actual < expected:
        sections, rows, columns = header.shape
        raise InputError(
            f"the file is truncated: {columns} x {rows} x {sections} pixels of {header.dtype} need "
            f"{expected} bytes",
            file=path,
            field="size",
            value=f"{actual} bytes",
        )
    return header


def read_headers(paths: Sequence[Path]) -> tuple[StackHeader, ...]:
    """Headers of some files, each read once; see `read_header`."""
    distinct = {path: read_header(path) for path in dict.fromkeys(paths)}
    return tuple(distinct[path] for path in paths)


def _in_byte_order(path: Path, raw: bytes) -> tuple[np.void, str]:
    """The header in the byte order in which its numbers make sense, and that order."""
    found: dict[str, np.void] = {}
    for order in "<>":
        header = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
        found[order] = header
        sides = [int(header[name]) for name in ("nx", "ny", "nz")]
        plausible = all(0 < side < LARGEST_SIDE for side in sides)
        if plausible and 0 <= int(header["mode"]) < 1024 and int(header["nsymbt"]) >= 0:
            return header, order
    header = found["<"]
    raise InputError(
        "this is no MRC file: its header makes no sense",
        file=path,
        field="columns, rows, sections, mode",
        value=tuple(int(header[name]) for name in ("nx", "ny", "nz", "mode")),
    )


def _interpret(path: Path, header: np.void, order: str) -> StackHeader:
    mode = int(header["mode"])
    if mode not in MODES:
        known = ", ".join(map(str, MODES))
        raise InputError(f"only the modes {known} are read", file=path, field="mode", value=mode)
    kind = MODES[mode]
    if mode == 0:
        stamp, flags = np.frombuffer(header["extra2"].tobytes()[40:48], order + "i4")
        kind = "i1" if stamp == _IMOD_STAMP and flags & 1 else kind
    axes = (int(header["mapc"]), int(header["mapr"]), int(header["maps"]))
    if sorted(axes) != [1, 2, 3]:
        # Old programs left these empty.
        axes = (1, 2, 3)
    pixel_size = _pixel_size(header)
    return StackHeader(
        path=path,
        shape=(int(header["nz"]), int(header["ny"]), int(header["nx"])),
        dtype=np.dtype(order + kind),
        offset=HEADER_BYTES + int(header["nsymbt"]),
        pixel_size=pixel_size,
        origin=_origin(header, axes, pixel_size),
        axes=axes,
        space_group=int(header["ispg"]),
    )


def _pixel_size(header: np.void) -> Triple | None:
    cell = [float(header["cella"][axis]) for axis in "xyz"]
    intervals = [int(header[name]) for name in ("mx", "my", "mz")]
    if not all(math.isfinite(length) and length > 0 for length in cell) or min(intervals) <= 0:
        return None
    # The cell is float32: seven digits are all that it says, and 1.1 stays 1.1.
    x, y, z = (float(f"{length / n:.7g}") for length, n in zip(cell, intervals, strict=True))
    return x, y, z


def _origin(header: np.void, axes: tuple[int, int, int], pixel_size: Triple | None) -> Triple:
    """Origin in Å; the older starting indices, given per file axis, speak where it is zero."""
    x, y, z = (float(header["origin"][axis]) for axis in "xyz")
    if any((x, y, z)) or pixel_size is None:
        finite = all(map(math.isfinite, (x, y, z)))
        return (x, y, z) if finite else (0.0, 0.0, 0.0)
    starts = [int(header[name]) for name in ("nxstart", "nystart", "nzstart")]
    x, y, z = (starts[axes.index(axis)] * pixel_size[axis - 1] for axis in (1, 2, 3))
    return x, y, z
