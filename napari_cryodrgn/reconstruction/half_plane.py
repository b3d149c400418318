"""The half of an image's Fourier transform that says it all, and its values there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_cryodrgn.errors import InputError

ComplexArray = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class HalfPlane:
    """Frequencies of an image, one of each pair k and −k.

    The zero frequency is left out, as in training: it carries the level of the background.
    So are the Nyquist frequencies, whose signs are not known.

    Parameters
    ----------
    box : int
        Side of the images, px; even.
    radius : int, optional
        Frequencies below this many steps of 1 / box; half the box if not given.

    Raises
    ------
    InputError
        Where the box is odd or too small.
    """

    box: int
    radius: int | None = None

    def __post_init__(self) -> None:
        if self.box < 4 or self.box % 2:
            raise InputError(
                "the box must be an even number of pixels", field="box", value=self.box
            )

    @property
    def limit(self) -> int:
        """Frequencies are below this many steps of 1 / box."""
        half = self.box // 2
        return half if self.radius is None else min(self.radius, half)

    @cached_property
    def x(self) -> npt.NDArray[np.int32]:
        """(P,) steps of frequency along columns, 0 and up."""
        return self._points[0]

    @cached_property
    def y(self) -> npt.NDArray[np.int32]:
        """(P,) steps of frequency along rows."""
        return self._points[1]

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """(P, 2) frequencies (x, y), in steps of 1 / box."""
        return np.stack([self.x, self.y], axis=1).astype(np.float32)

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def _points(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        half = self.box // 2
        y, x = np.meshgrid(
            np.arange(-half, half, dtype=np.int32),
            np.arange(half + 1, dtype=np.int32),
            indexing="ij",
        )
        inside = (x * x + y * y < self.limit**2) & ((x > 0) | (y > 0))
        return x[inside], y[inside]


def half_spectra(
    images: npt.NDArray[np.float32],
    shifts: npt.NDArray[np.float32],
    plane: HalfPlane,
    *,
    invert: bool,
) -> ComplexArray:
    """Fourier transforms of centred images on half a plane.

    Parameters
    ----------
    images : (B, box, box) float32 array
        Images as stored; their centre is pixel (box / 2, box / 2).
    shifts : (B, 2) float32 array
        Shift (x, y) that centres each, as a fraction of the box.
    plane : HalfPlane
        Where the transforms are wanted.
    invert : bool
        Multiply by −1, for particles that are bright on a dark ground.

    Returns
    -------
    (B, P) complex64 array
        Unnormalised, the phase being 0 for a point at the centre.
    """
    transforms = scipy.fft.rfft2(images)
    values = np.empty((len(images), len(plane)), np.complex64)
    # Content goes by +t. Unlike a model's images, these need not follow cryoDRGN's rule of
    # box + 1 (see docs/conventions.md): a fraction of the box is just that.
    moves = np.asarray(shifts, np.float64) * plane.box - plane.box // 2
    _pick(transforms, moves, plane.x, plane.y, -1.0 if invert else 1.0, values)
    return values


@numba.njit(nogil=True)
def _pick(transforms, moves, x, y, sign, values):  # type: ignore[no-untyped-def]
    """Take the half plane from whole transforms, and move the content by `moves` px."""
    rows = transforms.shape[1]
    half = rows // 2
    phases_x = np.empty(half + 1, np.complex64)
    phases_y = np.empty(rows, np.complex64)
    for image in range(transforms.shape[0]):
        for step in range(half + 1):
            angle = -2 * math.pi * step * moves[image, 0] / rows
            phases_x[step] = complex(math.cos(angle), math.sin(angle))
        for step in range(-half, half):
            angle = -2 * math.pi * step * moves[image, 1] / rows
            phases_y[step + half] = sign * complex(math.cos(angle), math.sin(angle))
        for point in range(x.shape[0]):
            row = y[point] if y[point] >= 0 else y[point] + rows
            phase = phases_x[x[point]] * phases_y[y[point] + half]
            values[image, point] = transforms[image, row, x[point]] * phase
