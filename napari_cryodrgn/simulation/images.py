"""Images of simulated particles: slices, shifts, CTF, noise, contrast."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.particles import CTFParameters
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.simulation.gaussians import (
    grid_frequencies,
    half_grid_frequencies,
    images_of,
)
from napari_cryodrgn.simulation.optics import ctf_images
from napari_cryodrgn.simulation.structure import Structure
from napari_cryodrgn.simulation.truth import STREAMS, Truth, draw_coordinates, generator

# Images at once: enough to keep the matrix products busy, few enough for the caches.
CHUNK = 32
# The signal's variance is measured on at most so many images, spread over the set.
MEASURED = 512
# Power of coloured noise halves at this wave length, Å.
COLOUR_LENGTH = 60.0


@dataclass(frozen=True, eq=False)
class ImageMaker:
    """Makes the images of a simulated set, in any order.

    Parameters
    ----------
    config : SimulationConfig
        Noise and junk.
    structure : Structure
        What is seen.
    truth : Truth
        Which states in which views.
    ctf : CTFParameters or None
        Through which microscope; None for pure projections.
    box : int
        Side of the images, px.
    pixel_size : float
        Å per pixel.
    """

    config: SimulationConfig
    structure: Structure
    truth: Truth
    ctf: CTFParameters | None
    box: int
    pixel_size: float

    def signals(self, positions: npt.NDArray[np.int64]) -> torch.Tensor:
        """Noise-free images as the detector sees them, (n, box, box) float32.

        With shift and CTF, so particles are dark where there is a CTF (it is negative at
        low frequency), and bright where there is none.
        """
        images = torch.empty((len(positions), self.box, self.box))
        # What may leave the box is made on a wider one, lest it come in on the other side.
        leaves = np.isin(self.truth.junk[positions], ["aggregate", "off_centre"])
        for side, chosen in ((self.box, ~leaves), (2 * self.box, leaves)):
            if chosen.any():
                edge = (side - self.box) // 2
                inner = slice(edge, edge + self.box)
                whole = images_of(self._transforms(positions[chosen], side))
                images[torch.from_numpy(chosen)] = whole[:, inner, inner]
        return images

    def _transforms(self, positions: npt.NDArray[np.int64], side: int) -> torch.Tensor:
        """Transforms of noise-free images of `side` px, (n, side, side // 2 + 1)."""
        truth = self.truth
        transforms = torch.zeros((len(positions), side, side // 2 + 1), dtype=torch.complex64)
        single = np.flatnonzero(truth.has_state[positions])
        if single.size:
            rows = positions[single]
            transforms[single] = self.structure.slices(
                truth.classes[rows],
                truth.coordinates[rows],
                truth.true_poses.rotations[rows],
                side,
                self.pixel_size,
            )
        for place in np.flatnonzero(truth.junk[positions] == "aggregate"):
            transforms[place] = self._aggregate(int(positions[place]), side)
        # A pose's shift centres the image, so the content lies at its negative.
        transforms *= self._shift_phases(-truth.true_poses.shifts[positions], side)
        if self.ctf is not None:
            transforms *= ctf_images(self.ctf.at(positions), side, self.pixel_size)
        return transforms

    def measure_signal(self) -> Task[float]:
        """Variance of the signal within all pixels, averaged over images of particles."""
        shown = np.flatnonzero(self.truth.has_state)
        if not shown.size:
            return 1.0
        chosen = shown[np.unique(np.linspace(0, len(shown) - 1, MEASURED).astype(np.int64))]
        total = 0.0
        for positions in chunks(chosen):
            total += float(self.signals(positions).var(dim=(1, 2), correction=0).sum())
            yield Progress(0, None, "Measuring the signal")
        return total / len(chosen)

    def images(self, signal_variance: float) -> Iterator[npt.NDArray[np.float32]]:
        """All images in order, by chunks, as RELION writes them.

        Bright particles on a dark ground, noise (or the signal, without noise) scaled to a
        standard deviation of 1.

        Parameters
        ----------
        signal_variance : float
            From `measure_signal`.
        """
        noisy = math.isfinite(self.config.snr)
        noise_scale = math.sqrt(signal_variance / self.config.snr) if noisy else 0.0
        unit = noise_scale if noisy else math.sqrt(signal_variance)
        # As after RELION's extraction, which inverts what the detector sees.
        sign = -1.0 if self.ctf is not None else 1.0
        # Two streams, so that how the images are cut into chunks changes nothing.
        sources = generator(self.config.seed, "noise"), generator(self.config.seed, "colour")
        for positions in chunks(np.arange(len(self.truth))):
            images = sign * self.signals(positions)
            if noisy:
                images += noise_scale * self._noise(positions, *sources)
            yield (images / unit).numpy()

    def _noise(
        self,
        positions: npt.NDArray[np.int64],
        white_source: np.random.Generator,
        coloured_source: np.random.Generator,
    ) -> torch.Tensor:
        """Noise of unit variance, (n, box, box)."""
        share = self.config.coloured
        shape = (len(positions), self.box, self.box)
        white = torch.from_numpy(white_source.standard_normal(shape, dtype=np.float32))
        if share == 0:
            return white
        y, x = torch.meshgrid(
            grid_frequencies(self.box, self.pixel_size),
            half_grid_frequencies(self.box, self.pixel_size),
            indexing="ij",
        )
        power = 1 / (1 + (x.square() + y.square()) * COLOUR_LENGTH**2)
        spectrum = power.expand(len(positions), -1, -1)
        if self.ctf is not None:
            transfer = ctf_images(self.ctf.at(positions), self.box, self.pixel_size)
            spectrum = spectrum * transfer.square()
        # Every column of the half spectrum but the first and last stands for two.
        twice = torch.full((self.box // 2 + 1,), 2.0)
        twice[0] = twice[-1] = 1.0
        mean = (spectrum * twice).sum(dim=(1, 2), keepdim=True) / self.box**2
        other = torch.from_numpy(coloured_source.standard_normal(shape, dtype=np.float32))
        filtered = torch.fft.rfft2(other) * torch.sqrt(spectrum / mean)
        coloured = torch.fft.irfft2(filtered, s=(self.box, self.box))
        mixed: torch.Tensor = math.sqrt(1 - share) * white + math.sqrt(share) * coloured
        return mixed

    def _aggregate(self, position: int, side: int) -> torch.Tensor:
        """Transform of several particles in a clump, in states and views of their own."""
        source = np.random.default_rng([self.config.seed, STREAMS.index("aggregates"), position])
        n = int(source.integers(3, 6))
        slices = self.structure.slices(
            source.integers(0, len(self.structure.class_names), n),
            draw_coordinates(n, self.config.spread, source) * self.structure.moves,
            random_rotations(n, source),
            side,
            self.pixel_size,
        )
        places = source.uniform(-0.35, 0.35, (n, 2)).astype(np.float32)
        clump: torch.Tensor = (slices * self._shift_phases(places, side)).sum(dim=0)
        return clump

    def _shift_phases(self, shifts: npt.NDArray[np.float32], side: int) -> torch.Tensor:
        """Factors that move content by shifts (x, y), shares of the box, on a grid of `side`."""
        moved = torch.from_numpy(np.ascontiguousarray(shifts)) * (self.box * self.pixel_size)
        turns_x = moved[:, 0, None] * half_grid_frequencies(side, self.pixel_size)
        turns_y = moved[:, 1, None] * grid_frequencies(side, self.pixel_size)
        along_x, along_y = (
            torch.polar(torch.ones_like(turns), -2 * math.pi * turns)
            for turns in (turns_x, turns_y)
        )
        phases: torch.Tensor = along_y[:, :, None] * along_x[:, None, :]
        return phases


def chunks(positions: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Positions in pieces of at most `CHUNK`."""
    for start in range(0, len(positions), CHUNK):
        yield positions[start : start + CHUNK]
