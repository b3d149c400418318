"""What routes need to know of a latent space, made once and kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.density import LatentDensity, fit_density
from napari_cryodrgn.latent.neighbours import LatentNeighbours
from napari_cryodrgn.latent.path_graph import NeighbourGraph, neighbour_graph
from napari_cryodrgn.progress import Progress, Task


class LatentField:
    """Neighbours, density and graph of the particles of one latent space.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    neighbours : LatentNeighbours, optional
        Of these, where they were found before.
    """

    def __init__(
        self, mu: npt.NDArray[np.float32], neighbours: LatentNeighbours | None = None
    ) -> None:
        self.mu = mu
        self._neighbours = neighbours
        self._density: LatentDensity | None = None
        self._graphs: dict[tuple[int, float], NeighbourGraph] = {}

    @property
    def zdim(self) -> int:
        """Latent dimensions."""
        return int(self.mu.shape[1])

    @property
    def neighbours(self) -> LatentNeighbours:
        """Nearest particles of latent points, and their typical distance."""
        if self._neighbours is None:
            self._neighbours = LatentNeighbours(self.mu)
        return self._neighbours

    @property
    def density(self) -> LatentDensity:
        """Density of the particles; fitted at the first call, which takes up to some seconds."""
        if self._density is None:
            self._density = fit_density(self.mu)
        return self._density

    def measuring_density(self) -> Task[LatentDensity]:
        """The density, as a long task."""
        if self._density is None:
            yield Progress(0, None, "Measuring the density of the particles")
        return self.density

    def graph(self, max_neighbors: int = 10, avg_neighbors: float = 5.0) -> Task[NeighbourGraph]:
        """Graph of neighbours; see ``path_graph.neighbour_graph``."""
        key = (max_neighbors, avg_neighbors)
        if key not in self._graphs:
            self._graphs[key] = yield from neighbour_graph(
                self.neighbours, max_neighbors, avg_neighbors
            )
        return self._graphs[key]

    def nearest(
        self, points: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Distance in z to, and position of, the particle nearest to each point (n, zdim)."""
        distances, positions = self.neighbours.query(points, 1)
        return distances[:, 0], positions[:, 0]
