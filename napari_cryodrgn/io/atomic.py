"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from napari_cryodrgn.errors import InputError


def _umask() -> int:
    """File mode bits the user withholds; can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Read once: setting it later would race with other threads that create files.
_UMASK = _umask()


@contextlib.contextmanager
def replacing(
    path: str | Path, check: Callable[[Path], object] | None = None
) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is complete.

    The content is written beside the target, flushed to the disk and renamed;
    whatever stood under the name before stays until then, and stays for good
    where anything goes wrong.

    Parameters
    ----------
    path : path-like
        The target. Its folder must exist.
    check : callable, optional
        Given the complete file before it takes its name; what it raises keeps it from that.

    Yields
    ------
    binary file
        To be written to.

    Raises
    ------
    InputError
        Where the folder is missing or read-only, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.parent
        )
        temporary = Path(name)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        # mkstemp makes private files; a run folder is shared like any other.
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(writing_failed(error), file=path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


@contextlib.contextmanager
def making_folders(*folders: Path) -> Iterator[None]:
    """Make folders for something to be written; those left empty at the end go again.

    Parameters
    ----------
    *folders : Path
        Made together with the folders above them, where they are missing.

    Raises
    ------
    InputError
        Where one cannot be made; those made before it go again.
    """
    wanted = [part for folder in folders for part in (*reversed(folder.parents), folder)]
    missing = [folder for folder in dict.fromkeys(wanted) if not folder.exists()]
    try:
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"this folder cannot be made ({error.strerror})"
                raise InputError(reason, file=folder) from error
        yield
    finally:
        # rmdir refuses folders with something in them, which are wanted.
        for folder in reversed(missing):
            with contextlib.suppress(OSError):
                folder.rmdir()


def writing_failed(error: OSError) -> str:
    """Why a file could not be written, for an `InputError` about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no space left on this disk; nothing was written"
    if error.errno == errno.ENOENT:
        return "the folder does not exist; nothing was written"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this place cannot be written to; nothing was written"
    return f"it could not be written ({error.strerror or error})"


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no folder handles to sync."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
