"""cryoDRGN's pickled tables: poses, CTF parameters, indices, latents, plain arrays.

Reading never runs code (see `restricted_pickle`) and checks what it finds;
writing gives cryoDRGN's layouts, whole or not at all.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import check_rotations
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.checks import check_ctf, check_shifts, require_file
from napari_cryodrgn.io.restricted_pickle import RestrictedUnpickler, UnsafePickleError
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses

PROTOCOL = 4
"""cryoDRGN's own; readable by every Python since 3.4."""

LARGEST_LATENT = 1e12
"""Beyond it float32 has no squares to compute distances with; latents are about 1."""

_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    struct.error,
)


@dataclass(frozen=True, eq=False)
class Latents:
    """Latent coordinates of a particle set.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Mean of each particle's latent distribution.
    logvar : (N, zdim) float32 array or None
        Logarithm of its variance; None where the method has none (train_dec, abinit).
    """

    mu: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32] | None = None


def load_pickle(path: str | Path, n: int | None = None) -> Any:
    """Read pickled arrays, numbers, text and plain containers, never code.

    Parameters
    ----------
    path : path-like
        The file.
    n : int, optional
        How many consecutive pickles to read; None for the first alone.

    Returns
    -------
    object
        The object; with `n` the list of the `n` objects. Arrays are writable and in native byte
        order.

    Raises
    ------
    InputError
        Where the file is missing, damaged, holds fewer than `n` pickles, or asks for anything
        else than data.
    """
    objects = _objects(Path(path), 1 if n is None else n)
    if n is None:
        return objects[0]
    if len(objects) < n:
        raise InputError(f"it holds {len(objects)} pickled objects, not {n}", file=path)
    return objects


def read_array(path: str | Path) -> npt.NDArray[Any]:
    """Read one pickled array of numbers (labels, UMAP coordinates, …); lists are converted.

    Raises
    ------
    InputError
        As `load_pickle`, and where the file holds no array.
    """
    return _numbers(load_pickle(path), Path(path), "array")


def write_array(path: str | Path, array: npt.ArrayLike) -> None:
    """Write one array as cryoDRGN does (``labels.pkl``, ``umap.pkl``, …)."""
    _dump(path, np.asarray(array))


def read_poses(path: str | Path, box: int | None = None) -> Poses:
    """Read ``poses.pkl``.

    Parameters
    ----------
    path : path-like
        A pickled (rotations, shifts), (rotations,) or bare rotations, (N, 3, 3) each.
    box : int, optional
        Side of the images, px; only for the advice in an error message.

    Returns
    -------
    Poses
        Shifts are zero where the file has none.

    Raises
    ------
    InputError
        Where the file cannot be read, shapes or counts disagree, a number is NaN or infinite, a
        matrix is no rotation, or shifts exceed the box, as pixels would.
    """
    path = Path(path)
    content = load_pickle(path)
    parts: Sequence[Any] = content if isinstance(content, (tuple, list)) else (content,)
    # A list of matrices is bare rotations as well.
    if isinstance(content, list) and len(content) > 2:
        parts = (content,)
    if not 1 <= len(parts) <= 2:
        raise InputError(
            "poses are rotations, or rotations and shifts",
            file=path,
            field="poses: parts",
            value=len(parts),
        )
    rotations = as_float32(parts[0], path, "rotations")
    check_rotations(rotations, file=path)
    if len(parts) == 1:
        return Poses(rotations, np.zeros((len(rotations), 2), np.float32))
    shifts = as_float32(parts[1], path, "shifts")
    check_shifts(shifts, len(rotations), file=path, box=box)
    return Poses(rotations, shifts)


def write_poses(path: str | Path, poses: Poses) -> None:
    """Write ``poses.pkl``: the tuple (rotations, shifts as fractions of the box), float32."""
    rotations = np.ascontiguousarray(poses.rotations, np.float32)
    _dump(path, (rotations, np.ascontiguousarray(poses.shifts, np.float32)))


def read_ctf(path: str | Path) -> CTFParameters:
    """Read ``ctf.pkl``, (N, 9) float32 or float64.

    Raises
    ------
    InputError
        Where the file cannot be read, has another shape, or a value is impossible.
    """
    path = Path(path)
    table = _cast(_numbers(load_pickle(path), path, "CTF"), np.float64)
    check_ctf(table, file=path)
    return CTFParameters(table)


def write_ctf(path: str | Path, ctf: CTFParameters) -> None:
    """Write ``ctf.pkl``: (N, 9) float32."""
    _dump(path, np.ascontiguousarray(ctf.table, np.float32))


