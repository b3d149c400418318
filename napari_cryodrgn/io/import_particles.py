"""From the files that a user names to a checked particle set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.io.cs import read_cs
from napari_cryodrgn.io.image_paths import open_images
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.particle_table import ParticleTable, seven_digits
from napari_cryodrgn.io.pickles import read_ctf, read_indices, read_poses
from napari_cryodrgn.io.star import read_star
from napari_cryodrgn.io.txt import read_stack_table, read_txt
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Particles, Poses

FIELD_OF_VIEW_TOLERANCE = 0.02
"""Relative difference at which the header of a stack contradicts its table."""

Rows = TypeVar("Rows", Poses, CTFParameters)


def read_table(path: str | Path, datadir: str | Path | None = None) -> ParticleTable:
    """Read a particle table without opening images (of bare stacks, the headers).

    Parameters
    ----------
    path : path-like
        A ``.star``, ``.cs``, ``.mrcs``, ``.mrc`` or ``.txt`` file.
    datadir : path-like, optional
        Folder in which to look first for the stacks that a ``.txt`` file lists.

    Raises
    ------
    InputError
        Where the file has another ending or cannot be used.
    """
    ending = Path(path).suffix.lower()
    if ending == ".star":
        return read_star(path)
    if ending == ".cs":
        return read_cs(path)
    if ending in (".mrcs", ".mrc"):
        return read_stack_table(path)
    if ending == ".txt":
        return read_txt(path, datadir)
    raise InputError(
        "particles are read from .star, .cs, .mrcs, .mrc and .txt files",
        file=path,
        field="ending",
        value=ending or "none",
    )


def read_particles(
    path: str | Path,
    *,
    poses: str | Path | None = None,
    ctf: str | Path | None = None,
    ind: str | Path | None = None,
    datadir: str | Path | None = None,
    ignore_ctf: bool = False,
    ctf_defaults: Mapping[str, float] | None = None,
) -> Particles:
    """Read and check a particle set; headers of image files are read, no image is.

    Parameters
    ----------
    path : path-like
        A ``.star``, ``.cs``, ``.mrcs``, ``.mrc`` or ``.txt`` file.
    poses, ctf : path-like, optional
        cryoDRGN's pickles. They stand before what the table says itself, and have a row for each
        row of the table or for each of `ind`.
    ind : path-like, optional
        Pickled rows of the table to use, in that order.
    datadir : path-like, optional
        Folder in which image files are looked for first.
    ignore_ctf : bool
        Leave the CTF out, whatever the table says.
    ctf_defaults : mapping, optional
        Values for CTF columns that the table lacks, by `CTFParameters.COLUMNS`.

    Returns
    -------
    Particles
        Metadata angles are in degrees, ``shift_x`` and ``shift_y`` in pixels of the images.

    Raises
    ------
    InputError
        For everything that is wrong with the files; names file, field and value. NaN pixels are
        found by `image_stack.check_images`, which reads every image.
    """
    table = read_table(path, datadir)
    source = table.source
    if table.tilt_series is not None:
        raise InputError(
            f"these are tilt series: {table.tilt_series}",
            file=source.path,
            hint="Training on tilt series is not supported; single particles are needed",
        )
    if ind is None:
        rows = ParticleRows.every(source.n_rows, source.fingerprint)
    else:
        rows = read_indices(ind, source.n_rows, source.fingerprint)
    images = open_images(table.references.at(rows.rows), source.path, datadir)
    found_poses = _poses(table, rows, images.box, poses)
    found_ctf = None if ignore_ctf else _ctf(table, rows, images, ctf, ctf_defaults or {})
    pixel_size = _pixel_size(table, images, found_ctf if ctf is not None else None)
    metadata = _metadata(table, rows, images.box, found_poses, found_ctf)
    return Particles(source, rows, images, found_poses, found_ctf, metadata, pixel_size)


def _poses(
    table: ParticleTable, rows: ParticleRows, box: int, path: str | Path | None
) -> Poses | None:
    if path is not None:
        return _for_rows(read_poses(path, box), rows, path, "poses")
    found = table.poses(box)
    return None if found is None else found.at(rows.rows)


def _ctf(
    table: ParticleTable,
    rows: ParticleRows,
    images: FileImageStack,
    path: str | Path | None,
    defaults: Mapping[str, float],
) -> CTFParameters | None:
    if path is not None:
        return _for_rows(read_ctf(path), rows, path, "CTF")
    found = table.ctf(images.box, images.pixel_size, defaults)
    return None if found is None else found.at(rows.rows)


def _for_rows(found: Rows, rows: ParticleRows, path: str | Path, what: str) -> Rows:
    """The rows chosen, of a file for the whole table or for these rows alone."""
    if len(found) == rows.n_source:
        return found.at(rows.rows)
    if len(found) == len(rows):
        return found
    needed = f"{rows.n_source} particles"
    if len(rows) != rows.n_source:
        needed += f" ({len(rows)} of them chosen)"
    raise InputError(
        f"the table has {needed}; there must be as many {what} rows",
        file=path,
        field=f"{what}: rows",
        value=len(found),
    )


def _pixel_size(
    table: ParticleTable, images: FileImageStack, given_ctf: CTFParameters | None
) -> float | None:
    """Å per pixel of the images: the CTF file says it, else the table, else the headers.

    The field of view stays when images are downsampled, so a table made for another box is
    converted; a header that contradicts this is an error, for then shifts would be wrong too.
    """
    if given_ctf is not None and len(given_ctf):
        return seven_digits(given_ctf.pixel_size_at_box(images.box))
    if table.pixel_size is None:
        return images.pixel_size
    expected = table.pixel_size * (table.box or images.box) / images.box
    header = images.pixel_size
    # 0 (None here) and 1 are what programs write that do not know.
    if header not in (None, 1.0) and table.box != images.box and not _agree(header, expected):
        raise InputError(
            f"the table expects {expected:.4g} Å per pixel in images of {images.box} px, their "
            f"headers say {header:.4g} Å",
            file=table.source.path,
            field="pixel size",
            value=f"{table.pixel_size:.4g} Å",
            hint="The images seem to be rescaled or cropped since; give poses.pkl and ctf.pkl "
            "made for them, or a table that fits",
        )
    return seven_digits(expected)


def _agree(header: float | None, expected: float) -> bool:
    return header is not None and math.isclose(header, expected, rel_tol=FIELD_OF_VIEW_TOLERANCE)


def _metadata(
    table: ParticleTable,
    rows: ParticleRows,
    box: int,
    poses: Poses | None,
    ctf: CTFParameters | None,
) -> pd.DataFrame:
    """The table's columns, and those of poses and CTF as they are used."""
    frame = table.metadata.iloc[rows.rows].reset_index(drop=True)
    derived: dict[str, npt.NDArray[np.float64]] = {}
    if poses is not None:
        angles = euler_from_rotations(poses.rotations)
        derived |= dict(zip(("angle_rot", "angle_tilt", "angle_psi"), angles, strict=True))
        shifts = poses.shifts.astype(np.float64) * box
        derived |= {"shift_x": shifts[:, 0], "shift_y": shifts[:, 1]}
    if ctf is not None:
        derived |= {name: ctf.column(name) for name in CTFParameters.COLUMNS[2:]}
    kept = frame.drop(columns=[name for name in derived if name in frame])
    return pd.concat([kept, pd.DataFrame(derived, index=frame.index)], axis=1)
