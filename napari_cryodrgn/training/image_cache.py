"""A file of prepared images: which images it is of, how it is written and read.

Header (`cache_folder.HEADER_BYTES`), N rows of P float16 values from low to high
frequency (little-endian), N checksums (CRC-32) of the rows, one of the checksums.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.training.cache_folder import (
    ENDING,
    HEADER_BYTES,
    new_part,
    pack_header,
    read_header,
    remove,
)
from napari_cryodrgn.training.preparation import Preparation

VERSION = 1
SAMPLED_IMAGES = 16
HalfRows = npt.NDArray[np.float16]


class CacheDamagedError(Exception):
    """A file of prepared images is not what was written."""


@dataclass(frozen=True)
class CacheKey:
    """Which prepared images a file holds.

    Parameters
    ----------
    place : str
        Digest of the image files' paths, the selection and the preparation.
    content : str
        Digest of their sizes, times and some of their pixels.
    n_images, n_pixels, box : int
        How many, values kept of each, and side in px.
    particles : str
        Path of the particle table, for people.
    """

    place: str
    content: str
    n_images: int
    n_pixels: int
    box: int
    particles: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.place[:24]}-{self.content[:24]}{ENDING}"

    @property
    def n_bytes(self) -> int:
        """Size of the file."""
        return HEADER_BYTES + self.n_images * (2 * self.n_pixels + 4) + 4

    def description(self) -> dict[str, object]:
        """What the header says."""
        return {"version": VERSION, **self.__dict__}


def cache_key(particles: Particles, preparation: Preparation) -> CacheKey | None:
    """Of which images and which preparation; None for images that lie in no files.

    Raises
    ------
    InputError
        Where a file is gone.
    OSError
        Where one cannot be looked at.
    """
    stack = particles.images
    if not isinstance(stack, FileImageStack):
        return None
    window = preparation.window
    place: dict[str, Any] = {
        "version": VERSION,
        "files": [str(header.path.absolute()) for header in stack.headers],
        "images": _digest(stack.file_numbers, stack.sections),
        "box": stack.box,
        "pixels": _digest(preparation.pixels.numpy()),
        "invert": preparation.invert,
        "window": None if window is None else _digest(window.numpy()),
        "norm": [float(value).hex() for value in preparation.norm],
    }
    sample = np.unique(np.linspace(0, len(stack) - 1, SAMPLED_IMAGES).astype(np.int64))
    statuses = [header.path.stat() for header in stack.headers]
    content = {
        "files": [(status.st_size, status.st_mtime_ns) for status in statuses],
        "sample": _digest(stack.read(sample)),
    }
    return CacheKey(
        hashlib.sha256(json.dumps(place).encode()).hexdigest(),
        hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        len(stack),
        len(preparation.pixels),
        stack.box,
        str(particles.source.path),
    )


def _digest(*arrays: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class CacheReader:
    """Reads a whole file of prepared images; each row is checked when it is read first.

    Parameters
    ----------
    path : Path
    key : CacheKey
        What it should hold.

    Raises
    ------
    CacheDamagedError
        Where it is not whole.
    OSError
        Where it cannot be read.
    """

    def __init__(self, path: Path, key: CacheKey) -> None:
        self.path, self._key = path, key
        if read_header(path) != key.description() or path.stat().st_size != key.n_bytes:
            raise CacheDamagedError
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        try:
            self._file.seek(HEADER_BYTES + 2 * key.n_images * key.n_pixels)
            ending = self._file.read(4 * key.n_images + 4)
            if zlib.crc32(ending[:-4]) != int.from_bytes(ending[-4:], "little"):
                raise CacheDamagedError
        except BaseException:
            self._file.close()
            raise
        self._checksums = np.frombuffer(ending[:-4], "<u4")
        self._checked = np.zeros(key.n_images, dtype=np.bool_)
        with contextlib.suppress(OSError):
            os.utime(path)  # by which the one used longest ago is known

    def read(self, positions: npt.NDArray[np.int64]) -> HalfRows:
        """Rows at ascending positions, (n, P).

        Raises
        ------
        CacheDamagedError
            Where one is not what was written.
        OSError
            Where the file cannot be read.
        """
        width = self._key.n_pixels
        rows = np.empty((len(positions), width), "<f2")
        breaks = np.flatnonzero(np.diff(positions) != 1) + 1
        with self._lock:
            for run in np.split(np.arange(len(positions)), breaks):
                if not len(run):
                    continue
                unread = rows[run[0] : run[-1] + 1].reshape(-1).view(np.uint8).data
                self._file.seek(HEADER_BYTES + 2 * width * int(positions[run[0]]))
                while len(unread) and (count := self._file.readinto(unread)):
                    unread = unread[count:]
                if len(unread):
                    raise CacheDamagedError
        for row in np.flatnonzero(~self._checked[positions]):
            if zlib.crc32(rows[row].data) != int(self._checksums[positions[row]]):
                raise CacheDamagedError
        self._checked[positions] = True
        return rows

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class CacheWriter:
    """Writes prepared images as they come; the file takes its name when it has all.

    Parameters
    ----------
    folder : Path
        It exists.
    key : CacheKey

    Raises
    ------
    OSError
        Where it cannot be written.
    """

    def __init__(self, folder: Path, key: CacheKey) -> None:
        self.path, self._key = folder / key.name, key
        self._part = new_part(self.path)
        self._file = self._part.open("w+b", buffering=0)
        self._checksums = np.zeros(key.n_images, "<u4")
        self._there = np.zeros(key.n_images, dtype=np.bool_)
        self._missing = key.n_images

    def add(self, positions: npt.NDArray[np.int64], rows: HalfRows) -> bool:
        """Write rows at ascending positions, and say whether the file is whole now.

        Raises
        ------
        OSError
            Where the disk is full or gone.
        """
        rows = np.ascontiguousarray(rows, dtype="<f2")
        breaks = np.flatnonzero(np.diff(positions) != 1) + 1
        for run in np.split(np.arange(len(positions)), breaks):
            if len(run):
                self._file.seek(HEADER_BYTES + 2 * self._key.n_pixels * int(positions[run[0]]))
                _write_all(self._file, rows[run[0] : run[-1] + 1].reshape(-1).view(np.uint8).data)
        self._checksums[positions] = [zlib.crc32(row.data) for row in rows]
        self._missing -= int((~self._there[np.unique(positions)]).sum())
        self._there[positions] = True
        if self._missing:
            return False
        self._finish()
        return True

    def _finish(self) -> None:
        checksums = self._checksums.tobytes()
        self._file.seek(HEADER_BYTES + 2 * self._key.n_images * self._key.n_pixels)
        ending = checksums + zlib.crc32(checksums).to_bytes(4, "little")
        _write_all(self._file, memoryview(ending))
        self._file.seek(0)
        _write_all(self._file, memoryview(pack_header(self._key.description())))
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing."""
        self._file.close()
        remove(self._part)


def _write_all(file: Any, content: memoryview) -> None:
    while len(content):
        content = content[file.write(content) :]
