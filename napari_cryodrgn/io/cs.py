"""cryoSPARC's particle tables (``.cs``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import rotations_from_vectors
from napari_cryodrgn.io.checks import check_ctf, check_shifts, require_file
from napari_cryodrgn.io.npy import read_npy
from napari_cryodrgn.io.particle_table import ImageReferences, fingerprint_of, renamed, seven_digits
from napari_cryodrgn.particles import CTFParameters, Poses, SourceTable

_CTF = {
    "defocus_u": "ctf/df1_A",
    "defocus_v": "ctf/df2_A",
    "defocus_angle": "ctf/df_angle_rad",
    "voltage": "ctf/accel_kv",
    "spherical_aberration": "ctf/cs_mm",
    "amplitude_contrast": "ctf/amp_contrast",
    "phase_shift": "ctf/phase_shift_rad",
}
_IN_RADIANS = ("defocus_angle", "phase_shift")

_OUR_NAMES = {
    "location/micrograph_path": "micrograph",
    "ctf/exp_group_id": "optics_group",
    "alignments3D/class": "class",
    "alignments2D/class": "class_2d",
    "alignments3D/split": "half_set",
    "location/center_x_frac": "coordinate_x",
    "location/center_y_frac": "coordinate_y",
}


@dataclass(frozen=True, eq=False)
class CryoSparcTable:
    """A cryoSPARC particle table; see `particle_table.ParticleTable`.

    Parameters
    ----------
    source : SourceTable
        Path, kind, number of rows, fingerprint.
    references : ImageReferences
        Where the images lie.
    fields : (N,) structured array
        The file as it is.
    """

    source: SourceTable
    references: ImageReferences
    fields: npt.NDArray[np.void]

    @property
    def tilt_series(self) -> str | None:
        """None: cryoSPARC's tables hold single particles."""
        return None

    @property
    def metadata(self) -> pd.DataFrame:
        """Every field, by our names where we know them.

        Angles are in degrees under our names; the parts of a vector are columns of their own,
        ``alignments3D/shift[0]`` and so on.
        """
        columns: dict[str, Any] = {"image_name": self._image_names()}
        for name, field in _CTF.items():
            if field in self._names:
                values = self.fields[field].astype(np.float64)
                columns[name] = np.degrees(values) if name in _IN_RADIANS else values
        for field in self._names:
            values = self.fields[field]
            if values.ndim == 1:
                columns[field] = _text(values) if values.dtype.kind in "SU" else values
            else:
                flat = values.reshape(len(values), -1)
                columns |= {f"{field}[{i}]": flat[:, i] for i in range(flat.shape[1])}
        return renamed(pd.DataFrame(columns), _OUR_NAMES)

    @property
    def box(self) -> int | None:
        """Side of the images by ``blob/shape``, px."""
        if "blob/shape" not in self._names:
            return None
        shapes = self._finite("blob/shape")
        if (shapes != shapes[0, 0]).any():
            raise InputError(
                "images must be square and all of one size",
                file=self.source.path,
                field="blob/shape",
                value=" and ".join(str(tuple(map(int, s))) for s in np.unique(shapes, axis=0)),
            )
        return int(shapes[0, 0])

    @property
    def pixel_size(self) -> float | None:
        """Å per pixel by ``blob/psize_A``, of the first particle."""
        sizes = self._pixel_sizes("blob/psize_A")
        return None if sizes is None else seven_digits(float(sizes[0]))

    def poses(self, box: int) -> Poses | None:
        """Poses of a 3D alignment; None where the table has none.

        ``alignments3D`` is used; else, of an ab-initio job's ``alignments_class_K``, the class
        with the highest mean posterior, for all particles: the classes' frames differ, so that
        poses of several cannot be mixed.

        Shifts are in pixels of the alignment, whose size (``psize_A``) may differ from the
        images' own where particles were binned for the alignment.

        Parameters
        ----------
        box : int
            Side of the images, px, where the table has no ``blob/shape``.
        """
        group = self.alignment
        if group is None:
            return None
        vectors = self._finite(f"{group}/pose")
        if vectors.ndim != 2 or vectors.shape[1] != 3:
            raise InputError(
                "3D poses are rotation vectors of three numbers",
                file=self.source.path,
                field=f"{group}/pose: shape",
                value=vectors.shape,
            )
        rotations = rotations_from_vectors(vectors)
        field = f"{group}/shift"
        shifts = self._finite(field) / (self.box or box)
        aligned = self._pixel_sizes(f"{group}/psize_A")
        images = self._pixel_sizes("blob/psize_A")
        if aligned is not None and images is not None:
            shifts = shifts * (aligned / images)[:, None]
        check_shifts(shifts, len(rotations), file=self.source.path, field=field)
        return Poses(rotations, shifts.astype(np.float32))

    def ctf(
        self, box: int, pixel_size: float | None, defaults: Mapping[str, float]
    ) -> CTFParameters | None:
        """CTF parameters, radians turned into degrees; None where the table has no defocus.

        Parameters
        ----------
        box : int
            Side of the images, px, where the table has none.
        pixel_size : float or None
            Å per pixel, where the table has none.
        defaults : mapping
            Values for fields that the table lacks, by `CTFParameters.COLUMNS`.
        """
        if "ctf/df1_A" not in self._names:
            return None
        n = len(self.fields)
        sizes: Any = self._pixel_sizes("blob/psize_A")
        sizes = pixel_size if sizes is None else sizes
        if sizes is None:
            raise InputError(
                "neither the table nor its images say the pixel size",
                file=self.source.path,
                field="blob/psize_A",
            )
        values = [np.full(n, self.box or box, float), np.broadcast_to(sizes, n)]
        for name, field in _CTF.items():
            if field not in self._names and name in defaults:
                values.append(np.full(n, defaults[name]))
            else:
                found = self._finite(field)
                values.append(np.degrees(found) if name in _IN_RADIANS else found)
        table = np.stack(values, axis=1)
        check_ctf(table, file=self.source.path)
        return CTFParameters(table)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.fields.dtype.names or ()

    def _image_names(self) -> npt.NDArray[np.object_]:
        files = np.array(self.references.files, dtype=object)[self.references.file_numbers]
        numbers = (self.references.sections + 1).astype(str).astype(object)
        return np.asarray(numbers + "@" + files, dtype=object)

    @property
    def alignment(self) -> str | None:
        """Fields whose poses are used: ``alignments3D``, or those of one ab-initio class."""
        if "alignments3D/pose" in self._names:
            return "alignments3D"
        groups = [
            name.removesuffix("/pose")
            for name in self._names
            if re.fullmatch(r"alignments_class_\d+/pose", name)
        ]
        groups.sort(key=lambda group: int(group.rsplit("_", 1)[1]))
        posteriors = [f"{group}/class_posterior" for group in groups]
        if not all(name in self._names for name in posteriors) or not groups:
            return groups[0] if groups else None
        return groups[int(np.argmax([self._finite(name).mean() for name in posteriors]))]

    def _pixel_sizes(self, field: str) -> npt.NDArray[np.float64] | None:
        if field not in self._names:
            return None
        sizes = self._finite(field)
        if (sizes <= 0).any():
            raise InputError(
                "the pixel size must be positive",
                file=self.source.path,
                field=field,
                value=sizes[np.argmax(sizes <= 0)],
            )
        return sizes

    def _finite(self, field: str) -> npt.NDArray[np.float64]:
        """A field as finite numbers."""
        if field not in self._names:
            raise InputError("this column is missing", file=self.source.path, field=field)
        values = self.fields[field]
        if values.dtype.kind not in "biuf":
            raise InputError(
                "numbers were expected", file=self.source.path, field=field, value=values.dtype
            )
        with np.errstate(invalid="ignore"):  # some kinds of NaN
            numbers = values.astype(np.float64)
        finite = np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InputError(
                f"{int((~finite).sum())} rows hold NaN or infinite numbers; the first one is "
                f"row {row + 1} (counted from 1)",
                file=self.source.path,
                field=field,
                value=numbers[row],
            )
        return numbers


