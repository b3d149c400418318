"""MRC files: volumes read and written, stacks written chunk by chunk."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mrcfile.dtypes import HEADER_DTYPE

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.mrc_header import HEADER_BYTES, Triple, read_header

LABEL = b"written by napari-cryodrgn"


@dataclass(frozen=True, eq=False)
class Volume:
    """A density map.

    Parameters
    ----------
    data : (z, y, x) float32 array
        Densities.
    pixel_size : tuple of float or None
        Å along x, y, z; None where the file is silent.
    origin : tuple of float
        Place of the first voxel, Å, x, y, z.
    """

    data: npt.NDArray[np.float32]
    pixel_size: Triple | None
    origin: Triple = (0.0, 0.0, 0.0)


def read_volume(path: str | Path) -> Volume:
    """Read a map, its axes put in the order z, y, x.

    Raises
    ------
    InputError
        As `read_header`.
    """
    header = read_header(path)
    count = math.prod(header.shape)
    try:
        flat = np.fromfile(header.path, header.dtype, count, offset=header.offset)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", file=path) from error
    columns, rows, sections = header.axes
    # The array's axes are sections, rows, columns; z, y, x are wanted.
    order = [(sections, rows, columns).index(axis) for axis in (3, 2, 1)]
    data = flat.reshape(header.shape).transpose(order)
    return Volume(np.ascontiguousarray(data, np.float32), header.pixel_size, header.origin)


def write_volume(
    path: str | Path,
    data: npt.ArrayLike,
    pixel_size: float | Sequence[float] | None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Write a map in mode 2, whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write.
    data : (z, y, x) array-like
        Densities.
    pixel_size : float or sequence of three, or None
        Å, along x, y, z; None where it is not known, which the header then says.
    origin : sequence of three float
        Place of the first voxel, Å, x, y, z.
    """
    voxels = np.asarray(data, dtype="<f4")
    if voxels.ndim != 3:
        raise ValueError(f"a volume has three axes, not {voxels.ndim}")
    statistics = _Statistics()
    statistics.add(voxels)
    header = _new_header(voxels.shape, pixel_size, statistics, is_volume=True)
    header["origin"] = tuple(origin)
    with replacing(path) as file:
        file.write(header.tobytes())
        file.write(np.ascontiguousarray(voxels).data)


def write_stack(
    path: str | Path,
    images: npt.NDArray[Any] | Iterable[npt.NDArray[Any]],
    pixel_size: float | None,
) -> None:
    """Write an image stack in mode 2, whole or not at all.

    Parameters
    ----------
    path : path-like
        File to write.
    images : (N, box, box) array or iterable of such chunks
        The images; chunks are written as they come, so the whole need not fit in memory.
    pixel_size : float or None
        Å; None where it is not known, which the header then says.

    Raises
    ------
    InputError
        Where the file cannot be written, or there are no images.
    """
    chunks = [images] if isinstance(images, np.ndarray) else images
    with stack_writer(path, pixel_size) as add:
        for chunk in chunks:
            add(chunk)


@contextlib.contextmanager
def stack_writer(
    path: str | Path, pixel_size: float | None
) -> Iterator[Callable[[npt.NDArray[Any]], None]]:
    """Open an image stack that is written chunk by chunk, whole or not at all.

    For long tasks, which report between the chunks; otherwise see `write_stack`.

    Parameters
    ----------
    path : path-like
        File to write.
    pixel_size : float or None
        Å; None where it is not known, which the header then says.

    Yields
    ------
    callable
        Takes the next images, (n, box, box).

    Raises
    ------
    InputError
        Where the file cannot be written, or no image was added.
    """
    statistics = _Statistics()
    shape: list[int] = []
    with replacing(path) as file:
        file.write(bytes(HEADER_BYTES))

        def add(images: npt.NDArray[Any]) -> None:
            pixels = np.ascontiguousarray(images, dtype="<f4")
            if pixels.ndim != 3 or (shape and list(pixels.shape[1:]) != shape[1:]):
                raise ValueError(f"chunks of images must be (n, box, box), not {pixels.shape}")
            shape[:] = [len(pixels) + (shape[0] if shape else 0), *pixels.shape[1:]]
            statistics.add(pixels)
            file.write(pixels.data)

        yield add
        if not shape or shape[0] == 0:
            raise InputError("there are no images to write", file=path)
        header = _new_header(tuple(shape), pixel_size, statistics, is_volume=False)
        file.seek(0)
        file.write(header.tobytes())


class _Statistics:
    """Minimum, maximum, mean and standard deviation of pixels that come in chunks."""

    def __init__(self) -> None:
        self._n = 0
        self._sum = 0.0
        self._squares = 0.0
        self._low, self._high = math.inf, -math.inf

    def add(self, pixels: npt.NDArray[np.float32]) -> None:
        if pixels.size:
            self._n += pixels.size
            self._sum += float(pixels.sum(dtype=np.float64))
            self._squares += float(np.square(pixels, dtype=np.float64).sum())
            self._low = min(self._low, float(pixels.min()))
            self._high = max(self._high, float(pixels.max()))

    def fill(self, header: npt.NDArray[np.void]) -> None:
        """Put them where the format wants them."""
        if self._n:
            mean = self._sum / self._n
            variance = max(0.0, self._squares / self._n - mean * mean)
            header["dmin"], header["dmax"] = self._low, self._high
            header["dmean"], header["rms"] = mean, math.sqrt(variance)


def _three(pixel_size: float | Sequence[float] | None) -> Triple:
    """Pixel size along each axis; zeros, the format's 'unknown', for None."""
    if pixel_size is None:
        return 0.0, 0.0, 0.0
    if isinstance(pixel_size, Sequence):
        x, y, z = map(float, pixel_size)
        return x, y, z
    return float(pixel_size), float(pixel_size), float(pixel_size)


def _new_header(
    shape: tuple[int, ...],
    pixel_size: float | Sequence[float] | None,
    statistics: _Statistics,
    *,
    is_volume: bool,
) -> npt.NDArray[np.void]:
    """A header for little-endian float32 data of (sections, rows, columns)."""
    sections, rows, columns = shape
    header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
    header["nx"], header["ny"], header["nz"] = columns, rows, sections
    header["mode"] = 2
    # MRC2014: the unit cell of an image stack is one image deep.
    depth = sections if is_volume else 1
    header["mx"], header["my"], header["mz"] = columns, rows, depth
    sizes = _three(pixel_size)
    header["cella"] = tuple(size * n for size, n in zip(sizes, (columns, rows, depth), strict=True))
    header["cellb"] = (90.0, 90.0, 90.0)
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["ispg"] = 1 if is_volume else 0
    header["nversion"] = 20140
    header["map"] = b"MAP "
    header["machst"] = (0x44, 0x44, 0, 0)
    header["nlabl"] = 1
    header["label"][0] = LABEL
    statistics.fill(header)
    return header
