"""Particle images read when they are asked for, from one file or from thousands."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc_header import StackHeader, read_header
from napari_cryodrgn.particles import ImageStack
from napari_cryodrgn.progress import Progress, Stopwatch, Task

PIXEL_SIZE_TOLERANCE = 1e-3
"""Relative difference at which the headers of two files are held to disagree."""

READ_BYTES = 64 << 20
"""Most that is read in one go, so that converting to float32 needs little more memory."""


@dataclass(frozen=True, eq=False)
class FileImageStack:
    """Images in one or more MRC files; nothing is read until asked for.

    Holds no file open between reads, so it may be used from several threads, copied to another
    process, and spread over any number of files.

    Parameters
    ----------
    headers : tuple of StackHeader
        The files, all of one square, even image size.
    file_numbers : (N,) int array
        For each image the position of its file in `headers`.
    sections : (N,) int64 array
        For each image its section within the file, 0-based.

    Raises
    ------
    InputError
        Where an image is not square, its side is odd, the sides differ between files, or a
        section lies beyond the end of its file.
    """

    headers: tuple[StackHeader, ...]
    file_numbers: npt.NDArray[np.int64]
    sections: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if not self.headers:
            raise ValueError("an image stack needs at least one file")
        for header in self.headers:
            _check_box(header, self.headers[0])
        depths = np.array([header.shape[0] for header in self.headers])[self.file_numbers]
        outside = (self.sections < 0) | (self.sections >= depths)
        if outside.any():
            image = int(np.argmax(outside))
            header = self.headers[self.file_numbers[image]]
            raise InputError(
                f"image {image + 1} of the table is number {self.sections[image] + 1} of this "
                f"stack, which holds {header.shape[0]}",
                file=header.path,
                field="image number",
                value=int(self.sections[image]) + 1,
            )

    @classmethod
    def of_files(cls, paths: Sequence[str | Path]) -> FileImageStack:
        """All images of some files, one file after the other."""
        headers = tuple(read_header(path) for path in paths)
        depths = [header.shape[0] for header in headers]
        return cls(
            headers,
            np.repeat(np.arange(len(headers)), depths),
            np.concatenate([np.arange(depth) for depth in depths]),
        )

    @property
    def box(self) -> int:
        """Side of the square images, px."""
        return self.headers[0].shape[2]

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel as the headers have it; None where they are silent or disagree."""
        sizes = [header.pixel_size[0] for header in self.headers if header.pixel_size]
        if not sizes or max(sizes) - min(sizes) > PIXEL_SIZE_TOLERANCE * min(sizes):
            return None
        return sizes[0]

    def __len__(self) -> int:
        return len(self.sections)

    def at(self, positions: npt.NDArray[np.int64]) -> FileImageStack:
        """The stack of the images at the given positions; no file is touched."""
        return FileImageStack(self.headers, self.file_numbers[positions], self.sections[positions])

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images at the given positions, in that order.

        Reads file by file and within a file from front to back, neighbours in one go.

        Parameters
        ----------
        positions : (n,) int array
            Positions in this stack; repetitions are allowed.

        Returns
        -------
        (n, box, box) float32 array

        Raises
        ------
        InputError
            Where a file is gone, or has become shorter than it was.
        """
        positions = np.asarray(positions, dtype=np.int64).reshape(-1)
        files, sections = self.file_numbers[positions], self.sections[positions]
        images = np.empty((len(positions), self.box, self.box), np.float32)
        order = np.lexsort((sections, files))
        if not len(order):
            return images
        for places in np.split(order, np.flatnonzero(np.diff(files[order])) + 1):
            _read_into(images, places, self.headers[files[places[0]]], sections[places])
        return images


@dataclass(frozen=True, eq=False)
class FileSections:
    """Sections of one MRC file of whatever shape, read when they are asked for.

    Not mapped into memory: where a mapped file becomes shorter, or its disk goes, the system
    ends the program that looks at it.
    """

    header: StackHeader

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sections, rows, columns."""
        return self.header.shape

    def __len__(self) -> int:
        return self.header.shape[0]

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Sections at the given positions, (n, rows, columns), as `FileImageStack.read` does."""
        images = np.empty((len(positions), *self.shape[1:]), np.float32)
        order = np.argsort(positions, kind="stable")
        _read_into(images, order, self.header, np.asarray(positions)[order])
        return images


@dataclass(frozen=True, eq=False)
class ArrayImageStack:
    """Images held in memory.

    Parameters
    ----------
    images : (N, box, box) float32 array
        The images.
    pixel_size : float or None
        Å per pixel; None where it is not known.
    """

    images: npt.NDArray[np.float32]
    pixel_size: float | None = None

    def __post_init__(self) -> None:
        _, rows, columns = self.images.shape
        if rows != columns or rows % 2:
            raise InputError(
                "images must be square with an even side", field="image size", value=(columns, rows)
            )

    @property
    def box(self) -> int:
        """Side of the square images, px."""
        return int(self.images.shape[1])

    def __len__(self) -> int:
        return len(self.images)

    def at(self, positions: npt.NDArray[np.int64]) -> ArrayImageStack:
        """The stack of the images at the given positions."""
        return ArrayImageStack(self.images[positions], self.pixel_size)

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images at the given positions, (n, box, box), in that order."""
        return np.array(self.images[positions], dtype=np.float32)


