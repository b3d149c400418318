"""What every particle table offers, whatever its format.

``star``, ``cs`` and ``txt`` read one format each into an object with these
members; ``import_particles`` needs no more of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.particles import CTFParameters, Poses, SourceTable


@dataclass(frozen=True, eq=False)
class ImageReferences:
    """Where each particle's image lies: a file, as the table writes it, and a section of it.

    Parameters
    ----------
    files : tuple of str
        Distinct file names as written.
    file_numbers : (N,) int64 array
        For each particle the position of its file in `files`.
    sections : (N,) int64 array
        For each particle the section within the file, 0-based.
    """

    files: tuple[str, ...]
    file_numbers: npt.NDArray[np.int64]
    sections: npt.NDArray[np.int64]

    @classmethod
    def of_rows(cls, files: Iterable[str], sections: npt.NDArray[np.integer]) -> ImageReferences:
        """References from one file name for each particle."""
        numbers, distinct = pd.factorize(np.asarray(list(files), dtype=object))
        return cls(
            tuple(map(str, distinct)), numbers.astype(np.int64), np.asarray(sections, np.int64)
        )

    def __len__(self) -> int:
        return len(self.sections)

    def at(self, rows: npt.NDArray[np.int64]) -> ImageReferences:
        """References of some rows, and to the files that these need."""
        used, numbers = np.unique(self.file_numbers[rows], return_inverse=True)
        return ImageReferences(
            tuple(self.files[number] for number in used),
            numbers.astype(np.int64),
            self.sections[rows],
        )

    def fingerprint(self) -> str:
        """Digest of image names and their order; the same wherever the folder is moved."""
        return fingerprint_of(
            "\0".join(self.files).encode(),
            self.file_numbers.astype("<i8").tobytes(),
            self.sections.astype("<i8").tobytes(),
        )


class ParticleTable(Protocol):
    """A table file, read; none of its images has been opened."""

    @property
    def source(self) -> SourceTable:
        """Path, kind, number of rows, fingerprint."""

    @property
    def references(self) -> ImageReferences:
        """Where the images lie."""

    @property
    def metadata(self) -> pd.DataFrame:
        """Every column of the table, by our names where we know them."""

    @property
    def box(self) -> int | None:
        """Side of the images that the table was made for, px; None where it is silent."""

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel of those images; None where the table is silent."""

    @property
    def tilt_series(self) -> str | None:
        """Why the rows are views of tilt series, not single particles; None where they are not."""

    def poses(self, box: int) -> Poses | None:
        """Poses; `box` is used where the table itself names none. None without angles."""

    def ctf(
        self, box: int, pixel_size: float | None, defaults: Mapping[str, float]
    ) -> CTFParameters | None:
        """CTF parameters; arguments stand in for what the table lacks. None without defocus."""


def fingerprint_of(*parts: bytes) -> str:
    """Hex digest of some bytes in order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def renamed(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """The frame with our column names where we know them; never two columns of one name."""
    taken = set(frame.columns)
    chosen = {old: new for old, new in names.items() if old in taken and new not in taken}
    # Of two names for the same thing the first listed wins.
    first: dict[str, str] = {}
    for old, new in chosen.items():
        if new not in first.values():
            first[old] = new
    return frame.rename(columns=first)


def seven_digits(value: float) -> float:
    """A number from a float32 table as people wrote it: 2.95, not 2.9500000476837."""
    return float(f"{value:.7g}")
