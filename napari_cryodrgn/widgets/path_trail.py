"""A line drawn freehand, made into a few waypoints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.float64]

MOST_CORNERS = 12
"""A route goes between waypoints by itself: more of them only get in each other's way."""


def simplified(trail: Places, tolerance: float, most: int = MOST_CORNERS) -> Places:
    """The corners of a polyline that matter.

    Parameters
    ----------
    trail : (M, 2) array
        The line as drawn.
    tolerance : float
        How far it may leave the simpler one.
    most : int
        Corners at most: the tolerance is widened until so few are left.

    Returns
    -------
    (m, 2) array
        Both ends, and those between that matter.

    Notes
    -----
    Ramer, Douglas and Peucker: the place farthest from the line between the ends is kept, and
    both halves are treated alike (Comput. Graph. Image Process. 1, 1972; Cartographica 10, 1973).
    """
    if len(trail) <= 2:
        return trail
    while True:
        kept = np.zeros(len(trail), dtype=bool)
        kept[[0, -1]] = True
        todo = [(0, len(trail) - 1)]
        while todo:
            start, end = todo.pop()
            if end - start < 2:
                continue
            away = distance_to_line(trail[start + 1 : end], trail[start], trail[end])
            worst = int(np.argmax(away))
            if away[worst] > tolerance:
                kept[start + 1 + worst] = True
                todo += [(start, start + 1 + worst), (start + 1 + worst, end)]
        if kept.sum() <= most:
            return trail[kept]
        tolerance *= 1.5


def distance_to_line(points: Places, start: Places, end: Places) -> npt.NDArray[np.float64]:
    """Distance of points (n, 2) from the straight line between two places, ends included."""
    along = end - start
    length = float(along @ along)
    share = np.zeros(len(points))
    if length > 0:
        share = np.clip((points - start) @ along / length, 0, 1)
    return np.asarray(np.linalg.norm(points - (start + share[:, None] * along), axis=1))