def read_cs(path: str | Path) -> CryoSparcTable:
    """Read a cryoSPARC particle table.

    Raises
    ------
    InputError
        Where the file is missing, no ``.cs`` file, empty, or names no images.
    """
    path = Path(path).absolute()
    fields = _load(path)
    names = fields.dtype.names or ()
    for needed in ("blob/path", "blob/idx"):
        if needed not in names:
            raise InputError("this column is missing", file=path, field=needed)
    if not len(fields):
        raise InputError("the table has no rows", file=path)
    if fields["blob/idx"].dtype.kind not in "iu" or fields["blob/idx"].ndim != 1:
        kind = fields["blob/idx"].dtype
        raise InputError("whole numbers were expected", file=path, field="blob/idx", value=kind)
    if fields["blob/path"].dtype.kind not in "SU" or fields["blob/path"].ndim != 1:
        kind = fields["blob/path"].dtype
        raise InputError("names were expected", file=path, field="blob/path", value=kind)
    files = [name.removeprefix(">") for name in _text(fields["blob/path"])]
    references = ImageReferences.of_rows(files, fields["blob/idx"].astype(np.int64))
    if "uid" in names:
        fingerprint = fingerprint_of(np.ascontiguousarray(fields["uid"]).tobytes())
    else:
        fingerprint = references.fingerprint()
    return CryoSparcTable(SourceTable(path, "cs", len(fields), fingerprint), references, fields)


def _load(path: Path) -> npt.NDArray[np.void]:
    require_file(path)
    try:
        fields = read_npy(path)
    except InputError as error:
        problem = f"this is no readable .cs file: {error.problem}"
        raise InputError(problem, file=path) from error
    if fields.dtype.names is None or fields.ndim != 1:
        raise InputError("this is no cryoSPARC table (a NumPy array with named columns)", file=path)
    return fields


def _text(values: npt.NDArray[Any]) -> list[str]:
    """Byte strings as text, of whatever encoding."""
    if values.dtype.kind == "U":
        return [str(value) for value in values]
    return [value.decode("utf-8", "replace") for value in values.tolist()]
