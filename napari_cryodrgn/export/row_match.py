"""Which rows of another table a run's particles are.

A run may have been trained on a downsampled copy of the images, on tables that
have moved, or on a part of them. Where the two tables name the same images the
names decide; else the rows do, if there are as many and nothing that both
tables say of the particles contradicts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import rotations_from_euler
from napari_cryodrgn.io.cs import CryoSparcTable
from napari_cryodrgn.io.particle_table import ParticleTable
from napari_cryodrgn.particles import ParticleRows

DEFOCUS_TOLERANCE = 1.0
"""Å; programs write defocus values with one digit after the point, or as float32."""

ANGLE_TOLERANCE = 0.1
"""Degrees between two orientations that were written by different programs."""

EULER = ("angle_rot", "angle_tilt", "angle_psi")


@dataclass(frozen=True, eq=False)
class RowMatch:
    """Particles found in a table.

    Parameters
    ----------
    rows : ParticleRows
        Their rows in it, in the order of the particles asked for.
    notes : tuple of str
        How they were found, and what was compared.
    """

    rows: ParticleRows
    notes: tuple[str, ...] = ()


def match_rows(
    wanted: ParticleRows,
    known: pd.DataFrame | None,
    original: ParticleTable | None,
    target: ParticleTable,
) -> RowMatch:
    """Find particles in a table.

    Parameters
    ----------
    wanted : ParticleRows
        The particles, as rows of the run's source table.
    known : DataFrame or None
        What the run knows of them, in the same order, by our column names.
    original : ParticleTable or None
        The run's source table, where it is still there.
    target : ParticleTable
        The table in which to find them.

    Raises
    ------
    InputError
        Where it cannot be said for sure which rows they are.
    """
    source = target.source
    if wanted.fingerprint == source.fingerprint and wanted.n_source == source.n_rows:
        return RowMatch(ParticleRows(wanted.rows, source.n_rows, source.fingerprint))
    by_name = None if original is None else _by_name(wanted, original, target)
    if by_name is not None:
        return by_name
    if wanted.n_source != source.n_rows:
        raise InputError(
            f"it has {source.n_rows} rows where the run's own particles are of a table of "
            f"{wanted.n_source}, and the two name no images in common",
            file=source.path,
            field="--table",
        )
    rows = ParticleRows(wanted.rows, source.n_rows, source.fingerprint)
    return RowMatch(rows, _compared(wanted.rows, known, target))


def _by_name(
    wanted: ParticleRows, original: ParticleTable, target: ParticleTable
) -> RowMatch | None:
    """By what identifies an image in both tables; None where they have nothing in common."""
    keys = pd.Index(_keys(target, original))
    names = pd.Index(_keys(original, target))[wanted.rows]
    found = np.isin(names.to_numpy(), keys.to_numpy())
    if not found.any():
        return None
    if not keys.is_unique:
        raise InputError(
            "it names some images twice, so that particles cannot be found in it by name",
            file=target.source.path,
            field="image name",
            value=keys[keys.duplicated()][0],
        )
    if not found.all():
        raise InputError(
            f"{int((~found).sum()):,} of the {len(wanted):,} particles are not in it",
            file=target.source.path,
            field="image name",
            value=names[int(np.argmin(found))],
        )
    positions = np.asarray(keys.get_indexer(names), dtype=np.int64)
    rows = ParticleRows(positions, target.source.n_rows, target.source.fingerprint)
    return RowMatch(rows, ("particles were found by their image names",))


def _keys(table: ParticleTable, other: ParticleTable) -> npt.NDArray[np.object_]:
    """For each row what identifies its image: cryoSPARC's uid where both have it, else its name."""
    if isinstance(table, CryoSparcTable) and isinstance(other, CryoSparcTable):
        names = [set(each.fields.dtype.names or ()) for each in (table, other)]
        if "uid" in names[0] & names[1]:
            return np.asarray(table.fields["uid"].astype(object))
    references = table.references
    files = np.asarray(references.files, dtype=object)[references.file_numbers]
    return np.asarray(references.sections.astype(str).astype(object) + "@" + files)


def _compared(
    rows: npt.NDArray[np.int64], known: pd.DataFrame | None, target: ParticleTable
) -> tuple[str, ...]:
    """Compare what both say of the particles.

    Micrographs and defocus must agree. Orientations must too, unless one of these has agreed:
    particles may have been refined again since.
    """
    there = target.metadata.iloc[rows].reset_index(drop=True)
    agreed: list[str] = []
    if known is not None:
        for compare in (_micrographs_differ, _defocus_differs):
            differs = compare(known, there)
            if differs is None:
                continue
            name, wrong = differs
            _require_same(name, wrong, rows, target)
            agreed.append(name)
        wrong_angles = _angles_differ(known, there)
        if wrong_angles is not None and not (agreed and wrong_angles.any()):
            _require_same("orientations", wrong_angles, rows, target)
            agreed.append("orientations")
    if not agreed:
        return (
            "particles were found by row number alone: nothing in the two tables could be compared",
        )
    return (f"particles were found by row number; {', '.join(agreed)} agree in every row",)


def _require_same(
    what: str, wrong: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64], target: ParticleTable
) -> None:
    if wrong.any():
        raise InputError(
            f"this is not the table of these particles: {what} differ in {int(wrong.sum()):,} of "
            f"{len(wrong):,} rows, first in this one (counted from 1)",
            file=target.source.path,
            field="row",
            value=int(rows[np.argmax(wrong)]) + 1,
        )


def _micrographs_differ(
    known: pd.DataFrame, there: pd.DataFrame
) -> tuple[str, npt.NDArray[np.bool_]] | None:
    if "micrograph" not in known or "micrograph" not in there:
        return None
    # Folders change where a project is moved or imported; file names stay.
    ours, theirs = (
        frame["micrograph"].astype(str).map(lambda path: PurePosixPath(path).stem)
        for frame in (known, there)
    )
    return "micrographs", ours.to_numpy() != theirs.to_numpy()


def _defocus_differs(
    known: pd.DataFrame, there: pd.DataFrame
) -> tuple[str, npt.NDArray[np.bool_]] | None:
    names = [name for name in ("defocus_u", "defocus_v") if name in known and name in there]
    if not names:
        return None
    ours, theirs = (frame[names].to_numpy(float) for frame in (known, there))
    return "defocus values", (np.abs(ours - theirs) > DEFOCUS_TOLERANCE).any(axis=1)


def _angles_differ(known: pd.DataFrame, there: pd.DataFrame) -> npt.NDArray[np.bool_] | None:
    if not all(name in frame for name in EULER for frame in (known, there)):
        return None
    ours, theirs = (
        rotations_from_euler(*(frame[name].to_numpy(float) for name in EULER))
        for frame in (known, there)
    )
    # Trace of R1 R2^T = 1 + 2 cos(angle between them).
    cosine = (np.einsum("nij,nij->n", ours, theirs) - 1) / 2
    return np.asarray(cosine < np.cos(np.radians(ANGLE_TOLERANCE)) - 1e-6)
