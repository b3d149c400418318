"""NumPy's own files, read as data: ``.npy``, and ``.npz`` archives of them.

NumPy allocates what a header claims before it looks whether so much is there, and an
archive may claim any size for its parts. Here the bytes are counted first.
"""

from __future__ import annotations

import io
import math
import threading
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import require_file

LARGEST_HEADER = 200_000
"""Bytes; NumPy's own limit of 10,000 is short for the fields of a cryoSPARC job with many
classes."""

EXPANSION, ALWAYS_ALLOWED = 10, 400 << 20
"""An archive may hold this many times its own size, and so many bytes at any rate: labels of a
million particles that are all of one cluster compress a thousandfold."""

READ_BYTES = 64 << 20
"""Most that is read of a table in one go."""

# Python's warnings belong to the whole process.
_READING = threading.Lock()
_MAGIC = b"\x93NUMPY"
_DAMAGE = (
    ValueError,
    SyntaxError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Read an array from a ``.npy`` file, of numbers, text, or named columns of them.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array
        Its own memory.

    Raises
    ------
    InputError
        Where the file is missing, damaged, holds objects, or less than it claims.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            return _array(file, path.stat().st_size)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
    except _DAMAGE as error:
        raise InputError(f"this is no readable array of NumPy ({error})", file=path) from error


def read_npz(path: Path, names: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Read arrays from a ``.npz`` archive.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Which of its arrays.

    Returns
    -------
    list of array

    Raises
    ------
    InputError
        Where the file is missing or damaged, an array is not in it, or its parts are out of
        proportion to it.
    """
    require_file(path)
    try:
        limit = EXPANSION * path.stat().st_size + ALWAYS_ALLOWED
        with zipfile.ZipFile(path) as archive:
            arrays = []
            for name in names:
                part = archive.getinfo(f"{name}.npy")
                limit -= part.file_size
                if limit < 0:
                    raise ValueError("its parts are too large for a file of this size")
                # ZipFile gives no more than the size it tells.
                with archive.open(part) as file:
                    arrays.append(_array(io.BytesIO(file.read()), part.file_size))
            return arrays
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
    except (*_DAMAGE, RuntimeError) as error:  # RuntimeError: it wants a password
        raise InputError(f"it is damaged or no file of ours ({error})", file=path) from error


def read_npy_rows(path: Path, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Read some rows of a long table from a ``.npy`` file, in the order asked for.

    Not mapped into memory: where a mapped file becomes shorter, or its disk goes, the system
    ends the program that reads it.

    Parameters
    ----------
    path : Path
    rows : (K,) int64 array
        0-based, each within the table.

    Returns
    -------
    (K,) array

    Raises
    ------
    InputError
        As `read_npy`.
    """
    try:
        with path.open("rb") as file:
            (length, *_), _, dtype = _header(file, path.stat().st_size)
            found, order = np.empty(len(rows), dtype), np.argsort(rows, kind="stable")
            step = max(1, READ_BYTES // dtype.itemsize)
            for start in range(0, length, step):
                part = np.fromfile(file, dtype, min(step, length - start))
                if len(part) < min(step, length - start):
                    raise ValueError("it has become shorter")
                first, last = np.searchsorted(rows[order], (start, start + len(part)))
                found[order[first:last]] = part[rows[order[first:last]] - start]
            return found
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
    except _DAMAGE as error:
        raise InputError(f"this is no readable array of NumPy ({error})", file=path) from error


def _header(file: BinaryIO, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type, of as many values as are there."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin as one")
    file.seek(0)
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    # Version 3.0 is 2.0 in another encoding, which numpy's public functions do not offer.
    read = readers.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is not known")
    with _READING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of older names of types, and of Python 2
        shape, fortran, dtype = read(file, max_header_size=LARGEST_HEADER)
    count = math.prod(shape)
    there = size - file.tell()
    if dtype.hasobject:
        raise ValueError("it holds objects of Python, not numbers")
    if min(shape, default=0) < 0 or count * max(1, dtype.itemsize) > there:
        raise ValueError(f"{there} bytes are less than {shape} of {dtype.itemsize} bytes each")
    if dtype.itemsize == 0:
        raise ValueError("its values have no size")
    return shape, fortran, dtype


def _array(file: BinaryIO, size: int) -> npt.NDArray[Any]:
    shape, fortran, dtype = _header(file, size)
    count = math.prod(shape)
    values = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return np.array(values.reshape(shape[::-1]).T if fortran else values.reshape(shape))
