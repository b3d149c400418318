"""The cache of one training: found, written while the first epoch runs, or done without.

Nothing here stops a training: what goes wrong is told, and the images are prepared
anew.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import writing_failed
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.training.cache_folder import ENDING, make_room, remove
from napari_cryodrgn.training.image_cache import (
    CacheDamagedError,
    CacheKey,
    CacheReader,
    CacheWriter,
    HalfRows,
    cache_key,
)
from napari_cryodrgn.training.preparation import Preparation

Tell = Callable[[str], None]


class CachedRows:
    """Prepared images of a set on disk. Looked for when the first is asked for.

    Parameters
    ----------
    folder : Path
        Where caches are kept; made where it is missing.
    particles : Particles
    preparation : Preparation
    tell : callable
        Given a line for the log; called from the thread that reads.
    writes : bool
        Whether this process writes where none is found: of several that train together, which
        see a part of the images each, none does.
    """

    def __init__(
        self,
        folder: Path,
        particles: Particles,
        preparation: Preparation,
        tell: Tell,
        *,
        writes: bool = True,
    ) -> None:
        self._folder, self._particles, self._preparation = folder, particles, preparation
        self._tell, self._writes = tell, writes
        self._key: CacheKey | None = None
        self._reader: CacheReader | None = None
        self._writer: CacheWriter | None = None
        self._looked = False
        self._lock = threading.RLock()

    def read(self, positions: npt.NDArray[np.int64]) -> HalfRows | None:
        """Rows at ascending positions, (n, P) by shell; None where they must be prepared."""
        with self._lock:
            if not self._looked:
                self._looked = True
                self._look()
            if self._reader is None:
                return None
            try:
                return self._reader.read(positions)
            except (CacheDamagedError, OSError):
                path = self._reader.path
                self._reader.close()
                self._reader = None
                self._tell(f"The cached images in {path} are damaged: they are prepared anew")
                remove(path)
                self._begin()
                return None

    def add(self, positions: npt.NDArray[np.int64], rows: HalfRows) -> None:
        """Keep rows at ascending positions."""
        with self._lock:
            if self._writer is None or self._key is None:
                return
            writer = self._writer
            try:
                if not writer.add(positions, rows):
                    return
                self._writer = None
                self._reader = CacheReader(writer.path, self._key)
                self._tell(f"All images are cached now ({_size(self._key.n_bytes)})")
            except (OSError, CacheDamagedError) as error:
                self._writer = None
                writer.abandon()
                why = writing_failed(error) if isinstance(error, OSError) else "it is damaged"
                self._tell(f"The images cannot be cached ({why}): training goes on without")

    def close(self) -> None:
        """Let go of all files; one that is not whole leaves nothing."""
        with self._lock:
            if self._writer is not None:
                self._writer.abandon()
            if self._reader is not None:
                self._reader.close()
            self._writer = self._reader = None
            self._looked = False

    def _look(self) -> None:
        """Open the cache of these images, or begin one."""
        try:
            self._key = cache_key(self._particles, self._preparation)
        except (OSError, InputError):
            self._key = None  # reading the images will say what is wrong with them
        if self._key is None:
            return
        path = self._folder / self._key.name
        try:
            if path.exists():
                self._reader = CacheReader(path, self._key)
                self._tell(f"Images are taken from the cache, {path}")
                return
        except (CacheDamagedError, OSError):
            self._tell(f"The cached images in {path} are damaged: they are prepared anew")
            remove(path)
        self._begin()

    def _begin(self) -> None:
        key = self._key
        if key is None or not self._writes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for older in self._folder.glob(f"{key.place[:24]}-*{ENDING}"):
                if older.name != key.name:
                    self._tell("The images have changed since they were cached: prepared anew")
                    remove(older)
            why = make_room(self._folder, key.n_bytes)
            if why is None:
                self._writer = CacheWriter(self._folder, key)
                self._tell(f"Images are cached in {self._folder} ({_size(key.n_bytes)})")
        except OSError as error:
            why = writing_failed(error)
        if why is not None:
            self._tell(f"The images are not cached: {why}")


def quietly(tell: Tell) -> Tell:
    """As `tell`, where a log that cannot be written is no reason to stop."""

    def told(text: str) -> None:
        with contextlib.suppress(InputError):
            tell(text)

    return told


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 10**8 else f"{n_bytes / 1e6:.1f} MB"
