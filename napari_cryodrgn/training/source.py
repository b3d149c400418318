"""``particles.json``: which particles a run was trained on.

The configuration names files, which may be moved or overwritten; this names the
particles, so that a run recognises its own and refuses others.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydantic

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_json
from napari_cryodrgn.io.pickles import read_indices
from napari_cryodrgn.particles import ParticleRows, Particles, SourceKind

MOST_ROWS = 100_000_000
"""Rows that a particle table may be said to have: no more memory is given to a file's word."""


class RunSource(pydantic.BaseModel):
    """The particles of a run.

    Parameters
    ----------
    path : str
        Absolute path of the source table.
    kind : {"star", "cs", "mrcs", "txt"}
        What it is.
    n_rows : int
        Rows in the whole table.
    fingerprint : str
        Digest of the table's identity.
    n_particles : int
        Particles trained on.
    rows : str or None
        Name, beside this file, of the pickle of their rows in the table; None
        where they are all of them in its order.
    box : int
        Side of the images, px.
    pixel_size : float or None
        Å per pixel; None where nothing says it.
    rows_digest, poses_digest : str
        Digests of the rows, and of rotations and shifts.
    ctf_digest : str or None
        Digest of the CTF parameters; None for a run without CTF.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    path: str
    kind: SourceKind
    n_rows: int = pydantic.Field(ge=0, le=MOST_ROWS)
    fingerprint: str
    n_particles: int = pydantic.Field(ge=0, le=MOST_ROWS)
    rows: str | None
    box: int
    pixel_size: float | None
    rows_digest: str
    poses_digest: str
    ctf_digest: str | None

    @classmethod
    def of(cls, particles: Particles, rows_file: str | None) -> RunSource:
        """Describe particles that have poses.

        Parameters
        ----------
        particles : Particles
        rows_file : str or None
            Name of the file of their rows, see `rows`.
        """
        source, poses = particles.source, particles.poses
        if poses is None:
            raise InputError("these particles have no poses", file=source.path)
        return cls(
            path=str(source.path),
            kind=source.kind,
            n_rows=source.n_rows,
            fingerprint=source.fingerprint,
            n_particles=len(particles),
            rows=rows_file,
            box=particles.box,
            pixel_size=particles.pixel_size,
            rows_digest=_digest(particles.rows.rows),
            poses_digest=_digest(poses.rotations, poses.shifts),
            ctf_digest=None if particles.ctf is None else _digest(particles.ctf.table),
        )


def write_run_source(path: Path, source: RunSource) -> None:
    """Write ``particles.json``, whole or not at all."""
    write_text(path, source.model_dump_json(indent=2) + "\n")


def read_run_source(path: Path) -> RunSource:
    """Read ``particles.json``.

    Raises
    ------
    InputError
        Where the file is missing or is something else.
    """
    try:
        return RunSource.model_validate(read_json(path))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(first["msg"], file=path, field=field) from error


def rows_of(source: RunSource, folder: Path) -> ParticleRows:
    """Rows of the source table that a run was trained on.

    Parameters
    ----------
    source : RunSource
    folder : Path
        Where ``particles.json`` lies.
    """
    if source.rows is None:
        return ParticleRows.every(source.n_rows, source.fingerprint)
    # A bare name: the file describes what lies beside it, and nothing elsewhere.
    return read_indices(folder / Path(source.rows).name, source.n_rows, source.fingerprint)


def require_same_particles(recorded: RunSource, given: RunSource) -> None:
    """Raise `InputError`, naming the option, unless two descriptions are of one set.

    Files may have moved; what is in them may not have changed.
    """
    differences = {
        "particles": recorded.fingerprint != given.fingerprint or recorded.n_rows != given.n_rows,
        "--ind": recorded.rows_digest != given.rows_digest,
        "--poses": recorded.poses_digest != given.poses_digest,
        "--ctf": recorded.ctf_digest != given.ctf_digest,
    }
    for option, differs in differences.items():
        if differs:
            raise InputError(
                "this is not what the run was begun with",
                field=option,
                value=given.path if option == "particles" else None,
                hint=f"It was begun with {recorded.n_particles} of {recorded.n_rows} particles "
                f"of {recorded.path}",
            )


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
