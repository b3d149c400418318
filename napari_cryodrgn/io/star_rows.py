"""Some rows of a STAR file, and everything else in it as it is, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task

IMAGE_LABEL = b"_rlnImageName"

REPORT_EVERY = 20_000
"""Lines between two reports: some hundredths of a second."""


@dataclass
class _Table:
    """One table of a STAR file: its labels, and which of the file's lines are its rows."""

    looped: bool
    has_images: bool = False
    rows: list[int] = field(default_factory=list)


def copy_star_rows(
    source: Path, rows: npt.NDArray[np.int64], n_rows: int, target: BinaryIO
) -> Task[None]:
    """Copy a STAR file with only some rows of its particle table.

    The particle table is the longest that has ``_rlnImageName``, as in `io.star.read_star`.
    Other tables, labels, comments, blanks and line ends stay as they are.

    Parameters
    ----------
    source : Path
        The file.
    rows : (K,) int64 array
        Rows to keep, 0-based; they are written in the file's order.
    n_rows : int
        Rows that the table has when read as a table, by which it is made sure that lines and
        rows are the same.
    target : binary file
        Written to.

    Raises
    ------
    InputError
        Where the lines of the file are not its rows one by one.
    """
    yield Progress(0, None, f"Reading {source.name}")
    table = _particle_table(source)
    lines = [] if table is None else table.rows
    if len(lines) != n_rows:
        raise InputError(
            f"it has {len(lines)} lines in its particle table where {n_rows} particles are read; "
            "rows can be taken out only where each has a line of its own",
            file=source,
        )
    keep = np.ones(_n_lines(source), dtype=bool)
    keep[lines] = False
    keep[np.asarray(lines, dtype=np.int64)[rows]] = True
    with source.open("rb") as file:
        for number, line in enumerate(file):
            if keep[number]:
                target.write(line)
            if number % REPORT_EVERY == 0:
                yield Progress(number, len(keep), f"Writing {len(rows):,} particles")


def _particle_table(source: Path) -> _Table | None:
    tables = [table for table in _tables(source) if table.has_images and table.rows]
    return max(tables, key=lambda table: len(table.rows), default=None)


def _tables(source: Path) -> Iterator[_Table]:
    """The tables of a file, of which rows are the lines after the labels of a loop.

    A blank line, or a new block, ends the rows. A table without loop has its one row in the
    lines of its labels, which cannot be taken out one by one: it counts as one row, its first.
    """
    table: _Table | None = None
    with source.open("rb") as file:
        for number, line in enumerate(file):
            words = line.split(None, 1)
            if not words or words[0].startswith(b"#"):
                # Between labels blank lines mean nothing; after the first row they end a loop.
                if not words and table is not None and table.looped and table.rows:
                    yield table
                    table = None
                continue
            first = words[0]
            if first.startswith(b"data_") or first == b"loop_":
                if table is not None:
                    yield table
                table = _Table(looped=first == b"loop_")
            elif table is None:
                continue
            elif first.startswith(b"_") and not (table.looped and table.rows):
                table.has_images |= first == IMAGE_LABEL
                if not table.looped and not table.rows:
                    table.rows.append(number)
            elif table.looped:
                table.rows.append(number)
    if table is not None:
        yield table


def _n_lines(source: Path) -> int:
    with source.open("rb") as file:
        return sum(1 for _ in file)
