"""Particles of a run, and the rest of them, as files that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic

from napari_cryodrgn import __version__
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.particle_table import (
    ExportedFile,
    export_kind,
    file_digest,
    write_particles,
)
from napari_cryodrgn.export.row_match import RowMatch, match_rows
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.import_particles import read_table
from napari_cryodrgn.io.particle_table import ParticleTable
from napari_cryodrgn.io.star import StarTable
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.training.source import read_run_source
from napari_cryodrgn.workflows.open_run import OpenRun
from napari_cryodrgn.workflows.run_inputs import UNKNOWN_TABLE

By = Literal["particle", "tilt"]

RECIPE_ENDING = ".json"


class ExportRecipe(pydantic.BaseModel):
    """What was exported, from where, and how it was chosen; written beside the files.

    Parameters
    ----------
    software : str
        Name and version of the program.
    written : str
        When (UTC, ISO 8601).
    run : str
        Folder of the run.
    epoch : int or None
        The epoch whose latent space was looked at.
    table : str or None
        Table whose rows were kept; None for indices alone.
    table_sha256 : str or None
        Digest of its content.
    table_fingerprint : str
        Digest of its image names and their order.
    table_rows : int
        Rows in it.
    run_particles : int
        Particles in the run.
    made : str
        How the selection was made.
    notes : tuple of str
        How the particles were found in the table.
    files : tuple of ExportedFile
        What was written.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    software: str
    written: str
    run: str
    epoch: int | None
    table: str | None
    table_sha256: str | None
    table_fingerprint: str
    table_rows: int
    run_particles: int
    made: str
    notes: tuple[str, ...]
    files: tuple[ExportedFile, ...]


@dataclass(frozen=True)
class ParticleExport:
    """What an export has written.

    Parameters
    ----------
    files : tuple of ExportedFile
        The selection, and its inverse where that was wanted and is not empty.
    recipe : Path
        The JSON file beside them.
    notes : tuple of str
        What a person should know of it.
    """

    files: tuple[ExportedFile, ...]
    recipe: Path
    notes: tuple[str, ...]


def export_particles(
    run: OpenRun,
    chosen: ParticleRows,
    out: str | Path,
    *,
    inverse: str | Path | None = None,
    table: str | Path | None = None,
    by: By = "particle",
    made: str = "",
) -> Task[ParticleExport]:
    """Export particles of a run, and the run's other particles.

    Parameters
    ----------
    run : OpenRun
        The run.
    chosen : ParticleRows
        Which of its particles.
    out : path-like
        Target: ``.star``, ``.cs`` or ``.pkl``.
    inverse : path-like, optional
        Target for the run's other particles.
    table : path-like, optional
        Another table to take rows from than the run's own: the original one, where the run was
        trained on downsampled images or the table has moved.
    by : {"particle", "tilt"}
        What the indices of tilt series count. Tables always keep all tilts of a particle.
    made : str
        How the selection was made, for the record.

    Returns
    -------
    ParticleExport
        After each file was counted and read again.

    Raises
    ------
    InputError
        Where the selection is empty or not of this run, the table is missing or another one, or
        a file cannot be written; each target is then whole or as it was.
    """
    target = Path(out).expanduser().absolute()
    targets = [target] + ([] if inverse is None else [Path(inverse).expanduser().absolute()])
    kinds = {export_kind(path) for path in targets}
    if len(set(targets)) < len(targets):
        raise InputError("selection and inverse need two files", file=target, field="--inverse")
    parts = _parts(run, chosen, len(targets))
    needs_table = kinds != {"pkl"} or table is not None or by == "tilt"
    found: ParticleTable | None = None
    if needs_table:
        yield Progress(0, None, "Reading the particle table")
        found = _table(run, table)
    yield Progress(0, None, "Finding the particles")
    matches = [_find(run, rows, found, table is not None) for rows in parts]
    notes = list(dict.fromkeys(note for match in matches for note in match.notes))
    files: list[ExportedFile] = []
    with making_folders(*{path.parent for path in targets}):
        for path, match in zip(targets, matches, strict=False):
            rows = match.rows
            if found is not None and _is_tilt_series(run, found):
                tilts = _tilts(found, rows)
                rows = rows if export_kind(path) == "pkl" and by == "particle" else tilts
            files.append((yield from write_particles(path, rows, found)))
        notes += _remarks(run, chosen, found, len(targets))
        notes += _image_folder_remark(found, targets[0])
        recipe = target.with_name(target.name + RECIPE_ENDING)
        write_text(recipe, _recipe(run, files, found, made, notes, parts[0]) + "\n")
    return ParticleExport(tuple(files), recipe, tuple(notes))


def inverse_name(out: Path) -> Path:
    """Name of the file of the other particles: ``kept.star`` → ``kept_inverse.star``."""
    return out.with_name(f"{out.stem}_inverse{out.suffix}")


def _parts(run: OpenRun, chosen: ParticleRows, n_targets: int) -> list[ParticleRows]:
    """The selection, and the rest of the run where that is wanted and not empty."""
    if run.latent is None:
        raise InputError("this run has no latent space of particles", file=run.folder.path)
    every = run.latent.rows
    if every.fingerprint == UNKNOWN_TABLE:
        raise InputError(
            "the indices (ind) that this run was trained with are missing, so that nobody can say "
            "which particles of its table they are",
            file=run.folder.path,
            field="ind",
        )
    if not len(chosen):
        raise InputError("the selection has no particles; nothing was written")
    positions = every.positions_of(chosen)
    rest = np.ones(len(every), dtype=bool)
    rest[positions] = False
    others = every.at(np.flatnonzero(rest))
    return [every.at(np.sort(positions)), others][: n_targets if len(others) else 1]


