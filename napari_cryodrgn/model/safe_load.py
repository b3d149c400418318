"""Files of ``torch.save``, loaded as data: nothing in them is ever run."""

from __future__ import annotations

import errno
import pickle
import re
import struct
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import require_file

# What a broken or foreign file makes PyTorch's restricted loader raise.
_BROKEN = (
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)

# Runs of cryoDRGN's older ab-initio commands hold poses as arrays. Rebuilding an
# array of numbers runs nothing; the names are those of NumPy 1 and 2.
_NUMBER_TYPES = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
_REBUILDERS = {
    "_reconstruct": np.empty(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}
_ARRAYS: list[Any] = [
    np.ndarray,
    np.dtype,
    *_NUMBER_TYPES,
    *(
        (function, f"numpy.{core}.multiarray.{name}")
        for name, function in _REBUILDERS.items()
        for core in ("core", "_core")
    ),
]
# What PyTorch allows beyond tensors, and Python's warnings, belong to the whole process.
_LOADING = threading.Lock()

_NOT_WEIGHTS = "this is no file of weights, or a damaged one"


def load(path: str | Path) -> Any:
    """Load a file of ``torch.save``: tensors, numbers, strings, arrays and containers.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    object
        With every tensor on the CPU.

    Raises
    ------
    InputError
        Where the file is missing, broken, or names anything that would have to be run.
    """
    path = Path(path)
    require_file(path)
    _check_archive(path)
    try:
        return _load_restricted(path)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise InputError(_NOT_WEIGHTS, file=path) from error
        raise InputError(
            "this file could run code and was not loaded",
            file=path,
            field="content",
            value=refused.group(1),
            hint="Files of weights hold numbers only",
        ) from error
    except OSError as error:
        # Where the end of an archive is missing, PyTorch seeks before its beginning.
        if error.errno == errno.EINVAL:
            raise InputError(_NOT_WEIGHTS, file=path) from error
        raise InputError(f"it could not be read ({error.strerror or error})", file=path) from error
    except _BROKEN as error:
        raise InputError(_NOT_WEIGHTS, file=path) from error


def _check_archive(path: Path) -> None:
    """Refuse an archive that would unfold: PyTorch writes its parts as they are."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except OSError as error:
        raise InputError(f"it could not be read ({error.strerror or error})", file=path) from error
    except _BROKEN as error:
        raise InputError(_NOT_WEIGHTS, file=path) from error
    claimed = sum(part.file_size for part in parts)
    squeezed = any(part.compress_type != zipfile.ZIP_STORED for part in parts)
    if squeezed or claimed > path.stat().st_size:
        raise InputError(
            f"{_NOT_WEIGHTS}: its parts are packed, or larger than the file", file=path
        )


def _load_restricted(path: Path) -> Any:
    with _LOADING, warnings.catch_warnings():
        # PyTorch warns of pickle protocols; such a file is no checkpoint and is refused.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            with torch.serialization.safe_globals(_ARRAYS):
                return torch.load(path, map_location="cpu", weights_only=True)
