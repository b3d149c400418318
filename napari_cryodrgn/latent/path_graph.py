"""Shortest paths along neighbouring particles, as cryoDRGN's ``graph_traversal`` finds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.neighbours import LatentNeighbours
from napari_cryodrgn.progress import Progress, Task

_CHUNK = 20_000
_MOST_TO_OFFER = 320
_MOST_PARTICLES_TO_OFFER = 200_000


class Unreachable(InputError):  # noqa: N818 - it says what is so, like InputError
    """The graph has no way from one particle to another.

    Parameters
    ----------
    problem : str
        Between which.
    offered : (int, float) or None
        Most neighbours, and on average, of a graph that has one; None where none was found.
    hint : str
        The same in words of the command line.
    """

    def __init__(self, problem: str, offered: tuple[int, float] | None, hint: str) -> None:
        super().__init__(problem, field="--anchors", hint=hint)
        self.offered = offered


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Which particles are neighbours, and how far apart.

    Parameters
    ----------
    edges : (N, N) sparse float64 array
        Distances in z from each particle (row) to its neighbours.
    max_distance : float
        No edge is longer.
    """

    edges: csr_array
    max_distance: float


@dataclass(frozen=True, eq=False)
class GraphLeg:
    """The way from one particle to another.

    Parameters
    ----------
    positions : (n,) int64 array
        Positions of the particles passed, both ends among them.
    length : float
        Sum of the distances between them, in z.
    straight : float
        Distance of the ends.
    """

    positions: npt.NDArray[np.int64]
    length: float
    straight: float


def neighbour_graph(
    neighbours: LatentNeighbours, max_neighbors: int = 10, avg_neighbors: float = 5.0
) -> Task[NeighbourGraph]:
    """Graph of nearest neighbours, without its longest edges.

    Parameters
    ----------
    neighbours : LatentNeighbours
        Of the particles.
    max_neighbors : int
        Nearest particles that each is joined to, itself counted, as cryoDRGN does.
    avg_neighbors : float
        How many of these joints are left for a particle on average: the longest are left out.

    Returns
    -------
    NeighbourGraph

    Raises
    ------
    InputError
        Where a number does not do.
    """
    if max_neighbors < 2:
        raise InputError(
            "a particle counts as its own first neighbour, so at least 2 are needed",
            field="--max-neighbors",
            value=max_neighbors,
        )
    if not avg_neighbors > 0:
        raise InputError("it must be positive", field="--avg-neighbors", value=avg_neighbors)
    mu, here = neighbours.mu, neighbours.positions
    count = min(max_neighbors, len(here))
    found = []
    for start in range(0, len(here), _CHUNK):
        yield Progress(start, len(here), "Finding neighbours")
        found.append(neighbours.query(mu[here[start : start + _CHUNK]], count))
    distances = np.concatenate([part for part, _ in found])
    targets = np.concatenate([part for _, part in found])
    kept = min(int(len(here) * avg_neighbors), distances.size)
    longest = float(np.partition(distances.reshape(-1), kept - 1)[kept - 1])
    starts = np.repeat(here, count).reshape(distances.shape)
    chosen = (distances <= longest) & (targets != starts)
    # Where particles coincide the edge has a length of 0, which a sparse matrix takes for none.
    lengths = np.maximum(distances[chosen], np.finfo(np.float64).tiny)
    size = len(mu)
    edges = csr_array((lengths, (starts[chosen], targets[chosen])), shape=(size, size))
    return NeighbourGraph(edges, longest)


def graph_leg(
    graph: NeighbourGraph, mu: npt.NDArray[np.float32], start: int, end: int
) -> GraphLeg | None:
    """Shortest way from one particle to another; None where the graph has none.

    Parameters
    ----------
    graph : NeighbourGraph
    mu : (N, zdim) float32 array
        Latent coordinates.
    start, end : int
        Positions.
    """
    straight = float(np.linalg.norm(mu[end].astype(np.float64) - mu[start]))
    lengths, before = dijkstra(graph.edges, indices=start, return_predecessors=True)
    if not np.isfinite(lengths[end]):
        return None
    passed = [end]
    while passed[-1] != start:
        passed.append(int(before[passed[-1]]))
    return GraphLeg(np.array(passed[::-1], dtype=np.int64), float(lengths[end]), straight)


def unreachable(
    neighbours: LatentNeighbours, start: int, end: int, max_neighbors: int, avg_neighbors: float
) -> Task[Unreachable]:
    """The error to raise where a graph has no way between two particles.

    It offers the numbers, doubled as often as needed, with which there is one.
    """
    problem = f"no way along neighbouring particles leads from particle {start} to {end}"
    given = f"with {max_neighbors} neighbours at most and {avg_neighbors:g} on average"
    wider, average = max_neighbors, avg_neighbors
    n = len(neighbours.positions)
    while n <= _MOST_PARTICLES_TO_OFFER and wider < min(_MOST_TO_OFFER, n):
        wider, average = min(2 * wider, n), min(2 * average, float(n))
        graph = yield from neighbour_graph(neighbours, wider, average)
        if graph_leg(graph, neighbours.mu, start, end) is not None:
            hint = f"There is one with --max-neighbors {wider} --avg-neighbors {average:g}"
            return Unreachable(f"{problem} {given}", (wider, average), hint)
    hint = "Try larger --max-neighbors and --avg-neighbors, or another kind of path"
    return Unreachable(f"{problem} {given}", None, hint)
