"""Particles as a file for other programs: rows of their own table, or indices into it.

A table is never written anew from what we know of it: the rows that are not
wanted are left out, and all else stays as the other program wrote it. What was
written is read again and compared before the file takes its name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.cs import CryoSparcTable, read_cs
from napari_cryodrgn.io.cs_rows import copy_cs_rows
from napari_cryodrgn.io.particle_table import ParticleTable
from napari_cryodrgn.io.pickles import read_indices, write_indices
from napari_cryodrgn.io.star import StarTable, read_star
from napari_cryodrgn.io.star_rows import copy_star_rows
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import Progress, Task

ExportKind = Literal["star", "cs", "pkl"]
KINDS: tuple[ExportKind, ...] = ("star", "cs", "pkl")

HASHED_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class ExportedFile:
    """A file of particles that was written, read again and found right.

    Parameters
    ----------
    path : Path
        Where it is.
    kind : {"star", "cs", "pkl"}
        What it is.
    n_particles : int
        How many rows or indices it has.
    sha256 : str
        Digest of its content.
    """

    path: Path
    kind: ExportKind
    n_particles: int
    sha256: str


def export_kind(path: Path) -> ExportKind:
    """What a file is to be, by its ending.

    Raises
    ------
    InputError
        Where the ending is none that particles are exported to.
    """
    ending = path.suffix.lower().removeprefix(".")
    for kind in KINDS:
        if ending == kind:
            return kind
    raise InputError(
        "particles are exported to .star (RELION), .cs (cryoSPARC) or .pkl (cryoDRGN's indices)",
        file=path,
        field="ending",
        value=path.suffix,
    )


def write_particles(
    path: Path, rows: ParticleRows, table: ParticleTable | None
) -> Task[ExportedFile]:
    """Write particles to a file, whole or not at all.

    Parameters
    ----------
    path : Path
        Target; its ending says what it becomes.
    rows : ParticleRows
        Which rows of the table; they are written in the table's order.
    table : ParticleTable or None
        The table, as read from its file; not needed for indices.

    Raises
    ------
    InputError
        Where there are no rows, the table is of another kind than the target or not that of the
        rows, writing fails, or what was written is not what was wanted.
    """
    kind = export_kind(path)
    if not len(rows):
        raise InputError("the selection has no particles; nothing was written", file=path)
    ascending = ParticleRows(np.sort(rows.rows), rows.n_source, rows.fingerprint)
    if kind == "pkl":
        yield Progress(0, None, f"Writing {len(rows):,} indices")
        write_indices(path, ascending)
        written = read_indices(path, rows.n_source, rows.fingerprint)
        if written != ascending:
            raise InputError("what was written is not what was to be written", file=path)
    else:
        yield from _write_rows(path, kind, ascending, table)
    yield Progress(0, None, f"Checking {path.name}")
    return ExportedFile(path, kind, len(rows), file_digest(path))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(HASHED_AT_ONCE):
            digest.update(part)
    return digest.hexdigest()


def _write_rows(
    path: Path, kind: ExportKind, rows: ParticleRows, table: ParticleTable | None
) -> Task[None]:
    if table is None or table.source.kind != kind:
        have = "is not known" if table is None else f"is {table.source.path.name}"
        raise InputError(
            f"the particles' own table {have}, of which no .{kind} can be made by taking out rows",
            file=path,
            hint=f"Name the original .{kind} file with --table, or export to "
            f".{'pkl' if table is None else table.source.kind}",
        )
    source = table.source
    if source.n_rows != rows.n_source:
        raise InputError(
            f"the selection is of a table of {rows.n_source} rows, and this one has "
            f"{source.n_rows}",
            file=source.path,
        )
    if path.exists() and path.samefile(source.path):
        raise InputError("this is the original table; choose another name", file=path)
    check: Any = None
    copied: Task[None]
    if isinstance(table, StarTable):
        check = partial(_check_star, table, rows.rows)
    elif isinstance(table, CryoSparcTable):
        check = partial(_check_cs, table, rows.rows)
    with replacing(path, check) as file:
        if isinstance(table, StarTable):
            copied = copy_star_rows(source.path, rows.rows, source.n_rows, file)
        else:
            copied = copy_cs_rows(source.path, rows.rows, file)
        yield from copied
        yield Progress(0, None, f"Reading {path.name} again")


def _check_star(table: StarTable, rows: npt.NDArray[np.int64], written: Path) -> None:
    found = read_star(written).columns
    wanted = table.columns.iloc[rows].reset_index(drop=True)
    # Numbers written as text keep their value but may be read as another type: a column of
    # which the only decimal point is in a row that was left out is read as whole numbers.
    same = len(found) == len(wanted) and list(found) == list(wanted)
    if not same or not all(_same_values(found[name], wanted[name]) for name in wanted):
        raise _not_as_wanted(table.source.path)


def _same_values(found: Any, wanted: Any) -> bool:
    if found.dtype != wanted.dtype:
        numeric = found.dtype.kind in "iufb" and wanted.dtype.kind in "iufb"
        found, wanted = (v.astype(float if numeric else str) for v in (found, wanted))
    return bool(found.equals(wanted))


def _check_cs(table: CryoSparcTable, rows: npt.NDArray[np.int64], written: Path) -> None:
    found = read_cs(written).fields
    wanted = table.fields[rows]
    if found.dtype != wanted.dtype or found.tobytes() != wanted.tobytes():
        raise _not_as_wanted(table.source.path)


def _not_as_wanted(source: Path) -> InputError:
    return InputError(
        "what was read back from the copy is not what this table has in these rows: it may have "
        "changed meanwhile. Nothing was written",
        file=source,
    )
