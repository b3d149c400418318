"""Checks of poses and CTF parameters, the same for every format they come in."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import CTFParameters

LARGEST_JSON, MOST_CONTAINERS = 128 << 20, 1_000_000
"""Bytes, and lists and objects, that a JSON file may have: an empty list is two characters there
and sixty bytes in memory."""

_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EBADF)


def require_file(path: Path) -> None:
    """Raise `InputError` unless there is a regular file of this name.

    A folder, a device or a pipe is none: reading one may never end.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL in the name
        raise InputError("there is no such file", file=path) from error
    except OSError as error:
        if error.errno in _NOWHERE:
            raise InputError("there is no such file", file=path) from error
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
    if stat.S_ISDIR(mode):
        raise InputError("this is a folder, and a file is needed", file=path)
    if not stat.S_ISREG(mode):
        raise InputError("this is a device or a pipe, and a file is needed", file=path)


def is_file(path: Path) -> bool:
    """Whether there is a regular file of this name, whatever the name is like.

    A name that is too long is no file, and neither is one on a drive that has gone.
    """
    try:
        require_file(path)
    except InputError:
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name, whatever the name is like."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_text(path: Path, largest: int, what: str = "text") -> str:
    """Read a text file (UTF-8).

    Parameters
    ----------
    path : Path
    largest : int
        Bytes beyond which it cannot be what it should be.
    what : str
        What that is, for the message.

    Raises
    ------
    InputError
        Where it is missing, cannot be read, is larger or no text.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", file=path) from error
    if len(content) > largest:
        raise InputError(f"it is larger than {largest:,} bytes", file=path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"this is no readable {what} ({error})", file=path) from error


def parse_json(text: str, path: Path) -> Any:
    """What a JSON text holds, unless it would take far more memory than the file has bytes.

    Parameters
    ----------
    text : str
        Read from the file, whose size was bounded.
    path : Path
        The file, for the message.

    Raises
    ------
    InputError
        Where it is no JSON or holds too many lists and objects.
    """
    if text.count("[") + text.count("{") > MOST_CONTAINERS:
        raise InputError(f"it lists more than {MOST_CONTAINERS:,} lists and objects", file=path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no readable JSON ({error})", file=path) from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises
    ------
    InputError
        Where it is missing, cannot be read, is too large or no JSON.
    """
    return parse_json(read_text(path, LARGEST_JSON, "JSON"), path)


def check_shifts(
    shifts: npt.NDArray[np.floating[Any]],
    n: int,
    *,
    file: str | Path,
    field: str = "shifts",
    box: int | None = None,
) -> None:
    """Make sure that shifts are N finite pairs, as fractions of the box.

    Raises
    ------
    InputError
        Naming the first bad row.
    """
    if shifts.shape != (n, 2):
        raise InputError(
            f"{n} rotations need shifts of shape ({n}, 2)",
            file=file,
            field=f"{field}: shape",
            value=shifts.shape,
        )
    finite = np.isfinite(shifts).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{int((~finite).sum())} shifts are NaN or infinite",
            file=file,
            field=f"{field}: first such row (counted from 0)",
            value=int(np.argmin(finite)),
        )
    too_large = np.abs(shifts).max(axis=1, initial=0.0) > 1
    if too_large.any():
        row = int(np.argmax(too_large))
        divisor = "the box size" if box is None else f"the box size ({box})"
        raise InputError(
            f"{int(too_large.sum())} shifts look like pixels where a fraction of the box is "
            f"meant; the first one is row {row} (counted from 0)",
            file=file,
            field=field,
            value=tuple(round(float(value), 4) for value in shifts[row]),
            hint=f"Divide shifts in pixels by {divisor}",
        )


def check_ctf(table: npt.NDArray[np.float64], *, file: str | Path) -> None:
    """Make sure that CTF parameters have nine columns of possible values.

    Raises
    ------
    InputError
        Naming column, row (0-based) and value of the first impossible one.
    """
    columns = CTFParameters.COLUMNS
    if table.ndim != 2 or table.shape[1] != len(columns):
        raise InputError(
            f"CTF parameters are N rows of {len(columns)} columns ({', '.join(columns)})",
            file=file,
            field="CTF: shape",
            value=table.shape,
        )
    finite = np.isfinite(table)
    if not finite.all():
        row, column = (int(index[0]) for index in np.nonzero(~finite))
        raise InputError(
            f"{int((~finite).any(axis=1).sum())} rows hold NaN or infinite CTF parameters; the "
            f"first one is row {row} (counted from 0)",
            file=file,
            field=columns[column],
            value=table[row, column],
        )
    positive = ("box", "pixel_size", "voltage")
    for column, name in enumerate(columns):
        values = table[:, column]
        bad = values <= 0 if name in positive else np.zeros(len(values), bool)
        if name == "amplitude_contrast":
            bad = np.abs(values) > 1
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                "must be between -1 and 1" if name == "amplitude_contrast" else "must be positive",
                file=file,
                field=f"{name}, row {row} (counted from 0)",
                value=values[row],
            )
