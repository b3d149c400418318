"""RELION's particle tables (``.star``): versions 3.0, 3.1 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import starfile

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import rotations_from_euler
from napari_cryodrgn.io.checks import check_ctf, check_shifts, require_file
from napari_cryodrgn.io.particle_table import ImageReferences, renamed, seven_digits
from napari_cryodrgn.particles import CTFParameters, Poses, SourceTable

PIXEL_SIZE_TOLERANCE = 0.02
"""Relative difference between optics groups, as between two microscopes whose magnifications
were measured, up to which their particles are of one scale; beyond it they must be rescaled."""

# Read as text even where every value looks like a number.
_TEXT = ["rlnMicrographName", "rlnImageName", "rlnGroupName", "rlnOpticsGroupName", "rlnTomoName"]

_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")

_CTF = {
    "defocus_u": "rlnDefocusU",
    "defocus_v": "rlnDefocusV",
    "defocus_angle": "rlnDefocusAngle",
    "voltage": "rlnVoltage",
    "spherical_aberration": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
    "phase_shift": "rlnPhaseShift",
}

_OUR_NAMES = {column: name for name, column in _CTF.items()} | {
    "rlnImageName": "image_name",
    "rlnMicrographName": "micrograph",
    "rlnOpticsGroup": "optics_group",
    "rlnOpticsGroupName": "optics_group_name",
    "rlnGroupName": "group_name",
    "rlnGroupNumber": "group",
    "rlnAngleRot": "angle_rot",
    "rlnAngleTilt": "angle_tilt",
    "rlnAnglePsi": "angle_psi",
    "rlnClassNumber": "class",
    "rlnRandomSubset": "half_set",
    "rlnCoordinateX": "coordinate_x",
    "rlnCoordinateY": "coordinate_y",
}


@dataclass(frozen=True, eq=False)
class StarTable:
    """A RELION particle table; see `particle_table.ParticleTable`.

    Parameters
    ----------
    source : SourceTable
        Path, kind, number of rows, fingerprint.
    references : ImageReferences
        Where the images lie.
    columns : DataFrame
        Every column of the particles' block, and those of their optics group that it lacks, by
        RELION's names without the underscore.
    tilt_series : str or None
        Why the rows are views of tilt series; None where they are single particles.
    """

    source: SourceTable
    references: ImageReferences
    columns: pd.DataFrame
    tilt_series: str | None

    @property
    def metadata(self) -> pd.DataFrame:
        """Every column, by our names where we know them."""
        return renamed(self.columns, _OUR_NAMES)

    @property
    def box(self) -> int | None:
        """``_rlnImageSize``, px."""
        sizes = self._numbers("rlnImageSize")
        if sizes is None:
            return None
        if (sizes != sizes[0]).any():
            raise InputError(
                "optics groups have different image sizes; extract or rescale all to one box",
                file=self.source.path,
                field="_rlnImageSize",
                value=" and ".join(f"{size:g}" for size in np.unique(sizes)),
            )
        return round(float(sizes[0]))

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel, of the first particle as in cryoDRGN."""
        sizes = self._pixel_sizes()
        return None if sizes is None else seven_digits(float(sizes[0]))

    def poses(self, box: int) -> Poses | None:
        """Poses from Euler angles and origins; None where the table has no angles.

        Parameters
        ----------
        box : int
            Side of the images, px, where the table has no ``_rlnImageSize``.
        """
        if not any(name in self.columns for name in _ANGLES):
            return None
        rotations = rotations_from_euler(*(self._required(name) for name in _ANGLES))
        shifts, field = self._shifts(self.box or box)
        check_shifts(shifts, len(rotations), file=self.source.path, field=field)
        return Poses(rotations, shifts.astype(np.float32))

    def ctf(
        self, box: int, pixel_size: float | None, defaults: Mapping[str, float]
    ) -> CTFParameters | None:
        """CTF parameters; None where the table has no defocus.

        Parameters
        ----------
        box : int
            Side of the images, px, where the table has none.
        pixel_size : float or None
            Å per pixel, where the table has none.
        defaults : mapping
            Values for columns that the table lacks, by `CTFParameters.COLUMNS`.
        """
        if "rlnDefocusU" not in self.columns:
            return None
        n = len(self.columns)
        sizes: Any = self._pixel_sizes()
        sizes = pixel_size if sizes is None else sizes
        if sizes is None:
            raise InputError(
                "neither the table nor its images say the pixel size",
                file=self.source.path,
                field="_rlnImagePixelSize",
            )
        # RELION leaves the phase shift out where there was no phase plate.
        standing_in = {"phase_shift": 0.0, **defaults}
        values = [np.full(n, self.box or box, float), np.broadcast_to(sizes, n)]
        for name, column in _CTF.items():
            use_default = column not in self.columns and name in standing_in
            values.append(np.full(n, standing_in[name]) if use_default else self._required(column))
        table = np.stack(values, axis=1)
        check_ctf(table, file=self.source.path)
        return CTFParameters(table)

    def _pixel_sizes(self) -> npt.NDArray[np.float64] | None:
        sizes = self._numbers("rlnImagePixelSize")
        field = "_rlnImagePixelSize"
        if sizes is None:
            sizes, field = self._numbers("rlnDetectorPixelSize"), "_rlnDetectorPixelSize"
            magnification = self._numbers("rlnMagnification")
            # µm on the detector. Without a magnification the column holds Å, as tomoDRGN and
            # Warp write it: the same as RELION's nominal magnification of 10,000.
            if sizes is not None and magnification is not None:
                with np.errstate(divide="ignore"):
                    sizes = sizes / magnification * 1e4
        if sizes is None:
            return None
        bad = ~(np.isfinite(sizes) & (sizes > 0))
        if bad.any():
            raise InputError(
                "the pixel size must be positive",
                file=self.source.path,
                field=field,
                value=sizes[np.argmax(bad)],
            )
        if sizes.max() > (1 + PIXEL_SIZE_TOLERANCE) * sizes.min():
            raise InputError(
                "optics groups have different pixel sizes; rescale all particles to one",
                file=self.source.path,
                field=field,
                value=" and ".join(f"{size:g}" for size in np.unique(sizes)),
            )
        return sizes

    def _shifts(self, box: int) -> tuple[npt.NDArray[np.float64], str]:
        """Shifts as fractions of the box, and the column they come from."""
        if "rlnOriginXAngst" in self.columns or "rlnOriginYAngst" in self.columns:
            angstrom = [self._required(f"rlnOrigin{axis}Angst") for axis in "XY"]
            sizes = self._pixel_sizes()
            if sizes is None:
                raise InputError(
                    "shifts in Å need a pixel size, and the table has none",
                    file=self.source.path,
                    field="_rlnImagePixelSize",
                )
            return np.stack(angstrom, axis=1) / (sizes * box)[:, None], "_rlnOriginXAngst"
        if "rlnOriginX" in self.columns or "rlnOriginY" in self.columns:
            pixels = [self._required(f"rlnOrigin{axis}") for axis in "XY"]
            return np.stack(pixels, axis=1) / box, "_rlnOriginX"
        return np.zeros((len(self.columns), 2)), "_rlnOriginX"

    def _numbers(self, column: str) -> npt.NDArray[np.float64] | None:
        return self._required(column) if column in self.columns else None

    def _required(self, column: str) -> npt.NDArray[np.float64]:
        """A column as finite numbers."""
        if column not in self.columns:
            raise InputError("this column is missing", file=self.source.path, field=f"_{column}")
        written = self.columns[column]
        values = np.asarray(pd.to_numeric(written, errors="coerce"), dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{int(bad.sum())} rows hold no finite number here; the first one is row {row + 1} "
                "(counted from 1)",
                file=self.source.path,
                field=f"_{column}",
                value=written.iloc[row],
            )
        return values


