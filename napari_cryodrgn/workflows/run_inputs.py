"""The particles a run was trained on, as far as they can still be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.pickles import read_array, read_ctf, read_indices, read_poses
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Particles, Poses
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.source import RunSource, read_run_source, rows_of
from napari_cryodrgn.workflows.moved_files import base_name, find_moved

Given = ParamSpec("Given")
Result = TypeVar("Result")

_MEANING = {
    "particles": "images cannot be shown",
    "poses": "orientations are not known",
    "ctf": "defocus is not known",
    "ind": "positions in the run cannot be related to the particle file",
}
"""Files that a configuration names, and what it means that one is missing."""

# Marks rows whose table is not known: they are equal to no table's rows.
UNKNOWN_TABLE = "positions in the run"


@dataclass(frozen=True)
class Problem:
    """Something that a run lacks, and where it was looked for.

    Parameters
    ----------
    what : str
        What is missing or unusable, and what that means, as one sentence.
    tried : tuple of str
        Every place that was looked at.
    """

    what: str
    tried: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.what if not self.tried else f"{self.what}; looked at {', '.join(self.tried)}"


@dataclass(eq=False)
class RunInputs:
    """What was found of a run's particles; filled while they are looked for.

    Parameters
    ----------
    files : dict of str to Path
        Files of the configuration, by option name, where they were found.
    rows : ParticleRows or None
        Which particles of the source table the run has.
    particles : Particles or None
        The particles themselves, where table and images are there.
    metadata : DataFrame or None
        Their columns, N rows; without images too.
    pixel_size : float or None
        Å per pixel of the training images.
    problems : list of Problem
        What is missing.
    """

    files: dict[str, Path] = field(default_factory=dict)
    rows: ParticleRows | None = None
    particles: Particles | None = None
    metadata: pd.DataFrame | None = None
    pixel_size: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def attempt(
        self,
        what: str,
        function: Callable[Given, Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result | None:
        """Call a function; where it finds bad input, note that as a problem and return None."""
        try:
            return function(*args, **kwargs)
        except InputError as error:
            self.problems.append(Problem(f"{what}: {error}"))
            return None


def find_inputs(run: RunFolder, config: RunConfig | None, n: int | None) -> RunInputs:
    """Look for the particles of a run.

    Nothing of it is an error: what is not there is named in `problems`.

    Parameters
    ----------
    run : RunFolder
    config : RunConfig or None
        Its configuration, where it has one that can be read.
    n : int or None
        Particles in its latents; None for a run without latents.

    Returns
    -------
    RunInputs
    """
    found = RunInputs()
    source = _recorded_source(run, found)
    if source is not None:
        found.pixel_size = source.pixel_size
        found.rows = found.attempt("The rows cannot be used", rows_of, source, run.own)
    if config is not None:
        _find_files(run, config, found)
        particles = found.attempt(
            "The particles cannot be used", _read_particles, run, config, n, found
        )
        if particles is not None:
            _take_particles(particles, found)
        else:
            _read_tables(config, n, found)
    if n is not None and found.rows is not None and len(found.rows) != n:
        found.problems.append(
            Problem(f"{len(found.rows)} rows are recorded where the run has {n} particles")
        )
        found.rows = None
    if n is not None and found.rows is None:
        found.rows = _rows_of_no_table(config, n)
    return found


def find_pixel_size(run: RunFolder, config: RunConfig) -> float | None:
    """Å per pixel of a run's training images; None where nothing says it.

    Looks at our own record, the CTF table, the particle table and the image
    headers, in this order, and reads no more than it needs.
    """
    found = RunInputs()
    source = _recorded_source(run, found)
    if source is not None and source.pixel_size is not None:
        return source.pixel_size
    _find_files(run, config, found)
    if "ctf" in found.files:
        ctf = found.attempt("The CTF parameters cannot be used", read_ctf, found.files["ctf"])
        if ctf is not None and len(ctf):
            return ctf.pixel_size_at_box(config.box)
    particles = found.attempt(
        "The particles cannot be used", _read_particles, run, config, None, found
    )
    return None if particles is None else particles.pixel_size


def _recorded_source(run: RunFolder, found: RunInputs) -> RunSource | None:
    if not run.source.is_file():
        return None
    return found.attempt("The record of the particles cannot be used", read_run_source, run.source)


def _find_files(run: RunFolder, config: RunConfig, found: RunInputs) -> None:
    for option, means in _MEANING.items():
        written = getattr(config, option)
        if not written:
            continue
        search = find_moved(written, run.path)
        if search.path is not None:
            found.files[option] = search.path
        else:
            what = f"The {option} file {base_name(written)} is missing: {means}"
            found.problems.append(Problem(what, search.tried))


def _read_particles(
    run: RunFolder, config: RunConfig, n: int | None, found: RunInputs
) -> Particles | None:
    """The particle set, whole or not at all, checked to be that of the run."""
    if "particles" not in found.files or config.tilt_series:
        return None
    if config.ind and found.rows is None and "ind" not in found.files:
        return None
    datadir = find_moved(config.datadir, run.path, folder=True).path if config.datadir else None
    particles = read_particles(
        found.files["particles"],
        poses=found.files.get("poses"),
        ctf=found.files.get("ctf"),
        ind=found.files.get("ind") if found.rows is None else None,
        datadir=datadir,
        ignore_ctf=config.ctf is None,
    )
    if found.rows is not None:
        particles = particles.at(particles.rows.positions_of(found.rows))
    if n is not None and len(particles) != n:
        raise InputError(
            f"it has {len(particles)} particles where the run has {n}",
            file=found.files["particles"],
        )
    return particles


def _take_particles(particles: Particles, found: RunInputs) -> None:
    found.particles = particles
    found.metadata = particles.metadata
    found.rows = particles.rows
    if found.pixel_size is None:
        found.pixel_size = particles.pixel_size


def _read_tables(config: RunConfig, n: int | None, found: RunInputs) -> None:
    """Take columns from the tables that are there, where the particle set as a whole is not."""
    tables: dict[str, Poses | CTFParameters] = {}
    readers: dict[str, Callable[[Path], Poses | CTFParameters]] = {
        "poses": read_poses,
        "ctf": read_ctf,
    }
    for option, reader in readers.items():
        if option in found.files:
            table = found.attempt(f"The {option} cannot be used", reader, found.files[option])
            if table is not None:
                tables[option] = table
    ctf = tables.get("ctf")
    if isinstance(ctf, CTFParameters) and found.pixel_size is None and len(ctf):
        found.pixel_size = ctf.pixel_size_at_box(config.box)
    if found.rows is None and "ind" in found.files:
        longest = max(map(len, tables.values()), default=0)
        found.rows = found.attempt(
            "The indices cannot be used", _rows_of_missing_table, found.files["ind"], longest, n
        )
    if n is None:
        return
    parts = []
    for option, table in tables.items():
        columns = found.attempt(
            f"The {option} cannot be used", _columns, table, n, found.rows, found.files[option]
        )
        if columns is not None:
            parts.append(columns)
    if parts:
        found.metadata = pd.concat(parts, axis=1)


def _rows_of_missing_table(path: Path, longest: int, n: int | None) -> ParticleRows:
    """Rows of ``ind.pkl`` where the table is missing, whose length is then at least this."""
    highest = int(np.max(read_array(path), initial=0)) + 1
    rows = read_indices(path, max(highest, longest))
    if n is not None and len(rows) != n:
        raise InputError(f"it has {len(rows)} indices where the run has {n} particles", file=path)
    return rows


def _columns(
    table: Poses | CTFParameters, n: int, rows: ParticleRows | None, path: Path
) -> pd.DataFrame:
    """Columns of the run's particles from a table of them, or of the whole particle file."""
    if len(table) != n and rows is not None and len(table) == rows.n_source:
        table = table.at(rows.rows)
    if len(table) != n:
        raise InputError(f"it has {len(table)} rows where the run has {n} particles", file=path)
    if isinstance(table, CTFParameters):
        names = table.COLUMNS[2:]
        return pd.DataFrame({name: table.column(name) for name in names})
    rot, tilt, psi = euler_from_rotations(table.rotations)
    return pd.DataFrame(
        {
            "angle_rot": rot,
            "angle_tilt": tilt,
            "angle_psi": psi,
            "shift_x": table.shifts[:, 0],
            "shift_y": table.shifts[:, 1],
        }
    )


def _rows_of_no_table(config: RunConfig | None, n: int) -> ParticleRows:
    """Rows of a run whose particle table is not known.

    Without ``ind`` they are all rows of it. With one that is lost nobody can
    tell, and the rows then belong to a table of their own, so that a selection
    of them is refused by every real one.
    """
    lost = config is not None and config.ind is not None
    return ParticleRows.every(n, UNKNOWN_TABLE if lost else "")
