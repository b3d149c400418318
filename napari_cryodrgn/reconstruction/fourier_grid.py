"""Sums of CTF-weighted images in Fourier volumes, and the maps that they make.

Direct Fourier inversion: each Fourier pixel of an image is put at its place in the volume,
shared among the eight voxels around it (trilinear weights), together with the square of its
CTF; the map is the quotient of both sums, regularised where little was seen (Wiener filter).
Only one half of each volume is held, the rest follows from the symmetry of real maps.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt
import scipy.fft

FADE_FROM = 0.7
"""Share of half the box from which maps fade to nothing at its edge."""

Sums = npt.NDArray[np.float32]


def empty_sums(groups: int, box: int) -> Sums:
    """Volumes of sums, all zero.

    Parameters
    ----------
    groups : int
        How many, for instance one for each half of the particles.
    box : int
        Side of the maps, px; even.

    Returns
    -------
    (groups, box + 1, box + 1, box // 2 + 1, 3) float32 array
        Real and imaginary part of Σ CTF · F and Σ CTF², over z, y and x >= 0. Single precision:
        the error is measured in docs/benchmarks.md.
    """
    return np.zeros((groups, *_shape(box), 3), np.float32)


def sums_bytes(box: int) -> int:
    """Bytes of the sums of one group."""
    return math.prod(_shape(box)) * 12


@numba.njit(nogil=True, fastmath=True)
def add_images(sums, groups, weights, values, ctf, rotations, points):  # type: ignore[no-untyped-def]
    """Add images to the sums.

    Compiled when first called, which takes about a second; not kept on disk, where the
    package's folder may be read-only.

    Parameters
    ----------
    sums : (G, box + 1, box + 1, box // 2 + 1, 3) float32 array
        Changed in place.
    groups : (B,) int64 array
        Which sums each image belongs to.
    weights : (B,) float32 array
        How much each image counts.
    values : (B, P) complex64 array
        Their Fourier transforms.
    ctf : (B, P) float32 array
        Their contrast transfer functions.
    rotations : (B, 3, 3) float32 array
        Their orientations: a point of the plane, as a row vector, times the matrix.
    points : (P, 2) float32 array
        Frequencies x, y in steps of 1 / box, all nearer to 0 than box / 2.
    """
    half = sums.shape[3] - 1
    for image in range(values.shape[0]):
        volume = sums[groups[image]]
        weight = weights[image]
        xx, xy, xz = rotations[image, 0, 0], rotations[image, 0, 1], rotations[image, 0, 2]
        yx, yy, yz = rotations[image, 1, 0], rotations[image, 1, 1], rotations[image, 1, 2]
        for point in range(points.shape[0]):
            px, py = points[point, 0], points[point, 1]
            x, y, z = px * xx + py * yx, px * xy + py * yy, px * xz + py * yz
            transfer = ctf[image, point]
            scaled = weight * transfer
            real = scaled * values[image, point].real
            imaginary = scaled * values[image, point].imag
            square = scaled * transfer
            if x < 0:
                # The value at −k is the conjugate of that at k.
                x, y, z, imaginary = -x, -y, -z, -imaginary
            y += half
            z += half
            left, front, bottom = int(x), int(y), int(z)
            right_share, back_share, top_share = x - left, y - front, z - bottom
            for step_z in range(2):
                share_z = top_share if step_z else 1 - top_share
                for step_y in range(2):
                    share_zy = share_z * (back_share if step_y else 1 - back_share)
                    row = volume[bottom + step_z, front + step_y]
                    share = share_zy * (1 - right_share)
                    row[left, 0] += share * real
                    row[left, 1] += share * imaginary
                    row[left, 2] += share * square
                    share = share_zy * right_share
                    row[left + 1, 0] += share * real
                    row[left + 1, 1] += share * imaginary
                    row[left + 1, 2] += share * square


def symmetrised(sums: Sums) -> Sums:
    """Sums of one group in which k and −k, both on the plane x = 0, have been added up.

    Parameters
    ----------
    sums : (box + 1, box + 1, box // 2 + 1, 3) float32 array

    Returns
    -------
    array of the same shape
        A copy; to be made once all images are in.
    """
    whole = sums.copy()
    plane = sums[:, :, 0]
    whole[:, :, 0] += plane[::-1, ::-1] * np.array([1, -1, 1], np.float32)
    return whole


def map_spectrum(
    symmetric: Sums, regularisation: float | npt.NDArray[np.floating]
) -> npt.NDArray[np.complex64]:
    """Quotient of the sums: the map's Fourier transform, over z, y and x >= 0, centred.

    Parameters
    ----------
    symmetric : (box + 1, box + 1, box // 2 + 1, 3) float32 array
        From `symmetrised`.
    regularisation : float or (S,) array
        Added to Σ CTF², as a multiple of its mean over the shell; of each shell, the last
        counting for all beyond.

    Returns
    -------
    (box + 1, box + 1, box // 2 + 1) complex64 array
    """
    weight = symmetric[..., 2]
    shells = grid_shells(len(symmetric) - 1)
    factors = np.atleast_1d(np.asarray(regularisation, np.float64))
    means = shell_means(weight)
    known = factors[np.minimum(np.arange(len(means)), len(factors) - 1)]
    # Shells that no image reaches stay empty.
    added = np.where(means > 0, np.maximum(known * means, 1e-6 * means), 1.0)
    divisor = weight + added.astype(np.float32)[shells]
    complex_sums = symmetric[..., 0] + 1j * symmetric[..., 1]
    return np.asarray(complex_sums / divisor, np.complex64)


def map_of_spectrum(spectrum: npt.NDArray[np.complexfloating]) -> npt.NDArray[np.float32]:
    """The map of a centred spectrum: corrected for the trilinear weights, fading at the edge.

    Parameters
    ----------
    spectrum : (box + 1, box + 1, box // 2 + 1) complex array

    Returns
    -------
    (box, box, box) float32 array
        Axes z, y, x; same place, hand and scale as decoded maps.
    """
    box = len(spectrum) - 1
    kept = spectrum[:-1, :-1].copy()
    # Signs of Nyquist frequencies are not known; no image has them.
    kept[0], kept[:, 0], kept[:, :, -1] = 0, 0, 0
    density = scipy.fft.irfftn(scipy.fft.ifftshift(kept, axes=(0, 1)), (box, box, box))
    return np.asarray(scipy.fft.fftshift(density) * _envelope(box), np.float32)


def volume_of_sums(
    sums: Sums, regularisation: float | npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """The map of one group's sums: `symmetrised`, `map_spectrum`, `map_of_spectrum`."""
    return map_of_spectrum(map_spectrum(symmetrised(sums), regularisation))


def shell_means(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Means over shells of a centred half volume, (box + 1, box + 1, box // 2 + 1)."""
    shells = grid_shells(len(values) - 1)
    counts = np.bincount(shells.reshape(-1))
    sums = np.bincount(shells.reshape(-1), values.reshape(-1).astype(np.float64))
    return np.asarray(sums / np.maximum(counts, 1), np.float64)


@lru_cache(maxsize=2)
def grid_shells(box: int) -> npt.NDArray[np.int32]:
    """Shell (rounded distance from frequency 0) of each voxel of a centred half volume."""
    half = box // 2
    axis = np.arange(-half, half + 1, dtype=np.float32)
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis[half:] ** 2
    shells = np.asarray(np.rint(np.sqrt(squared)), np.int32)
    shells.flags.writeable = False
    return shells


@lru_cache(maxsize=2)
def _envelope(box: int) -> npt.NDArray[np.float32]:
    """Undoes the fall-off that trilinear weights cause (sinc²), and fades the map out.

    Noise fills the box, and the correction would raise it most where the particle is not.
    """
    places = (np.arange(box) - box // 2) / box
    fall = np.sinc(places) ** 2
    correction = 1 / (fall[:, None, None] * fall[:, None] * fall)
    squared = places[:, None, None] ** 2 + places[:, None] ** 2 + places**2
    share = np.clip((2 * np.sqrt(squared) - FADE_FROM) / (1 - FADE_FROM), 0, 1)
    envelope = (correction * (0.5 + 0.5 * np.cos(np.pi * share))).astype(np.float32)
    envelope.flags.writeable = False
    return envelope


def _shape(box: int) -> tuple[int, int, int]:
    return box + 1, box + 1, box // 2 + 1
