"""A particle table of RELION or cryoSPARC as the pattern of a simulated set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.transform import Rotation

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.cs import CryoSparcTable
from napari_cryodrgn.io.import_particles import read_table
from napari_cryodrgn.io.star import StarTable
from napari_cryodrgn.particles import CTFParameters, Poses

NOMINAL_BOX = 128
"""Box (px) at which shifts are asked for where a table names none: they are turned back into Å
with the same one."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Rows of a particle table, whose images need not be there.

    Parameters
    ----------
    table : StarTable or CryoSparcTable
        The whole table.
    rows : (N,) int64 array
        Rows that the set is made like, 0-based, in the table's order.
    rotations : (N, 3, 3) float32 array
        Their orientations.
    shifts : (N, 2) float64 array
        Their shifts (x, y), Å.
    optics : CTFParameters or None
        Their CTF parameters, for the table's own box; None where it has none.
    """

    table: StarTable | CryoSparcTable
    rows: npt.NDArray[np.int64]
    rotations: npt.NDArray[np.float32]
    shifts: npt.NDArray[np.float64]
    optics: CTFParameters | None

    def __len__(self) -> int:
        return len(self.rows)

    def poses(self, box: int, pixel_size: float) -> Poses:
        """Poses for images of a box (px) and pixel size (Å); shifts stay the same in Å."""
        return Poses(self.rotations, (self.shifts / (box * pixel_size)).astype(np.float32))

    def ctf(self, box: int, pixel_size: float) -> CTFParameters | None:
        """CTF parameters for images of a box (px) and pixel size (Å)."""
        if self.optics is None:
            return None
        values = self.optics.table.copy()
        values[:, 0], values[:, 1] = box, pixel_size
        # Pickles of these are float32; rounding here makes every file say the same.
        return CTFParameters(values.astype(np.float32).astype(np.float64))

    @property
    def columns(self) -> pd.DataFrame | None:
        """A RELION table's own columns, of these rows; None of a cryoSPARC table."""
        if isinstance(self.table, CryoSparcTable):
            return None
        return self.table.columns.iloc[self.rows].reset_index(drop=True)


def read_pattern(path: Path, most: int) -> Pattern:
    """Read what a simulated set is to be like.

    Parameters
    ----------
    path : Path
        A ``.star`` or ``.cs`` file of single particles with poses.
    most : int
        At most so many rows, spread evenly over the table.

    Returns
    -------
    Pattern

    Raises
    ------
    InputError
        Where the table cannot be read, has no poses, or holds tilt series.
    """
    table = read_table(path)
    if not isinstance(table, StarTable | CryoSparcTable):
        raise InputError("a set is made like a .star or .cs file", file=path)
    if table.tilt_series is not None:
        raise InputError(f"these are tilt series: {table.tilt_series}", file=path)
    n_rows = table.source.n_rows
    rows = np.unique(np.linspace(0, n_rows - 1, min(most, n_rows)).astype(np.int64))
    box = table.box or NOMINAL_BOX
    found = table.poses(box)
    if found is None:
        raise InputError(
            "these particles have no poses",
            file=path,
            hint="Take the file of a 3D refinement",
        )
    shifts = found.shifts.astype(np.float64)
    if shifts.any() and table.pixel_size is None:
        raise InputError("neither the table nor its images say the pixel size", file=path)
    optics = table.ctf(box, table.pixel_size, {})
    return Pattern(
        table,
        rows,
        found.rotations[rows],
        shifts[rows] * (box * (table.pixel_size or 1.0)),
        None if optics is None else optics.at(rows),
    )


def write_cryosparc_table(
    path: Path, pattern: Pattern, stack: str, poses: Poses, box: int, pixel_size: float
) -> None:
    """Write a ``.cs`` file with the pattern's fields, whose images are the simulated ones.

    Parameters
    ----------
    path : Path
        Where.
    pattern : Pattern
        Of a cryoSPARC table.
    stack : str
        Path of the image stack as the table is to name it; its section n is row n.
    poses : Poses
        What the table is to claim.
    box, pixel_size : int, float
        Of the images, px and Å.
    """
    table: Any = pattern.table
    fields = table.fields[pattern.rows]
    kinds = [
        ("blob/path", f"S{len(stack.encode())}")
        if name == "blob/path"
        else (name, *_kind(fields, name))
        for name in fields.dtype.names
    ]
    written = np.empty(len(fields), dtype=kinds)
    for name in fields.dtype.names:
        if name != "blob/path":
            written[name] = fields[name]
    written["blob/path"] = stack.encode()
    written["blob/idx"] = np.arange(len(fields))
    for name, value in (("blob/shape", box), ("blob/psize_A", pixel_size)):
        if name in fields.dtype.names:
            written[name] = value
    # cryoSPARC's matrices are the transposed ones, see `rotations_from_vectors`.
    active = poses.rotations.astype(np.float64).transpose(0, 2, 1)
    changed = np.abs(poses.rotations - pattern.rotations).max(axis=(1, 2)) > 1e-6
    group = table.alignment
    written[f"{group}/pose"][changed] = Rotation.from_matrix(active[changed]).as_rotvec()
    if f"{group}/psize_A" not in fields.dtype.names:
        # Shifts then count the images' own pixels, which are others now.
        written[f"{group}/shift"] = poses.shifts * box
    with replacing(path) as file:
        np.lib.format.write_array(file, written, allow_pickle=False)


def _kind(fields: npt.NDArray[np.void], name: str) -> tuple[Any, ...]:
    """Type and shape of a field, as numpy wants them in the description of another array."""
    kind = fields.dtype[name]
    return (kind,) if kind.subdtype is None else kind.subdtype