def _table(run: OpenRun, named: str | Path | None) -> ParticleTable:
    """The table to take rows from."""
    if named is not None:
        return read_table(Path(named).expanduser())
    path = run.files.get("particles")
    if path is None:
        raise InputError(
            "the table of this run's particles is missing",
            file=_recorded_path(run) or run.folder.path,
            field="particles",
            hint=f"It had {_recorded_digest(run)}. Say where it is now with --table FILE",
        )
    return read_table(path)


def _recorded_path(run: OpenRun) -> Path | None:
    return Path(read_run_source(run.folder.source).path) if run.folder.source.is_file() else None


def _recorded_digest(run: OpenRun) -> str:
    if not run.folder.source.is_file():
        return f"{0 if run.latent is None else run.latent.rows.n_source} rows"
    source = read_run_source(run.folder.source)
    return f"{source.n_rows} rows, checksum {source.fingerprint}"


def _find(run: OpenRun, rows: ParticleRows, table: ParticleTable | None, named: bool) -> RowMatch:
    if table is None:
        return RowMatch(rows)
    if _is_tilt_series(run, table):
        return RowMatch(_groups(rows, table))
    source = table.source
    if not named and rows.fingerprint and rows.fingerprint != source.fingerprint:
        raise InputError(
            "this table has changed since the run was trained on it: "
            f"its checksum was {rows.fingerprint} and is {source.fingerprint}, it had "
            f"{rows.n_source} rows and has {source.n_rows}",
            file=source.path,
            hint="Say where the original is with --table FILE",
        )
    return match_rows(rows, _known(run, rows), _own_table(run, source.path), table)


def _known(run: OpenRun, rows: ParticleRows) -> pd.DataFrame | None:
    latent = run.latent
    if latent is None:
        return None
    return latent.columns.iloc[latent.rows.positions_of(rows)].reset_index(drop=True)


def _own_table(run: OpenRun, target: Path) -> ParticleTable | None:
    """The run's own table, to compare names with another one."""
    path = run.files.get("particles")
    if path is None or path == target:
        return None
    try:
        return read_table(path)
    except InputError:
        return None  # without it the rows are compared by what the run knows of them


def _is_tilt_series(run: OpenRun, table: ParticleTable) -> bool:
    return run.config is not None and run.config.tilt_series and table.tilt_series is not None


def _tilt_groups(table: ParticleTable) -> npt.NDArray[np.int64]:
    """For each row which particle it is a tilt of, numbered by first appearance as cryoDRGN does.

    RELION 5 keeps all tilts of a particle in one row.
    """
    if isinstance(table, StarTable) and "rlnTomoVisibleFrames" not in table.columns:
        numbers, _ = pd.factorize(table.columns["rlnGroupName"])
        return np.asarray(numbers, dtype=np.int64)
    return np.arange(table.source.n_rows, dtype=np.int64)


def _groups(rows: ParticleRows, table: ParticleTable) -> ParticleRows:
    """Particles of a run on tilt series, whose rows count particles, made sure to be there."""
    n = int(_tilt_groups(table).max()) + 1
    if int(rows.rows.max()) >= n:
        raise InputError(
            f"it has {n} tilt series, and the run has a particle of number {int(rows.rows.max())}",
            file=table.source.path,
        )
    return ParticleRows(rows.rows, n, "")


def _tilts(table: ParticleTable, particles: ParticleRows) -> ParticleRows:
    """All rows of some tilt series, in the table's order."""
    chosen = np.flatnonzero(np.isin(_tilt_groups(table), particles.rows))
    return ParticleRows(chosen, table.source.n_rows, table.source.fingerprint)


def _remarks(
    run: OpenRun, chosen: ParticleRows, table: ParticleTable | None, n_targets: int
) -> list[str]:
    notes = []
    refined = run.folder.poses(run.epoch)
    if table is not None and refined.is_file():
        notes.append(
            f"angles and shifts in it are those of {table.source.path.name}; those that the run "
            f"has refined are in {refined.name}, in the order of the run's particles"
        )
    if table is not None:
        references = table.references
        names = pd.MultiIndex.from_arrays([references.file_numbers, references.sections])
        if not names.is_unique and not _is_tilt_series(run, table):
            notes.append(
                f"{int(names.duplicated().sum()):,} rows of {table.source.path.name} name an image "
                "that another row names too; programs that match particles by name cannot tell "
                "them apart"
            )
    if n_targets > 1 and run.latent is not None and len(chosen) == len(run.latent):
        notes.append("every particle of the run is selected: there is no inverse to write")
    return notes


def _image_folder_remark(table: ParticleTable | None, out: Path) -> list[str]:
    """What to tell programs that look for images beside the table, where that is another folder."""
    if table is None or export_kind(out) == "pkl":
        return []
    here, first = table.source.path.parent, table.references.files[0]
    if (out.parent / first).exists() or not (here / first).exists() or Path(first).is_absolute():
        return []
    return [f"image paths in it count from {here}: give this folder as --datadir"]


def _recipe(
    run: OpenRun,
    files: list[ExportedFile],
    table: ParticleTable | None,
    made: str,
    notes: list[str],
    rows: ParticleRows,
) -> str:
    source = None if table is None else table.source
    return ExportRecipe(
        software=f"napari-cryodrgn {__version__}",
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        run=str(run.folder.path),
        epoch=run.epoch,
        table=None if source is None else str(source.path),
        table_sha256=None if source is None else file_digest(source.path),
        table_fingerprint=rows.fingerprint if source is None else source.fingerprint,
        table_rows=rows.n_source if source is None else source.n_rows,
        run_particles=0 if run.latent is None else len(run.latent),
        made=made,
        notes=tuple(notes),
        files=tuple(files),
    ).model_dump_json(indent=2)