def check_images(images: ImageStack, chunk: int = 256) -> Task[None]:
    """Read every image once and make sure that all pixels are numbers.

    Parameters
    ----------
    images : ImageStack
        The stack.
    chunk : int
        Images read at a time.

    Yields
    ------
    Progress
        Images checked.

    Raises
    ------
    InputError
        Naming the first image with NaN or infinite pixels, or the file that is too short.
    """
    watch = Stopwatch(len(images))
    for start in range(0, len(images), chunk):
        positions = np.arange(start, min(start + chunk, len(images)))
        finite = np.isfinite(images.read(positions)).all(axis=(1, 2))
        if not finite.all():
            _report_bad_image(images, int(positions[np.argmin(finite)]))
        done = start + len(positions)
        yield Progress(done, len(images), "checking images", watch.seconds_left(done))


def _report_bad_image(images: ImageStack, position: int) -> None:
    file = where = None
    if isinstance(images, FileImageStack):
        file = images.headers[images.file_numbers[position]].path
        where = int(images.sections[position]) + 1
    raise InputError(
        f"image {position + 1} of {len(images)} has NaN or infinite pixels",
        file=file,
        field=None if where is None else "image number",
        value=where,
        hint="Leave it out with an index file, or extract it again",
    )


def _check_box(header: StackHeader, first: StackHeader) -> None:
    _, rows, columns = header.shape
    if rows != columns:
        raise InputError(
            "particle images must be square",
            file=header.path,
            field="image size",
            value=f"{columns} x {rows}",
        )
    if rows % 2:
        raise InputError(
            "the box size must be even",
            file=header.path,
            field="box",
            value=rows,
            hint="Crop or pad the images to an even box",
        )
    if rows != first.shape[1]:
        raise InputError(
            f"image sizes differ: {first.path.name} has a box of {first.shape[1]}",
            file=header.path,
            field="box",
            value=rows,
        )


def _runs(sections: npt.NDArray[np.int64], longest: int) -> Iterator[tuple[int, slice]]:
    """Stretches of consecutive numbers in ascending ones: first number, and where they stand."""
    breaks = np.flatnonzero(np.diff(sections) != 1) + 1
    edges = [0, *breaks.tolist(), len(sections)]
    for start, stop in itertools.pairwise(edges):
        for begin in range(start, stop, longest):
            yield int(sections[begin]), slice(begin, min(begin + longest, stop))


def _read_into(
    images: npt.NDArray[np.float32],
    places: npt.NDArray[np.int64],
    header: StackHeader,
    sections: npt.NDArray[np.int64],
) -> None:
    """Read ascending sections of one file into their places among the images."""
    longest = max(1, READ_BYTES // header.section_bytes)
    with _opened(header.path) as file:
        for first, run in _runs(sections, longest):
            images[places[run]] = _read_sections(file, header, first, run.stop - run.start)


def _opened(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path)
    except OSError as error:
        raise InputError(f"it cannot be read any more ({error.strerror})", file=path) from error


def _read_sections(
    file: io.FileIO, header: StackHeader, first: int, count: int
) -> npt.NDArray[np.generic]:
    pixels = np.empty((count, *header.shape[1:]), header.dtype)
    unread = pixels.reshape(-1).view(np.uint8).data
    try:
        file.seek(header.offset + first * header.section_bytes)
        # One call may give less than was asked for.
        while len(unread) and (n := file.readinto(unread)):
            unread = unread[n:]
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", file=header.path) from error
    if len(unread):
        raise InputError(
            f"the file ends {len(unread)} bytes before image {first + count} does",
            file=header.path,
        )
    return pixels
