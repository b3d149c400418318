"""Particles: identity, poses, CTF parameters, metadata and a lazy image stack.

A particle *is* a row of its source table (a ``.star``, ``.cs``, ``.mrcs`` or
``.txt`` file). `ParticleRows` says which rows of which table are meant; no
function takes a bare integer array instead. A row number in a plot, in
``z.N.pkl`` or in a training set is a *position* within such a selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError

SourceKind = Literal["star", "cs", "mrcs", "txt"]


@dataclass(frozen=True)
class SourceTable:
    """The table whose rows are the particles.

    Parameters
    ----------
    path : Path
        Absolute path of the file.
    kind : {"star", "cs", "mrcs", "txt"}
        What it is.
    n_rows : int
        Rows in the whole table, before any filter.
    fingerprint : str
        Hex digest of the table's identity (image names and their order), by
        which a selection recognises the table it belongs to.
    """

    path: Path
    kind: SourceKind
    n_rows: int
    fingerprint: str


@dataclass(frozen=True, eq=False)
class ParticleRows:
    """An ordered choice of distinct rows of one source table.

    Parameters
    ----------
    rows : (N,) int64 array
        Row numbers in the source table, 0-based; made read-only.
    n_source : int
        Rows in the whole source table.
    fingerprint : str
        Fingerprint of the source table; "" when the table is unknown, as for a
        run of which only the latents are left.

    Raises
    ------
    InputError
        Where a row is out of range or named twice.
    """

    rows: npt.NDArray[np.int64]
    n_source: int
    fingerprint: str = ""

    def __post_init__(self) -> None:
        rows = np.array(self.rows, dtype=np.int64, copy=True).reshape(-1)
        outside = rows[(rows < 0) | (rows >= self.n_source)]
        if outside.size:
            raise InputError(
                f"{outside.size} particle indices lie outside the table of {self.n_source} rows",
                field="index",
                value=int(outside[0]),
            )
        values, counts = np.unique(rows, return_counts=True)
        if (counts > 1).any():
            raise InputError(
                f"{int((counts > 1).sum())} particle indices are repeated",
                field="index",
                value=int(values[counts > 1][0]),
            )
        rows.flags.writeable = False
        object.__setattr__(self, "rows", rows)

    @classmethod
    def every(cls, n_source: int, fingerprint: str = "") -> ParticleRows:
        """All rows of a table, in its order."""
        return cls(np.arange(n_source, dtype=np.int64), n_source, fingerprint)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ParticleRows)
            and self.n_source == other.n_source
            and self.fingerprint == other.fingerprint
            and np.array_equal(self.rows, other.rows)
        )

    def __hash__(self) -> int:
        return hash((self.n_source, self.fingerprint, self.rows.tobytes()))

    def at(self, positions: npt.ArrayLike) -> ParticleRows:
        """Rows at the given positions of this selection."""
        return ParticleRows(
            self.rows[np.asarray(positions, dtype=np.int64)], self.n_source, self.fingerprint
        )

    def positions_of(self, other: ParticleRows) -> npt.NDArray[np.int64]:
        """Positions in this selection of another selection's rows, in the other's order.

        Raises
        ------
        InputError
            Where the two belong to different tables, or a row is not here.
        """
        self.require_same_table(other)
        where = np.full(self.n_source, -1, dtype=np.int64)
        where[self.rows] = np.arange(len(self.rows))
        positions = where[other.rows]
        if (positions < 0).any():
            missing = int(other.rows[positions < 0][0])
            raise InputError(
                f"{int((positions < 0).sum())} particles are not part of this set",
                field="index",
                value=missing,
            )
        return positions

    def require_same_table(self, other: ParticleRows) -> None:
        """Raise `InputError` unless both select from the same source table."""
        same = self.n_source == other.n_source and (
            self.fingerprint == other.fingerprint or not (self.fingerprint and other.fingerprint)
        )
        if not same:
            raise InputError(
                f"the selections belong to different particle tables "
                f"({self.n_source} and {other.n_source} rows)"
            )


@dataclass(frozen=True, eq=False)
class Poses:
    """Orientation and in-plane shift of each particle.

    Parameters
    ----------
    rotations : (N, 3, 3) float32 array
        Rotation matrices in cryoDRGN's convention: row vectors in the image
        plane times the matrix give coordinates in the volume frame.
    shifts : (N, 2) float32 array
        Shift (x, y) by which an image is moved to centre it, as a fraction of
        the box. Zeros where the poses carry none.
    """

    rotations: npt.NDArray[np.float32]
    shifts: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rotations)

    def at(self, positions: npt.NDArray[np.int64]) -> Poses:
        """Poses at the given positions."""
        return Poses(self.rotations[positions], self.shifts[positions])


@dataclass(frozen=True, eq=False)
class CTFParameters:
    """Contrast transfer function parameters of each particle.

    Parameters
    ----------
    table : (N, 9) float64 array
        cryoDRGN's columns: box (px), pixel size (Å/px), defocus U (Å),
        defocus V (Å), astigmatism angle (°), voltage (kV), spherical
        aberration (mm), amplitude contrast, phase shift (°).
    """

    table: npt.NDArray[np.float64]

    COLUMNS = (
        "box",
        "pixel_size",
        "defocus_u",
        "defocus_v",
        "defocus_angle",
        "voltage",
        "spherical_aberration",
        "amplitude_contrast",
        "phase_shift",
    )

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """One column, by its name in `COLUMNS`."""
        return self.table[:, self.COLUMNS.index(name)]

    def at(self, positions: npt.NDArray[np.int64]) -> CTFParameters:
        """Parameters at the given positions."""
        return CTFParameters(self.table[positions])

    def pixel_size_at_box(self, box: int) -> float:
        """Pixel size (Å) of the same field of view at another box size.

        As in cryoDRGN the first particle speaks for all.
        """
        return float(self.table[0, 0] * self.table[0, 1] / box)


class ImageStack(Protocol):
    """Particle images, read when asked for; see ``io.image_stack``."""

    @property
    def box(self) -> int:
        """Side of the square images, px."""

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel as the files' headers have it; None where they are silent."""

    def __len__(self) -> int: ...

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images at the given positions, (n, box, box), in that order."""

    def at(self, positions: npt.NDArray[np.int64]) -> ImageStack:
        """The stack of the images at the given positions."""


@dataclass(frozen=True, eq=False)
class Particles:
    """A checked particle set: N particles in one order throughout.

    Parameters
    ----------
    source : SourceTable
        Where they come from.
    rows : ParticleRows
        Which rows of it they are, in the order of everything below.
    images : ImageStack
        Their N images.
    poses : Poses or None
        Their N poses; None where none were given.
    ctf : CTFParameters or None
        Their N CTF parameters; None for images without CTF.
    metadata : DataFrame
        N rows; every column of the source table and what follows from it, by
        our names (``defocus_u``, ``angle_rot``, ``micrograph`` …) where we know
        them, else by the table's own.
    pixel_size : float or None
        Å per pixel of the images; None where nothing says it.
    """

    source: SourceTable
    rows: ParticleRows
    images: ImageStack
    poses: Poses | None
    ctf: CTFParameters | None
    metadata: pd.DataFrame
    pixel_size: float | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def box(self) -> int:
        """Side of the square images, px."""
        return self.images.box

    def at(self, positions: npt.NDArray[np.int64]) -> Particles:
        """The particles at the given positions."""
        return Particles(
            self.source,
            self.rows.at(positions),
            self.images.at(positions),
            None if self.poses is None else self.poses.at(positions),
            None if self.ctf is None else self.ctf.at(positions),
            self.metadata.iloc[positions].reset_index(drop=True),
            self.pixel_size,
        )
