"""Adding up the images of particles in Fourier volumes: streamed, in threads, cancellable."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.progress import Progress, Stopwatch, Task
from napari_cryodrgn.reconstruction.fourier_grid import (
    Sums,
    add_images,
    empty_sums,
    sums_bytes,
)
from napari_cryodrgn.reconstruction.particle_spectra import SpectraSource

# Pixels of images read at a time by each thread: some tens of milliseconds of work.
_CHUNK_PIXELS = 1 << 20
# Every thread has sums of its own; together they stay below this.
_MAX_SUMS_BYTES = 2 << 30
_REPORT_SECONDS = 0.1
# The first picture comes after a second, each further one when half as many images again are in.
_FIRST_PICTURE = 1.0
_MORE_IMAGES = 1.5


@dataclass(frozen=True, eq=False)
class BackprojectionProgress(Progress):
    """Progress of a backprojection.

    Parameters
    ----------
    snapshot : (box, box, box) float32 array or None
        Map of the images so far, now and then, where snapshots were asked for.
    """

    snapshot: npt.NDArray[np.float32] | None = None


def accumulate(
    source: SpectraSource,
    positions: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    *,
    weights: npt.NDArray[np.float32] | None = None,
    threads: int | None = None,
    picture: Callable[[Sums], npt.NDArray[np.float32]] | None = None,
) -> Task[Sums]:
    """Add up images in the sums of their groups.

    Parameters
    ----------
    source : SpectraSource
        Gives the spectra.
    positions : (n,) int64 array
        Which particles, as positions in the source.
    groups : (n,) int64 array
        Which sums each belongs to, counted from 0.
    weights : (n,) float32 array, optional
        How much each counts; 1 if not given.
    threads : int, optional
        How many images are worked on at once; if not given, OMP_NUM_THREADS, else as many
        as there are processors, as far as memory allows.
    picture : callable, optional
        Makes a map of the sums so far, for `BackprojectionProgress.snapshot`.

    Yields
    ------
    BackprojectionProgress
        Images done.

    Returns
    -------
    (groups, …) float32 array
        As `fourier_grid.empty_sums`. The same for the same number of threads, to the last bit.
    """
    box, count = 2 * source.plane.limit, len(positions)
    n_groups = int(groups.max()) + 1 if count else 1
    each = np.ones(count, np.float32) if weights is None else np.asarray(weights, np.float32)
    affordable = max(1, _MAX_SUMS_BYTES // (n_groups * sums_bytes(box)))
    workers = min(affordable, threads or thread_count())
    parts = [empty_sums(n_groups, box) for _ in range(workers)]
    points = source.plane.points

    def add(part: int, chunk: slice) -> None:
        spectra = source(positions[chunk])
        add_images(parts[part], groups[chunk], each[chunk], *spectra[:2], spectra.rotations, points)

    step = max(1, _CHUNK_PIXELS // source.plane.box**2)
    watch, shown = Stopwatch(count), _PictureTimes()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, count, step * workers):
            starts = range(start, min(start + step * workers, count), step)
            running = {
                pool.submit(add, part, slice(first, min(first + step, count)))
                for part, first in enumerate(starts)
            }
            report = Progress(start, count, "Reconstructing", watch.seconds_left(start))
            while wait(running, _REPORT_SECONDS).not_done:
                yield report
            for future in running:
                future.result()
            done = min(start + step * workers, count)
            snapshot = None
            if picture is not None and done < count and shown.due(done):
                snapshot = picture(_total(parts))
            left = watch.seconds_left(done)
            yield BackprojectionProgress(done, count, "Reconstructing", left, snapshot)
    return _total(parts)


def thread_count() -> int:
    """Threads to use: what OMP_NUM_THREADS says, as for all numerical programs, else all cores."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class _PictureTimes:
    """When the next picture of a growing set is worth making."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._next = 0.0

    def due(self, done: int) -> bool:
        """Whether to make one now, `done` images being in."""
        if done < self._next or time.monotonic() - self._started < _FIRST_PICTURE:
            return False
        self._next = _MORE_IMAGES * done
        return True


def _total(parts: list[Sums]) -> Sums:
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total
