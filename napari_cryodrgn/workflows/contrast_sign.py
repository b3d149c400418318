"""Whether particles are bright or dark on their images, measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.particles import ImageStack
from napari_cryodrgn.progress import Progress, Task

CENTRE_RADIUS = 0.25
"""Radius of the part of an image in which the particle lies, as a fraction of the box."""

BORDER_RADIUS = 0.45
"""Radius outside of which there is hardly ever any particle."""

CLEAR = 5.0
"""Standard errors by which centre and border differ where the sign is beyond doubt."""

CHUNK = 64


@dataclass(frozen=True)
class ContrastSign:
    """Mean difference between the centre and the border of images.

    Parameters
    ----------
    difference : float
        Centre minus border, in standard deviations of an image's pixels.
    error : float
        Standard error of it over the images.
    n_images : int
        Images measured.
    """

    difference: float
    error: float
    n_images: int

    @property
    def significance(self) -> float:
        """The difference in standard errors; 0 where nothing differs at all."""
        return self.difference / self.error if self.error > 0 else 0.0

    @property
    def looks(self) -> Literal["bright", "dark", "unclear"]:
        """How the particles look on their ground."""
        if abs(self.significance) < CLEAR:
            return "unclear"
        return "bright" if self.difference > 0 else "dark"

    def suggested_inversion(self, *, has_ctf: bool) -> bool | None:
        """Whether training should invert these images; None where that is unclear.

        The CTF is negative at low frequency: a particle of positive density is dark on
        an image that has passed it, and bright on a plain projection.

        Parameters
        ----------
        has_ctf : bool
            Whether the model applies a CTF.
        """
        if self.looks == "unclear":
            return None
        return (self.looks == "bright") == has_ctf


def measure_contrast(images: ImageStack, n_images: int = 512, seed: int = 0) -> Task[ContrastSign]:
    """Compare centre and border of some images.

    Parameters
    ----------
    images : ImageStack
        The particles.
    n_images : int
        How many to measure, drawn at random.
    seed : int
        Of the draw.

    Yields
    ------
    Progress
        Images measured.

    Returns
    -------
    ContrastSign
    """
    chosen = np.random.default_rng(seed).permutation(len(images))[:n_images]
    chosen.sort()  # reading goes from front to back
    centre, border = _masks(images.box)
    differences: list[npt.NDArray[np.float64]] = []
    for positions in _chunks(chosen):
        stack = images.read(positions).astype(np.float64)
        spread = stack.std(axis=(1, 2))
        apart = stack[:, centre].mean(axis=1) - stack[:, border].mean(axis=1)
        differences.append(apart[spread > 0] / spread[spread > 0])
        done = int(np.searchsorted(chosen, positions[-1])) + 1
        yield Progress(done, len(chosen), "Looking at the contrast")
    values = np.concatenate(differences) if differences else np.empty(0)
    if len(values) < 2:
        return ContrastSign(0.0, 0.0, len(values))
    return ContrastSign(
        float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values)
    )


def _masks(box: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Centre and border of a square image."""
    axis = (np.arange(box) - box // 2) / box
    radius = np.hypot(axis[:, None], axis[None, :])
    return radius < CENTRE_RADIUS, radius > BORDER_RADIUS


def _chunks(positions: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(positions), CHUNK):
        yield positions[start : start + CHUNK]
