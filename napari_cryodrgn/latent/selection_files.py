"""Selections in files: all of a run's in its folder, and one at a time to pass on.

What is written down are rows of the particle table and the table's fingerprint, never
bare positions, so that a file cannot be taken for one of other particles.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pydantic

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, replacing, write_text
from napari_cryodrgn.io.checks import read_json, require_file
from napari_cryodrgn.io.npy import read_npy
from napari_cryodrgn.io.pickles import read_indices, write_indices
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_marks import JunkMarks
from napari_cryodrgn.latent.selection_state import KeptSelection, SelectionState
from napari_cryodrgn.particles import ParticleRows

Model = TypeVar("Model", bound=pydantic.BaseModel)

ALL_SELECTIONS = "selections.json"
OWN_ENDING, INDICES_ENDING = ".json", ".pkl"


class SavedSelection(pydantic.BaseModel):
    """A selection in a file; `bits` is the base64 text of a compressed bit for each particle."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: str
    colour: str
    note: str = ""
    made: str = ""
    count: int
    bits: str


class SelectionFile(SavedSelection):
    """One selection to pass on; a bit for each row of the particle table."""

    format: Literal["napari-cryodrgn selection"] = "napari-cryodrgn selection"
    version: Literal[1] = 1
    n_source: int = pydantic.Field(ge=0)
    fingerprint: str


