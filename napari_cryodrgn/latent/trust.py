"""Whether the particles support a latent point: how many are near, and how sure the encoder is.

A decoder gives a volume at any point, also where no particle has ever been. What can be
believed is judged by the distance to the twentieth-nearest particle, compared with what that
distance is for the particles themselves: it is the usual nearest-neighbour estimate of
density, and needs no choice of bandwidth (Loftsgaarden and Quesenberry, 1965).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.neighbours import LatentNeighbours
from napari_cryodrgn.progress import Progress, Task

Verdict = Literal["supported", "thin", "far from data"]

N_NEIGHBOURS = 20
N_REFERENCE = 2000
"""Particles by which is measured how far neighbours usually are."""

SUPPORTED_SHARE, FAR_SHARE = 0.95, 0.99
AT_ONCE = 20_000


@dataclass(frozen=True)
class Trust:
    """What speaks for a decoded latent point.

    Parameters
    ----------
    verdict : {"supported", "thin", "far from data"}
        Supported: as many particles are near as about 95 % of the particles have near them.
        Far: fewer than 99 % of the particles have. Thin: between the two.
    n_near : int
        Particles within the distance in which 95 % of the particles have `wanted` neighbours.
    wanted : int
        Neighbours that are asked for.
    relative : float
        Distance to the farthest of the `wanted` nearest particles, in units of what it is for
        the particles themselves (median); infinite where they all lie on one point.
    share_denser : float
        Share of the particles that have their neighbours nearer than this point has.
    encoder_spread : float or None
        Standard deviation of the encoder's posterior for the nearest particles, as a share of
        the spread of all particles, over the latent dimensions (root mean square); None for
        runs whose latents have no variance.
    """

    verdict: Verdict
    n_near: int
    wanted: int
    relative: float
    share_denser: float
    encoder_spread: float | None

    @property
    def short_text(self) -> str:
        """The verdict with the first of its numbers: 'Supported: 212 particles near'."""
        return f"{self.verdict[0].upper()}{self.verdict[1:]}: {self.n_near:,} particles near"

    @property
    def text(self) -> str:
        """The verdict with its numbers, for people."""
        facts = [
            f"{self.n_near:,} particles near ({self.wanted} wanted)",
            f"neighbours {self.relative:.1f} times as far as usual",
        ]
        if self.encoder_spread is not None:
            facts.append(f"encoder uncertain by {self.encoder_spread:.0%} of the spread")
        return f"{self.verdict}: {', '.join(facts)}".replace("%", " %")


class TrustMeasure:
    """Judges latent points by the particles around them.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates of the particles.
    logvar : (N, zdim) float32 array or None
        Log variance of the encoder's posterior.
    neighbours : LatentNeighbours, optional
        Where one was made of `mu` already.
    seed : int
        Draws the particles that are measured.

    Raises
    ------
    InputError
        Where there is no latent space.
    """

    def __init__(
        self,
        mu: npt.NDArray[np.float32],
        logvar: npt.NDArray[np.float32] | None = None,
        *,
        neighbours: LatentNeighbours | None = None,
        seed: int = 0,
    ) -> None:
        self._neighbours = neighbours or LatentNeighbours(mu, seed=seed)
        self._logvar = logvar
        there = self._neighbours.positions
        self.wanted = max(1, min(N_NEIGHBOURS, len(there) - 1))
        self._spread = np.maximum(mu[there].std(axis=0, dtype=float), 1e-12)
        rng = np.random.default_rng(seed)
        sample = rng.choice(there, min(N_REFERENCE, len(there)), replace=False)
        # Its own distance, zero, comes first and is no neighbour's.
        found, _ = self._neighbours.query(mu[sample], k=self.wanted + 1)
        self._usual = np.sort(found[:, -1])
        self.near_radius = float(np.quantile(self._usual, SUPPORTED_SHARE))
        self.far_radius = float(np.quantile(self._usual, FAR_SHARE))
        self._middle = float(np.median(self._usual))

    def at(self, z: npt.NDArray[np.floating]) -> Trust:
        """Judge one latent point, (zdim,)."""
        point = np.asarray(z, dtype=np.float32)[None]
        distances, positions = self._neighbours.query(point, k=self.wanted)
        reach = float(distances[0, -1])
        verdict: Verdict = "thin"
        if reach <= self.near_radius:
            verdict = "supported"
        elif reach > self.far_radius:
            verdict = "far from data"
        relative = reach / self._middle if self._middle > 0 else (np.inf if reach else 1.0)
        return Trust(
            verdict,
            self._count_near(point[0]),
            self.wanted,
            float(relative),
            float(np.searchsorted(self._usual, reach) / len(self._usual)),
            self._encoder_spread(positions[0]),
        )

    def reach(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Distance of several points (n, zdim) to the last of their nearest particles, (n,)."""
        return self._neighbours.query(points, k=self.wanted)[0][:, -1]

    def of_particles(self) -> Task[npt.NDArray[np.float32]]:
        """For every particle how much farther than usual its neighbours are, (N,), NaN if nowhere.

        To colour a plot by: below 1 where particles lie dense, above where they are thin.
        """
        mu = self._neighbours.mu
        relative = np.full(len(mu), np.nan, dtype=np.float32)
        there = self._neighbours.positions
        for start in range(0, len(there), AT_ONCE):
            yield Progress(start, len(there), "Measuring the density of particles")
            some = there[start : start + AT_ONCE]
            found, _ = self._neighbours.query(mu[some], k=self.wanted + 1)
            relative[some] = found[:, -1] / (self._middle or 1.0)
        return relative

    def _count_near(self, point: npt.NDArray[np.float32]) -> int:
        squared = np.square(self._neighbours.mu - point).sum(axis=1)
        # Slightly wider, since distances of the tree are float64 and these are not.
        return int(np.count_nonzero(squared <= self.near_radius**2 * (1 + 1e-5)))

    def _encoder_spread(self, positions: npt.NDArray[np.int64]) -> float | None:
        if self._logvar is None:
            return None
        variance = np.exp(self._logvar[positions].astype(float)).mean(axis=0)
        return float(np.sqrt(np.mean(variance / self._spread**2)))