def read_indices(path: str | Path, n_source: int, fingerprint: str = "") -> ParticleRows:
    """Read ``ind.pkl``: row numbers, 0-based, into a table of `n_source` rows.

    Parameters
    ----------
    path : path-like
        A pickled array or list of whole numbers.
    n_source : int
        Rows of the whole source table.
    fingerprint : str
        Its fingerprint; "" where the table is unknown.

    Returns
    -------
    ParticleRows
        In the order of the file.

    Raises
    ------
    InputError
        Where the file cannot be read, holds none or other than whole numbers, or an index is out
        of range or repeated.
    """
    path = Path(path)
    indices = _numbers(load_pickle(path), path, "indices")
    if indices.size == 0:
        raise InputError("the selection is empty", file=path)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise InputError(
            "indices are a one-dimensional array of whole numbers",
            file=path,
            field="indices",
            value=f"{indices.dtype} array of shape {indices.shape}",
        )
    try:
        return ParticleRows(indices.astype(np.int64), n_source, fingerprint)
    except InputError as error:
        raise InputError(error.problem, file=path, field=error.field, value=error.value) from None


def write_indices(path: str | Path, rows: ParticleRows) -> None:
    """Write ``ind.pkl``: int64 row numbers into the full source table."""
    _dump(path, np.array(rows.rows))


def read_latents(path: str | Path) -> Latents:
    """Read ``z.N.pkl`` of any of cryoDRGN's methods.

    Parameters
    ----------
    path : path-like
        Two consecutive pickles (mean, log-variance) of train_vae, or one array of train_dec
        (float32) or abinit (float64).

    Raises
    ------
    InputError
        Where the file cannot be read, holds no two-dimensional array, or NaN or infinity.
    """
    path = Path(path)
    arrays = [as_float32(found, path, "z") for found in _objects(path, 2)]
    for array in arrays:
        if array.ndim != 2 or array.shape != arrays[0].shape:
            raise InputError(
                "latents are an array of N rows and zdim columns, and log-variances of that shape",
                file=path,
                field="z: shape",
                value=" and ".join(str(other.shape) for other in arrays),
            )
        finite = (np.abs(array) < LARGEST_LATENT).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{int((~finite).sum())} particles have NaN, infinite or impossibly large latents",
                file=path,
                field="z: first such row (counted from 0)",
                value=int(np.argmin(finite)),
            )
    return Latents(*arrays)


def write_latents(path: str | Path, latents: Latents) -> None:
    """Write ``z.N.pkl``: mean, then log-variance where there is one, float32."""
    parts = [latents.mu] if latents.logvar is None else [latents.mu, latents.logvar]
    _dump(path, *(np.ascontiguousarray(part, np.float32) for part in parts))


def as_float32(found: Any, path: Path, what: str) -> npt.NDArray[np.float32]:
    """What was found in a file as an array of numbers.

    Parameters
    ----------
    found : object
    path : Path
        The file, for the message.
    what : str
        What it is in the file.

    Returns
    -------
    float32 array
        What float32 cannot hold has become infinite.

    Raises
    ------
    InputError
        Where it is not numbers.
    """
    return _cast(_numbers(found, path, what), np.float32)


def _objects(path: Path, limit: int) -> list[Any]:
    """The first `limit` consecutive pickles, or as many as there are, at least one."""
    require_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", file=path) from error
    if data.startswith(b"PK\x03\x04"):
        raise InputError(
            "this is an archive, as torch.save writes, and no pickled table", file=path
        )
    file = io.BytesIO(data)
    objects: list[Any] = []
    while len(objects) < limit and (not objects or file.tell() < len(data)):
        try:
            objects.append(RestrictedUnpickler(file).load())
        except UnsafePickleError as error:
            raise InputError(
                f"this pickle is refused: {error}",
                file=path,
                hint="Only numpy arrays, numbers, text and plain containers are read",
            ) from error
        except _DAMAGE as error:
            raise InputError(
                f"this is no readable pickle ({type(error).__name__}: {error})", file=path
            ) from error
    return objects


def _numbers(found: Any, path: Path, what: str) -> npt.NDArray[Any]:
    """The object as an array of real numbers."""
    try:
        array = np.asarray(found)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf" or isinstance(found, (dict, set)):
        raise InputError(
            "an array of numbers was expected",
            file=path,
            field=what,
            value=f"{type(found).__name__}",
        )
    return array


def _cast(array: npt.NDArray[Any], kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
    """Numbers of another type; what that cannot hold becomes infinite, and is then found."""
    with np.errstate(invalid="ignore", over="ignore"):
        return array.astype(kind)


def _dump(path: str | Path, *objects: object) -> None:
    with replacing(path) as file:
        for written in objects:
            pickle.dump(written, file, protocol=PROTOCOL)
