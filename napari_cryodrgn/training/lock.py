"""The lock of a run folder: only one process trains in it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import writing_failed
from napari_cryodrgn.io.checks import read_json


@dataclass(frozen=True)
class LockOwner:
    """The process named by a lock.

    Parameters
    ----------
    pid : int
        Its number.
    host : str
        The computer it runs on.
    started : float
        When it was started (seconds since 1970), which tells it from a later
        process of the same number.
    """

    pid: int
    host: str
    started: float

    @classmethod
    def this_process(cls) -> LockOwner:
        """Whoever asks."""
        return cls(os.getpid(), socket.gethostname(), psutil.Process().create_time())

    def is_gone(self) -> bool:
        """Whether the process is known to have ended; never so on another computer."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            started: float = process.create_time()
            # It has ended, and whoever started it has not asked how.
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        return ended or abs(started - self.started) > 1.0


@contextlib.contextmanager
def training_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a run folder.

    Parameters
    ----------
    path : Path
        The lock file; its folder must exist.

    Raises
    ------
    InputError
        Where another process that may still run holds it. A lock whose process
        has ended is taken over.
    """
    refuse_if_locked(path)
    path.unlink(missing_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        refuse_if_locked(path)
        raise InputError("another training has just begun in this folder", file=path) from None
    except OSError as error:
        raise InputError(writing_failed(error), file=path) from error
    try:
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(LockOwner.this_process()), file)
        except OSError as error:
            raise InputError(writing_failed(error), file=path) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def refuse_if_locked(path: Path) -> None:
    """Raise `InputError` where a process that may still run holds the lock."""
    owner = lock_owner(path)
    if owner is None:
        return
    raise InputError(
        f"a training is under way in this folder (process {owner.pid} on {owner.host})",
        file=path,
        hint="Wait for it or stop it; if it is no longer there, delete this file",
    )


def lock_owner(path: Path) -> LockOwner | None:
    """Who holds the lock and may still run; None where nobody does."""
    owner = _read_owner(path)
    return None if owner is None or owner.is_gone() else owner


def _read_owner(path: Path) -> LockOwner | None:
    """Who holds the lock; None where nobody does or its writer was killed while writing."""
    try:
        return LockOwner(**read_json(path))
    except (InputError, TypeError):
        return None
