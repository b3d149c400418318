"""Columns to colour by, from the tables of particles whose images are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.io.import_particles import read_table
from napari_cryodrgn.io.particle_table import ParticleTable
from napari_cryodrgn.io.pickles import read_array, read_ctf, read_indices, read_poses
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses
from napari_cryodrgn.workflows.findings import Problem, RunInputs


def read_tables(
    config: RunConfig, n: int | None, found: RunInputs, image_folder: Path | None
) -> None:
    """Take from the tables that are there what they say of a run's particles.

    Parameters
    ----------
    config : RunConfig
        Configuration of the run.
    n : int or None
        Particles in its latents.
    found : RunInputs
        Has the files; given rows, metadata, pixel size and problems.
    image_folder : Path or None
        The folder of images that the configuration names.
    """
    parts: list[pd.DataFrame] = []
    if "particles" in found.files and not config.tilt_series:
        table = found.attempt(
            "The particle table cannot be used",
            read_table,
            found.files["particles"],
            image_folder,
        )
        if table is not None:
            parts += _table_columns(table, config, n, found)
    tables: dict[str, Poses | CTFParameters] = {}
    readers: dict[str, Callable[[Path], Poses | CTFParameters]] = {
        "poses": read_poses,
        "ctf": read_ctf,
    }
    for option, reader in readers.items():
        if option in found.files:
            read = found.attempt(f"The {option} cannot be used", reader, found.files[option])
            if read is not None:
                tables[option] = read
    if found.rows is None and "ind" in found.files:
        longest = max(map(len, tables.values()), default=0)
        found.rows = found.attempt(
            "The indices cannot be used", _rows_of_missing_table, found.files["ind"], longest, n
        )
    if n is None:
        _note_pixel_size(found, config.box, tables.get("ctf"))
        return
    for option, rows in tables.items():
        columns = found.attempt(
            f"The {option} cannot be used", _columns, rows, n, found.rows, config.box, option
        )
        if columns is not None:
            _note_pixel_size(found, config.box, rows)
            parts = [part.drop(columns=columns.columns, errors="ignore") for part in parts]
            parts.append(columns)
    if parts:
        found.metadata = pd.concat(parts, axis=1)


def _table_columns(
    table: ParticleTable, config: RunConfig, n: int | None, found: RunInputs
) -> list[pd.DataFrame]:
    """Columns of the run's particles in their table, whose images are not there."""
    source = table.source
    rows = found.rows
    if rows is None and "ind" in found.files:
        rows = found.attempt(
            "The indices cannot be used",
            read_indices,
            found.files["ind"],
            source.n_rows,
            source.fingerprint,
        )
    elif rows is None and config.ind is None:
        rows = ParticleRows.every(source.n_rows, source.fingerprint)
    if rows is None or n is None:
        return []
    if len(rows) != n or rows.n_source != source.n_rows:
        found.problems.append(
            Problem(
                f"The particle table {source.path} is not that of the run: it has "
                f"{source.n_rows} rows, of which {len(rows)} are chosen, and the run {n} particles"
            )
        )
        return []
    found.rows = rows
    if found.pixel_size is None and table.pixel_size is not None and config.box:
        found.pixel_size = table.pixel_size * (table.box or config.box) / config.box
    return [table.metadata.iloc[rows.rows].reset_index(drop=True)]


def _note_pixel_size(found: RunInputs, box: int, table: Poses | CTFParameters | None) -> None:
    """Take the pixel size from a CTF table, where it and the box (0: unknown) are there."""
    if found.pixel_size is None and isinstance(table, CTFParameters) and len(table) and box:
        found.pixel_size = table.pixel_size_at_box(box)


def _rows_of_missing_table(path: Path, longest: int, n: int | None) -> ParticleRows:
    """Rows of ``ind.pkl`` where the table is missing, whose length is then at least this."""
    highest = int(np.max(read_array(path), initial=0)) + 1
    rows = read_indices(path, max(highest, longest))
    if n is not None and len(rows) != n:
        raise InputError(f"it has {len(rows)} indices where the run has {n} particles", file=path)
    return rows


def _columns(
    table: Poses | CTFParameters, n: int, rows: ParticleRows | None, box: int, option: str
) -> pd.DataFrame:
    """Columns of the run's particles from a table of them, or of the whole particle file."""
    if len(table) != n and rows is not None and len(table) == rows.n_source:
        table = table.at(rows.rows)
    if len(table) != n:
        raise InputError(
            f"the file has {len(table)} rows where the run has {n} particles", field=option
        )
    if isinstance(table, CTFParameters):
        return pd.DataFrame({name: table.column(name) for name in table.COLUMNS[2:]})
    rot, tilt, psi = euler_from_rotations(table.rotations)
    columns: dict[str, npt.NDArray[np.floating]] = {
        "angle_rot": rot,
        "angle_tilt": tilt,
        "angle_psi": psi,
    }
    if box:
        columns |= {"shift_x": table.shifts[:, 0] * box, "shift_y": table.shifts[:, 1] * box}
    return pd.DataFrame(columns)
