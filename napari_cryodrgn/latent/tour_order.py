"""The order in which to visit places so that the way is short."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

_LEAST_GAIN = 1e-12


def shortest_tour(points: npt.NDArray[np.floating], *, closed: bool) -> npt.NDArray[np.int64]:
    """Order of places by which the way through all of them is short.

    Nearest neighbours from every place in turn, each tour then improved by turning stretches
    round (2-opt) and by putting short stretches elsewhere (Or-opt) until neither helps. For the
    dozens of places that a clustering has it is the shortest tour or within a few per cent.

    Parameters
    ----------
    points : (K, zdim) array
        The places.
    closed : bool
        Whether the way back from the last to the first counts.

    Returns
    -------
    (K,) int64 array
        Places in order; of an open tour it begins at the end with the lower number, of a
        closed one at place 0.
    """
    distances = cdist(points, points)
    count = len(points)
    if not closed:
        # A place at distance 0 from all others closes an open tour at no cost.
        distances = np.pad(distances, ((0, 1), (0, 1)))
    best: list[int] = []
    shortest = np.inf
    for start in range(len(distances)):
        tour = _improved(_greedy(distances, start), distances)
        length = _length(tour, distances)
        if length < shortest - _LEAST_GAIN:
            best, shortest = tour, length
    first = best.index(0 if closed else count)
    order = best[first:] + best[:first]
    if closed:
        return np.array(order if count < 3 or order[1] < order[-1] else [0, *order[:0:-1]])
    order = order[1:]
    return np.array(order if order[0] <= order[-1] else order[::-1], dtype=np.int64)


def _greedy(distances: npt.NDArray[np.float64], start: int) -> list[int]:
    tour = [start]
    left = np.ones(len(distances), dtype=bool)
    left[start] = False
    while left.any():
        here = np.where(left, distances[tour[-1]], np.inf)
        tour.append(int(here.argmin()))
        left[tour[-1]] = False
    return tour


def _improved(tour: list[int], distances: npt.NDArray[np.float64]) -> list[int]:
    """Best turn or move of a stretch, again and again while one shortens the tour."""
    while True:
        found = _best_turn(tour, distances) or _first_move(tour, distances)
        if found is None:
            return tour
        tour = found


def _best_turn(tour: list[int], distances: npt.NDArray[np.float64]) -> list[int] | None:
    """The tour with the stretch turned round that shortens it most; None where none does."""
    here = np.array(tour)
    after = np.roll(here, -1)
    legs = distances[here, after]
    gain = legs[:, None] + legs - distances[np.ix_(here, here)] - distances[np.ix_(after, after)]
    gain = np.triu(gain, 1)
    i, j = np.unravel_index(int(gain.argmax()), gain.shape)
    if gain[i, j] <= _LEAST_GAIN:
        return None
    return [*tour[: i + 1], *tour[i + 1 : j + 1][::-1], *tour[j + 1 :]]


def _first_move(tour: list[int], distances: npt.NDArray[np.float64]) -> list[int] | None:
    """The tour with one to three places in succession put elsewhere; None where none helps."""
    count = len(tour)
    for size in range(1, min(3, count - 2) + 1):
        for begin in range(count):
            turned = tour[begin:] + tour[:begin]
            stretch, rest = turned[:size], turned[size:]
            freed = (
                distances[rest[-1], stretch[0]]
                + distances[stretch[-1], rest[0]]
                - distances[rest[-1], rest[0]]
            )
            before, after = np.array(rest[:-1]), np.array(rest[1:])
            for piece in (stretch, stretch[::-1]):
                cost = (
                    distances[before, piece[0]]
                    + distances[piece[-1], after]
                    - distances[before, after]
                )
                place = int(cost.argmin())
                if freed - cost[place] > _LEAST_GAIN:
                    return [*rest[: place + 1], *piece, *rest[place + 1 :]]
    return None


def _length(tour: list[int], distances: npt.NDArray[np.float64]) -> float:
    return float(distances[tour, np.roll(tour, -1)].sum())