class RunSelections(pydantic.BaseModel):
    """All selections of a run; a bit for each of its particles, in its order.

    Parameters
    ----------
    n_source, fingerprint
        The particle table.
    n_particles : int
        Particles of the run.
    rows : str or None
        Name, beside this file, of the array of their rows; None for all rows in order.
    rows_digest : str
        Digest of that array.
    working : SavedSelection
        What is selected.
    named : tuple of SavedSelection
        Those with names.
    good, bad : SavedSelection, optional
        Those marked by hand as examples of good particles and of junk.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    format: Literal["napari-cryodrgn selections"] = "napari-cryodrgn selections"
    version: Literal[1] = 1
    n_source: int = pydantic.Field(ge=0)
    fingerprint: str
    n_particles: int = pydantic.Field(ge=0)
    rows: str | None
    rows_digest: str
    working: SavedSelection
    named: tuple[SavedSelection, ...] = ()
    good: SavedSelection | None = None
    bad: SavedSelection | None = None


@dataclass(frozen=True, eq=False)
class ReadSelection:
    """A selection read from a file, over the particles that it was asked for.

    Parameters
    ----------
    name, colour, note, made : str
        As in the file; of a list of indices the file's name, and else "".
    mask : (N,) bool array
        Over the particles asked for.
    """

    name: str
    colour: str
    note: str
    made: str
    mask: npt.NDArray[np.bool_]


def write_run_selections(folder: Path, state: SelectionState) -> None:
    """Save all selections of a run, whole or not at all.

    Parameters
    ----------
    folder : Path
        ``RunFolder.selections``; made where it is missing.
    state : SelectionState

    Raises
    ------
    InputError
        Where it cannot be written; what was saved before then stays.
    """
    rows = state.rows
    digest = _rows_digest(rows)
    name = None if _is_every(rows) else f"rows-{digest[:16]}.npy"
    with making_folders(folder):
        if name is not None and not (folder / name).is_file():
            with replacing(folder / name) as file:
                np.save(file, rows.rows)
        marks = None if state.marks == JunkMarks.none(len(rows)) else state.marks
        content = RunSelections(
            n_source=rows.n_source,
            fingerprint=rows.fingerprint,
            n_particles=len(rows),
            rows=name,
            rows_digest=digest,
            working=_saved(_unnamed("working", state.working, state.made)),
            named=tuple(map(_saved, state.named)),
            good=_saved(_unnamed("good", marks.good_bits)) if marks else None,
            bad=_saved(_unnamed("bad", marks.bad_bits)) if marks else None,
        )
        write_text(folder / ALL_SELECTIONS, content.model_dump_json(indent=1) + "\n")


def read_run_selections(folder: Path, rows: ParticleRows) -> SelectionState | None:
    """Read what was saved of a run.

    Parameters
    ----------
    folder : Path
        ``RunFolder.selections``.
    rows : ParticleRows
        The particles of the run.

    Returns
    -------
    SelectionState or None
        Over the particles that it was saved for; None where nothing was.

    Raises
    ------
    InputError
        Where it is damaged, or speaks of another particle table.
    """
    path = folder / ALL_SELECTIONS
    if not path.exists():
        return None
    content = _read(path, RunSelections)
    # Before anything is made in the size that the file tells.
    _require_same_table(rows, content.n_source, content.fingerprint, path)
    saved = _rows_of(content, folder)
    named = tuple(
        KeptSelection(one.name, one.colour, one.note, one.made, _packed(one, len(saved), path))
        for one in content.named
    )
    working = _packed(content.working, len(saved), path)
    marks = JunkMarks.none(len(saved))
    if content.good is not None and content.bad is not None:
        good, bad = (_packed(one, len(saved), path) for one in (content.good, content.bad))
        marks = JunkMarks(good, bad)
        if (marks.good & marks.bad).any():
            raise InputError("particles are marked both good and bad", file=path)
    return SelectionState(saved, working, content.working.made, named, marks)


def write_selection(
    path: str | Path,
    rows: ParticleRows,
    mask: npt.NDArray[np.bool_],
    *,
    name: str = "",
    colour: str = "#e69f00",
    note: str = "",
    made: str = "",
) -> ParticleRows:
    """Write one selection, to load elsewhere.

    Parameters
    ----------
    path : path-like
        ``.pkl`` for cryoDRGN's ``ind.pkl``: rows of the particle table, in the order of the
        run. ``.json`` for a file of ours, which also knows the table, name and note.
    rows : ParticleRows
        The N particles of the run.
    mask : (N,) bool array
        Which of them.
    name, colour, note, made : str
        Kept in a file of ours; the name is the file's where none is given.

    Returns
    -------
    ParticleRows
        What was written.

    Raises
    ------
    InputError
        Where nothing is selected, the mask has another length, the ending is another one,
        or the file cannot be written; nothing is written then.
    """
    path = Path(path)
    if path.suffix not in (OWN_ENDING, INDICES_ENDING):
        raise InputError(
            f"a selection is written as {INDICES_ENDING} (cryoDRGN's indices) or {OWN_ENDING}",
            file=path,
        )
    if np.shape(mask) != (len(rows),):
        raise InputError(
            f"the selection has {np.size(mask)} entries where there are {len(rows)} particles",
            file=path,
        )
    chosen = rows.at(np.flatnonzero(mask))
    if not len(chosen):
        raise InputError("no particle is selected; nothing was written", file=path)
    if path.suffix == INDICES_ENDING:
        write_indices(path, chosen)
        return chosen
    table = np.zeros(rows.n_source, np.bool_)
    table[chosen.rows] = True
    content = SelectionFile(
        name=name or path.stem,
        colour=colour,
        note=note,
        made=made,
        count=len(chosen),
        bits=_text(PackedMask.of(table)),
        n_source=rows.n_source,
        fingerprint=rows.fingerprint,
    )
    write_text(path, content.model_dump_json(indent=1) + "\n")
    return chosen


def read_selection(
    path: str | Path, rows: ParticleRows, *, missing: Literal["refuse", "leave out"] = "refuse"
) -> ReadSelection:
    """Read one selection, of ours or cryoDRGN's ``ind.pkl``.

    Parameters
    ----------
    path : path-like
        The file; ``.pkl`` are indices, everything else is ours.
    rows : ParticleRows
        The N particles to select from.
    missing : {"refuse", "leave out"}
        What to do where the selection has particles that are not among them, as one made
        in another run on the same table may have.

    Returns
    -------
    ReadSelection

    Raises
    ------
    InputError
        Where it is missing or damaged, was made on another particle table, or has
        particles that are not among these.
    """
    path = Path(path)
    if path.suffix == INDICES_ENDING:
        chosen = read_indices(path, rows.n_source, rows.fingerprint).rows
        found = ReadSelection(path.stem, "", "", f"file {path.name}", np.zeros(0, np.bool_))
    else:
        content = _read(path, SelectionFile)
        _require_same_table(rows, content.n_source, content.fingerprint, path)
        chosen = np.flatnonzero(_packed(content, content.n_source, path).unpacked())
        found = ReadSelection(
            content.name, content.colour, content.note, content.made, np.zeros(0, np.bool_)
        )
    wanted = np.zeros(rows.n_source, np.bool_)
    wanted[chosen] = True
    mask = wanted[rows.rows]
    absent = len(chosen) - int(np.count_nonzero(mask))
    if absent and missing == "refuse":
        raise InputError(
            f"{absent} of its {len(chosen)} particles are not in this run",
            file=path,
            hint="It was made in another run on the same particle table, or counts other rows",
        )
    return ReadSelection(found.name, found.colour, found.note, found.made, mask)


def _unnamed(what: str, bits: PackedMask, made: str = "") -> KeptSelection:
    return KeptSelection(what, "#ffffff", "", made, bits)


def _saved(kept: KeptSelection) -> SavedSelection:
    return SavedSelection(
        name=kept.name,
        colour=kept.colour,
        note=kept.note,
        made=kept.made,
        count=kept.bits.count,
        bits=_text(kept.bits),
    )


def _text(bits: PackedMask) -> str:
    return base64.b64encode(bits.content).decode("ascii")


def _packed(saved: SavedSelection, n: int, path: Path) -> PackedMask:
    """The mask of a saved selection, checked: a damaged file must not select others."""
    wanted = (n + 7) // 8
    try:
        content = base64.b64decode(saved.bits, validate=True)
        decompressor = zlib.decompressobj()
        length = len(decompressor.decompress(content, wanted + 1))
    except (ValueError, zlib.error) as error:
        raise InputError(f"it is damaged ({error})", file=path, field=saved.name) from error
    packed = PackedMask(n, content)
    if length != wanted or not decompressor.eof or packed.count != saved.count:
        raise InputError(
            f"it is damaged: these are not {saved.count} of {n} particles",
            file=path,
            field=saved.name,
        )
    return packed


def _rows_of(content: RunSelections, folder: Path) -> ParticleRows:
    if content.rows is None:
        rows = ParticleRows.every(content.n_source, content.fingerprint)
    else:
        # A bare name: the file describes what lies beside it, and nothing elsewhere.
        path = folder / Path(content.rows).name
        array = read_npy(path)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError("it is no list of rows", file=path)
        rows = ParticleRows(array, content.n_source, content.fingerprint)
    if len(rows) != content.n_particles or _rows_digest(rows) != content.rows_digest:
        raise InputError(
            "these are not the particles that the selections were made on",
            file=folder / (content.rows or ALL_SELECTIONS),
        )
    return rows


def _require_same_table(rows: ParticleRows, n_source: int, fingerprint: str, path: Path) -> None:
    try:
        rows.require_same_table(ParticleRows(np.zeros(0, np.int64), n_source, fingerprint))
    except InputError as error:
        raise InputError(
            "this selection was made on another particle table: of "
            f"{n_source} rows, fingerprint {fingerprint[:12] or 'unknown'}, where "
            f"this run's has {rows.n_source} and {rows.fingerprint[:12] or 'unknown'}",
            file=path,
        ) from error


def _read(path: Path, model: type[Model]) -> Model:
    require_file(path)
    try:
        content = read_json(path)
    except InputError as error:
        raise InputError(f"this is no file of selections ({error.problem})", file=path) from error
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(
            f"this is no file of selections ({first['msg']})", file=path, field=field
        ) from error


def _is_every(rows: ParticleRows) -> bool:
    return len(rows) == rows.n_source and bool((np.diff(rows.rows) > 0).all())


def _rows_digest(rows: ParticleRows) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows.rows, "<i8").tobytes()).hexdigest()
