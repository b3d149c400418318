"""Fourier transforms and CTFs of particles on half planes, read or kept in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.particles import Particles, Poses
from napari_cryodrgn.reconstruction.half_plane import ComplexArray, HalfPlane, half_spectra

# Bytes of one Fourier pixel in memory: two numbers in half precision.
_KEPT_BYTES = 4


class Spectra(NamedTuple):
    """What backprojection needs of B images.

    Parameters
    ----------
    values : (B, P) complex64 array
        Fourier transforms of the centred images.
    ctf : (B, P) float32 array
        Contrast transfer functions; ones for images without.
    rotations : (B, 3, 3) float32 array
        Orientations.
    """

    values: ComplexArray
    ctf: npt.NDArray[np.float32]
    rotations: npt.NDArray[np.float32]


class SpectraSource(Protocol):
    """Gives the spectra of particles at positions of a set; `ParticleSpectra`, `KeptSpectra`."""

    @property
    def plane(self) -> HalfPlane:
        """Where the values are."""

    def __call__(self, positions: npt.NDArray[np.int64]) -> Spectra:
        """Spectra of the particles at the given positions."""


@dataclass(frozen=True, eq=False)
class ParticleSpectra:
    """Spectra of particles, read from their images whenever they are asked for.

    Parameters
    ----------
    particles : Particles
        With poses; without CTF they are taken as pure projections.
    plane : HalfPlane
        Where the values are wanted, for the box of the particles.
    invert : bool
        Multiply by −1, for particles that are bright on a dark ground.

    Raises
    ------
    InputError
        Where the particles have no poses.
    """

    particles: Particles
    plane: HalfPlane
    invert: bool

    def __post_init__(self) -> None:
        self._poses()

    def __len__(self) -> int:
        return len(self.particles)

    def __call__(self, positions: npt.NDArray[np.int64]) -> Spectra:
        """Spectra of the particles at the given positions.

        Raises
        ------
        InputError
            Where a pixel is NaN or infinite, or a file is gone; names the image.
        """
        return Spectra(self.values(positions), *self.ctf_and_rotations(positions))

    def values(self, positions: npt.NDArray[np.int64]) -> ComplexArray:
        """Fourier transforms alone, (B, P)."""
        images = self.particles.images.read(positions)
        finite = np.isfinite(images).all(axis=(1, 2))
        if not finite.all():
            row = int(self.particles.rows.rows[positions[np.argmin(finite)]])
            raise InputError(
                "this image holds NaN or infinite pixels",
                file=self.particles.source.path,
                field="image (counted from 1)",
                value=row + 1,
                hint="Leave it out with an index file, or extract it again",
            )
        shifts = self._poses().shifts[positions]
        return half_spectra(images, shifts, self.plane, invert=self.invert)

    def ctf_and_rotations(
        self, positions: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """CTF (B, P) and orientations (B, 3, 3)."""
        rotations = np.asarray(self._poses().rotations[positions], np.float32)
        ctf = self.particles.ctf
        if ctf is None:
            return np.ones((len(positions), len(self.plane)), np.float32), rotations
        rows = torch.from_numpy(ctf.table[positions, 1:]).float()
        return ctf_2d(self._frequencies, rows).numpy(), rotations

    @cached_property
    def _frequencies(self) -> torch.Tensor:
        """(P, 2) spatial frequencies, 1/Å."""
        if self.particles.ctf is None:
            raise ValueError("particles without CTF need no frequencies")
        pixel_size = self.particles.ctf.pixel_size_at_box(self.plane.box)
        return torch.from_numpy(self.plane.points / (self.plane.box * pixel_size)).float()

    def _poses(self) -> Poses:
        if self.particles.poses is None:
            raise InputError(
                "these particles have no poses",
                file=self.particles.source.path,
                hint="Give them with --poses",
            )
        return self.particles.poses


@dataclass(frozen=True, eq=False)
class KeptSpectra:
    """Spectra of particles that stay in memory, in half precision, once they were read.

    Parameters
    ----------
    source : ParticleSpectra
        Where they come from.
    """

    source: ParticleSpectra
    _kept: npt.NDArray[np.float16] = field(init=False)
    _known: npt.NDArray[np.bool_] = field(init=False)
    _scale: list[float] = field(init=False, default_factory=list)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        count, points = len(self.source), len(self.source.plane)
        object.__setattr__(self, "_kept", np.empty((count, 2 * points), np.float16))
        object.__setattr__(self, "_known", np.zeros(count, bool))

    @property
    def plane(self) -> HalfPlane:
        """Where the values are."""
        return self.source.plane

    def __call__(self, positions: npt.NDArray[np.int64]) -> Spectra:
        """As `ParticleSpectra`; only what is not known yet is read."""
        missing = positions[~self._known[positions]]
        if len(missing):
            values = self.source.values(missing)
            scale = self._scale_of(values)
            self._kept[missing] = (values / scale).view(np.float32)
            self._known[missing] = True
        kept = self._kept[positions].astype(np.float32) * np.float32(self._scale[0])
        return Spectra(kept.view(np.complex64), *self.source.ctf_and_rotations(positions))

    def _scale_of(self, values: ComplexArray) -> float:
        """One scale for all, from the first images: half precision has few magnitudes."""
        with self._lock:
            if not self._scale:
                self._scale.append(float(np.abs(values).mean()) or 1.0)
            return self._scale[0]


def plane_that_fits(box: int, count: int, max_bytes: int) -> HalfPlane:
    """The largest half plane whose values of all particles fit into memory.

    Parameters
    ----------
    box : int
        Side of the images, px.
    count : int
        Particles.
    max_bytes : int
        What `KeptSpectra` may take.

    Returns
    -------
    HalfPlane
        Of the whole radius, box / 2, where that fits; maps are smaller otherwise.

    Raises
    ------
    InputError
        Where not even a tenth of the radius fits.
    """
    # A half disc of radius r has about πr² / 2 points.
    radius = int(np.sqrt(2 * max_bytes / (np.pi * _KEPT_BYTES * max(count, 1))))
    if radius < max(4, box // 20):
        raise InputError(f"{count} particles do not fit into {max_bytes / 2**20:.0f} MiB of memory")
    return HalfPlane(box, min(box // 2, radius))
