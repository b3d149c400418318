"""Rotations of particles: Euler angles, axis-angle vectors, matrices.

One convention throughout, cryoDRGN's: a point of the image plane (x, y, 0), as
a row vector, times the matrix gives its place in the volume frame. The matrix
is thus the transpose of the active intrinsic ZYZ rotation that RELION's angles
describe, and the transpose of the exponential of cryoSPARC's axis-angle vector.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from napari_cryodrgn.errors import InputError

ORTHONORMALITY_TOLERANCE = 1e-3
"""Largest deviation of R Rᵀ from the identity; others' float32 tables reach 1e-6, and
matrices rebuilt from angles rounded to text stay exact, so this leaves ample room."""


def rotations_from_euler(
    rot: npt.ArrayLike, tilt: npt.ArrayLike, psi: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Rotation matrices of RELION's Euler angles.

    Parameters
    ----------
    rot, tilt, psi : (N,) array-like
        ``_rlnAngleRot``, ``_rlnAngleTilt``, ``_rlnAnglePsi``, degrees.

    Returns
    -------
    (N, 3, 3) float32 array
    """
    angles = np.stack([np.atleast_1d(np.asarray(a, np.float64)) for a in (rot, tilt, psi)], axis=1)
    if not len(angles):
        return np.empty((0, 3, 3), np.float32)
    active = Rotation.from_euler("ZYZ", angles, degrees=True).as_matrix()
    return np.ascontiguousarray(active.transpose(0, 2, 1), dtype=np.float32)


def euler_from_rotations(
    rotations: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """RELION's Euler angles of rotation matrices.

    Parameters
    ----------
    rotations : (N, 3, 3) array-like
        Matrices in our convention.

    Returns
    -------
    rot, tilt, psi : (N,) float64 arrays
        Degrees; rot and psi in [-180, 180], tilt in [0, 180]. Where the tilt is
        0 or 180 only a combination of rot and psi is defined, and rot is 0, as
        RELION has it.
    """
    active = np.asarray(rotations, dtype=np.float64).transpose(0, 2, 1)
    sine_of_tilt = np.hypot(active[:, 0, 2], active[:, 1, 2])
    tilt = np.arctan2(sine_of_tilt, active[:, 2, 2])
    defined = sine_of_tilt > 1e-7
    rot = np.where(defined, np.arctan2(active[:, 1, 2], active[:, 0, 2]), 0.0)
    # Taking psi from what is left after undoing rot, instead of from the last row, keeps the
    # product exact near tilt 0, where rot and psi are each ill-determined in float32.
    sine, cosine = np.sin(rot), np.cos(rot)
    psi = np.arctan2(
        cosine * active[:, 1, 0] - sine * active[:, 0, 0],
        cosine * active[:, 1, 1] - sine * active[:, 0, 1],
    )
    return np.degrees(rot), np.degrees(tilt), np.degrees(psi)


def rotations_from_vectors(vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Rotation matrices of cryoSPARC's axis-angle vectors.

    Parameters
    ----------
    vectors : (N, 3) array-like
        ``alignments3D/pose``: rotation axis times angle in radians. The zero
        vector is the identity.

    Returns
    -------
    (N, 3, 3) float32 array
    """
    vectors = np.asarray(vectors, dtype=np.float64).reshape(-1, 3)
    if not len(vectors):
        return np.empty((0, 3, 3), np.float32)
    active = Rotation.from_rotvec(vectors).as_matrix()
    return np.ascontiguousarray(active.transpose(0, 2, 1), dtype=np.float32)


def random_rotations(n: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Rotations drawn uniformly (Haar measure).

    Parameters
    ----------
    n : int
        How many.
    rng : Generator
        Source of randomness.

    Returns
    -------
    (n, 3, 3) float32 array
    """
    if n == 0:
        return np.empty((0, 3, 3), np.float32)
    # A normalised 4-D Gaussian vector is a uniform unit quaternion.
    matrices = Rotation.from_quat(rng.standard_normal((n, 4))).as_matrix()
    return np.asarray(matrices, dtype=np.float32)


def check_rotations(rotations: npt.NDArray[np.floating], *, file: str | Path | None) -> None:
    """Make sure that matrices are rotations.

    Parameters
    ----------
    rotations : (N, 3, 3) array
        The matrices.
    file : path-like or None
        The file they come from, for the message.

    Raises
    ------
    InputError
        Where the shape is another, a number is NaN or infinite, or a matrix is not orthonormal
        with determinant +1; names the first such row, 0-based.
    """
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3):
        raise InputError(
            "rotations must be N matrices of 3 x 3",
            file=file,
            field="rotations: shape",
            value=rotations.shape,
        )
    finite = np.isfinite(rotations).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            f"{int((~finite).sum())} rotation matrices hold NaN or infinite numbers",
            file=file,
            field="rotations: first such row (counted from 0)",
            value=int(np.argmin(finite)),
        )
    # Huge entries may overflow to infinity here, which then is simply no rotation.
    with np.errstate(over="ignore", invalid="ignore"):
        product = rotations @ rotations.transpose(0, 2, 1)
        deviation = np.abs(product - np.eye(3, dtype=rotations.dtype)).max(axis=(1, 2), initial=0.0)
        good = (deviation <= ORTHONORMALITY_TOLERANCE) & (np.linalg.det(rotations) > 0)
    if not good.all():
        row = int(np.argmin(good))
        entries = np.array2string(rotations[row].reshape(-1), precision=4, separator=", ")
        raise InputError(
            f"{int((~good).sum())} matrices are not rotations "
            "(orthonormal with determinant +1); the first one is row "
            f"{row} (counted from 0)",
            file=file,
            field="rotation",
            value=entries.replace("\n", ""),
        )
