"""A walk through the latent space that stays where there are particles.

It goes from particle to particle: ahead of where it is, with some momentum and some
chance, and only over gaps that hold particles too. Directions of chance are differences
between particles, so that they follow the shape of the data in any number of dimensions.
Between particles it moves smoothly (cubic Hermite curves) and at an even pace.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.neighbours import LatentNeighbours

STEP = 0.35
"""Length of a step from particle to particle, in root mean square distances from the mean."""

LEAST_STEP = 2.0
"""The same at least, in typical distances between neighbours: of few particles, that far apart."""

PROPOSALS = 24
MOMENTUM = 1.2
NEIGHBOURS = 32
EDGE_SAMPLE = 10_000
RECENT = 12
"""Particles back to which the walk does not turn at once."""


class RandomWalk:
    """An endless walk, one latent point after another.

    Parameters
    ----------
    neighbours : LatentNeighbours
        Of the particles among which it walks.
    start : (zdim,) array
        Where it begins: any latent point. It goes to its nearest particle first.
    seed : int
        Same seed, same walk.
    frames : float
        Points for each step; may be changed on the way.

    Attributes
    ----------
    step : float
        Length of a step in z.
    """

    def __init__(
        self,
        neighbours: LatentNeighbours,
        start: npt.NDArray[np.floating],
        *,
        seed: int = 0,
        frames: float = 12.0,
    ) -> None:
        self.frames = frames
        self._neighbours = neighbours
        self._rng = np.random.default_rng(seed)
        sample = neighbours.mu[
            neighbours.positions[:: len(neighbours.positions) // EDGE_SAMPLE + 1]
        ]
        spread = float(np.sqrt(np.square(sample - sample.mean(axis=0)).sum(axis=1).mean()))
        self.step = max(STEP * spread, LEAST_STEP * neighbours.typical, 1e-6)
        self._start = np.asarray(start, dtype=np.float64)

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """Latent points (zdim,), the first one a little away from the start."""
        stops = self._stops()
        before, here, there = self._start, self._start, next(stops)
        for beyond in stops:
            yield from self._between(before, here, there, beyond)
            before, here, there = here, there, beyond

    def _between(self, *stops: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.float32]]:
        """Points from the second of four stops (not included) to the third."""
        before, here, there, beyond = stops
        length = float(np.linalg.norm(there - here))
        leave = _tangent(there - before, length)
        arrive = _tangent(beyond - here, length)
        t = 0.0
        while t < 1.0:
            # Frames are asked for anew at each point: the pace may change on the way.
            t = min(1.0, t + self.step / max(length, 1e-9) / max(self.frames, 1.0))
            point = (
                (2 * t**3 - 3 * t**2 + 1) * here
                + (t**3 - 2 * t**2 + t) * leave
                + (3 * t**2 - 2 * t**3) * there
                + (t**3 - t**2) * arrive
            )
            yield point.astype(np.float32)

    def _stops(self) -> Iterator[npt.NDArray[np.float64]]:
        """Places of the particles that it goes to."""
        here = int(self._neighbours.query(self._start[None])[1][0, 0])
        recent = [here]
        heading = np.zeros(len(self._start))
        while True:
            place = self._place(here)
            yield place
            here = self._next(here, place, heading, recent)
            heading = _unit(self._place(here) - place)
            recent = [*recent, here][-RECENT:]

    def _next(
        self,
        here: int,
        place: npt.NDArray[np.float64],
        heading: npt.NDArray[np.float64],
        recent: list[int],
    ) -> int:
        """A particle about one step away, over populated ground, rather ahead than back."""
        directions = self._directions(heading)
        ahead = self._neighbours.query(place + self.step * directions)[1][:, 0]
        around = self._neighbours.query(place[None], NEIGHBOURS)[1][0]
        options = np.setdiff1d(np.concatenate([ahead, around]), recent)
        if not len(options):
            options = np.setdiff1d(around, [here])
        if not len(options):
            return here
        moves = self._neighbours.mu[options].astype(np.float64) - place
        gaps = self._neighbours.query(place + moves / 2)[0][:, 0]
        bridged = gaps <= max(self._neighbours.far_distance, 1e-12)
        if not bridged.any():
            return int(options[int(np.argmin(gaps))])
        lengths = np.linalg.norm(moves, axis=1)
        along = moves @ heading / np.maximum(lengths, 1e-12)
        # Rather ahead than back, rather a whole step than a small one.
        weights = np.exp(2 * along + 4 * np.minimum(lengths / self.step, 1.0)) * bridged
        return int(self._rng.choice(options, p=weights / weights.sum()))

    def _directions(self, heading: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        pairs = self._rng.choice(self._neighbours.positions, (2, PROPOSALS))
        chance = self._neighbours.mu[pairs[0]].astype(np.float64) - self._neighbours.mu[pairs[1]]
        return _unit(_unit(chance) + MOMENTUM * heading)

    def _place(self, position: int) -> npt.NDArray[np.float64]:
        return np.asarray(self._neighbours.mu[position], dtype=np.float64)


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Vectors of length one; those of length zero stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


def _tangent(chord: npt.NDArray[np.float64], length: float) -> npt.NDArray[np.float64]:
    """Half the chord over two segments, no longer than the segment: curves do not swing out."""
    tangent = chord / 2
    return np.asarray(tangent * min(1.0, length / max(float(np.linalg.norm(tangent)), 1e-12)))