def read_star(path: str | Path) -> StarTable:
    """Read a RELION particle table.

    Parameters
    ----------
    path : path-like
        A ``.star`` file with a block that has ``_rlnImageName``; where several have, the longest.

    Returns
    -------
    StarTable
        Values of an optics group are joined to its particles; a column that the particles have
        themselves is kept.

    Raises
    ------
    InputError
        Where the file is missing or damaged, has no particles, names an optics group that it does
        not describe, or has an unreadable image name.
    """
    path = Path(path).absolute()
    blocks = _read_blocks(path)
    tables = {name: frame for name, frame in blocks.items() if "rlnImageName" in frame}
    if not tables:
        raise InputError("no block has this column", file=path, field="_rlnImageName")
    name = max(tables, key=lambda name: len(tables[name]))
    if not len(tables[name]):
        raise InputError("the table has no rows", file=path, field="_rlnImageName")
    optics = next((f for key, f in blocks.items() if key == "optics" and key != name), None)
    columns = _with_optics(tables[name], optics, path)
    tilt_series = _tilt_series(columns)
    references = _references(columns["rlnImageName"], path, plain_names=tilt_series is not None)
    source = SourceTable(path, "star", len(columns), references.fingerprint())
    return StarTable(source, references, columns, tilt_series)


def _read_blocks(path: Path) -> dict[str, pd.DataFrame]:
    require_file(path)
    try:
        blocks = starfile.read(path, always_dict=True, parse_as_string=_TEXT)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", file=path) from error
    # ParserError, UnicodeDecodeError and EmptyDataError are ValueErrors.
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"this is no readable STAR file ({error})", file=path) from error
    # A block of one row may be written as a list of names and values.
    return {
        str(name): pd.DataFrame([block]) if isinstance(block, dict) else block
        for name, block in blocks.items()
    }


