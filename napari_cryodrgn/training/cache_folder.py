"""The folder in which prepared images are kept: what it holds, and how it is kept small."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import struct
import time
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import psutil

ENDING = ".images"
MAGIC = b"NCRYIMG1"
HEADER_BYTES = 4096

LARGEST_BYTES = 200 * 10**9
"""What all caches together may take; half of the free disk where that is less."""

STALE_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class CacheEntry:
    """Prepared images of one set.

    Parameters
    ----------
    path : Path
        Its file.
    n_bytes : int
    used : float
        When it was last used, seconds since 1970.
    particles : str
        The particle table that they are of; empty where the file does not say it.
    n_images, box : int
        How many, and their side in px; 0 where the file does not say it.
    """

    path: Path
    n_bytes: int
    used: float
    particles: str
    n_images: int
    box: int


def default_folder() -> Path:
    """The folder in the user's cache."""
    return platformdirs.user_cache_path("napari-cryodrgn") / "images"


def folder_of(choice: str | None) -> Path | None:
    """The folder that an option ``--cache`` means: None for 'none', the default where empty."""
    if choice is None:
        return default_folder()
    return None if choice.strip().lower() == "none" else Path(choice).expanduser().absolute()


def entries(folder: Path) -> list[CacheEntry]:
    """What the folder holds, the one last used first."""
    found = []
    for path in folder.glob(f"*{ENDING}"):
        with contextlib.suppress(OSError):  # another program may have removed it
            status = path.stat()
            described = read_header(path) or {}
            found.append(
                CacheEntry(
                    path,
                    status.st_size,
                    status.st_mtime,
                    str(described.get("particles", "")),
                    int(described.get("n_images", 0)),
                    int(described.get("box", 0)),
                )
            )
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def pack_header(described: dict[str, object]) -> bytes:
    """The first `HEADER_BYTES` of a file."""
    text = json.dumps(described).encode()
    head = MAGIC + struct.pack("<II", len(text), zlib.crc32(text)) + text
    if len(head) > HEADER_BYTES:
        raise ValueError("the description of the images is too long")
    return head.ljust(HEADER_BYTES, b"\0")


def read_header(path: Path) -> dict[str, Any] | None:
    """What a file says of itself; None where it is damaged or no such file."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
        start = len(MAGIC) + 8
        length, checksum = struct.unpack("<II", head[len(MAGIC) : start])
        text = head[start : start + length]
        if head[: len(MAGIC)] != MAGIC or len(text) != length or zlib.crc32(text) != checksum:
            return None
        described = json.loads(text)
    except (OSError, ValueError, struct.error):
        return None
    return described if isinstance(described, dict) else None


def remove(path: Path) -> bool:
    """Remove a file; False where it cannot be, as while it is in use on Windows."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def make_room(folder: Path, n_bytes: int, largest: int = LARGEST_BYTES) -> str | None:
    """Remove what was used longest ago until a new file of that size may be written.

    Parameters
    ----------
    folder : Path
        It exists.
    n_bytes : int
    largest : int, optional
        Bytes that all files together may take.

    Returns
    -------
    str or None
        Why there is no room; None where there is.
    """
    remove_leftovers(folder)
    held = entries(folder)
    taken = sum(entry.n_bytes for entry in held) + sum(
        path.stat().st_size for path in folder.glob(".*.part")
    )
    free = shutil.disk_usage(folder).free
    allowed = min(largest, (free + taken) // 2)
    if n_bytes > allowed:
        return (
            f"they take {n_bytes / 1e9:.1f} GB, and the cache may take {allowed / 1e9:.1f} GB "
            f"in {folder}"
        )
    for entry in reversed(held):
        if taken + n_bytes <= allowed:
            break
        if remove(entry.path):
            taken -= entry.n_bytes
    return None if taken + n_bytes <= allowed else f"other programs fill {folder}"


def clean(folder: Path, keep_bytes: int = 0) -> int:
    """Remove what was used longest ago, until at most `keep_bytes` are left.

    Returns
    -------
    int
        Bytes that were freed.
    """
    remove_leftovers(folder)
    held, freed = entries(folder), 0
    taken = sum(entry.n_bytes for entry in held)
    for entry in reversed(held):
        if taken - freed <= keep_bytes:
            break
        if remove(entry.path):
            freed += entry.n_bytes
    return freed


def new_part(path: Path) -> Path:
    """Where a file is written until it is whole: the name says which process does."""
    return path.with_name(f".{path.stem}.{_host()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")


def remove_leftovers(folder: Path) -> None:
    """Remove what programs that ended had begun to write."""
    for path in folder.glob(".*.part"):
        words = path.name.split(".")
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > STALE_SECONDS
            ours = len(words) == 6 and words[2] == _host() and words[3].isdigit()
            if old or (ours and not psutil.pid_exists(int(words[3]))):
                path.unlink()


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