def _with_optics(particles: pd.DataFrame, optics: pd.DataFrame | None, path: Path) -> pd.DataFrame:
    """Particles with the columns of their optics group."""
    if optics is None or not len(optics):
        return particles.reset_index(drop=True)
    if "rlnOpticsGroup" not in optics:
        raise InputError(
            "this column is missing in the optics block", file=path, field="_rlnOpticsGroup"
        )
    if "rlnOpticsGroup" not in particles:
        if len(optics) > 1:
            raise InputError(
                f"this column is missing, and there are {len(optics)} optics groups",
                file=path,
                field="_rlnOpticsGroup",
            )
        groups = np.zeros(len(particles), dtype=np.int64)
    else:
        known = pd.Index(optics["rlnOpticsGroup"])
        if not known.is_unique:
            raise InputError(
                "this optics group is described twice",
                file=path,
                field="_rlnOpticsGroup",
                value=known[known.duplicated()][0],
            )
        groups = known.get_indexer(pd.Index(particles["rlnOpticsGroup"]))
        if (groups < 0).any():
            row = int(np.argmin(groups))
            raise InputError(
                f"row {row + 1} (counted from 1) belongs to an optics group that the optics block "
                "does not describe",
                file=path,
                field="_rlnOpticsGroup",
                value=particles["rlnOpticsGroup"].iloc[row],
            )
    added = optics[[column for column in optics if column not in particles]]
    joined = added.iloc[groups].reset_index(drop=True)
    return pd.concat([particles.reset_index(drop=True), joined], axis=1)


def _tilt_series(columns: pd.DataFrame) -> str | None:
    """Why these are views of tilt series; None where they are single particles."""
    if "rlnTomoParticleName" in columns or "rlnTomoVisibleFrames" in columns:
        return "each row is a particle of a tomogram, with one image for each tilt"
    if {"rlnGroupName", "rlnCtfScalefactor"} <= set(columns):
        # Warp and M write one row for each tilt, scaled by the cosine of its angle; a group of
        # RELION's single particles, a micrograph, has one scale.
        scales = columns.groupby("rlnGroupName")["rlnCtfScalefactor"].nunique()
        if (scales > 1).mean() > 0.5:
            return "rows of one _rlnGroupName are the tilts of one particle"
    return None


def _references(names: pd.Series, path: Path, *, plain_names: bool) -> ImageReferences:
    """Files and sections of names like ``000001@stack.mrcs``, whose numbers begin at 1."""
    numbers = np.zeros(len(names), dtype=np.int64)
    files: list[str] = []
    for row, name in enumerate(names.astype(str)):
        number, at, file = name.partition("@")
        if not at and plain_names:
            number, file = "1", name
        if not file or not number.strip().isdecimal() or int(number) < 1:
            raise InputError(
                f"row {row + 1} (counted from 1) has no image name of the form number@stack, "
                "the numbers from 1",
                file=path,
                field="_rlnImageName",
                value=name,
            )
        numbers[row] = int(number) - 1
        files.append(file)
    return ImageReferences.of_rows(files, numbers)
