"""Routes: the line through the latent space that a path takes between its waypoints."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from napari_cryodrgn.latent.path import LatentPath, checked_waypoints
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_graph import graph_leg, unreachable
from napari_cryodrgn.latent.path_pace import resampled
from napari_cryodrgn.latent.path_string import Whitening, density_leg
from napari_cryodrgn.progress import Task

POINTS_PER_LEG = 10
_SPLINE_POINTS = 20
NO_PARTICLE = -1


@dataclass(frozen=True, eq=False)
class RoutedPath:
    """A route through the latent space.

    Parameters
    ----------
    points : (M, zdim) float64 array
        Latent points, in order; of a closed path the first again at the end.
    positions : (M,) int64 array
        Position of the particle that each point is, -1 where it is none.
    waypoint_at : (W,) int64 array
        Which point each waypoint is; of a closed path the first one again at the end.
    remarks : tuple of str
        What a person should know, such as that a density path did not settle.
    """

    points: npt.NDArray[np.float64]
    positions: npt.NDArray[np.int64]
    waypoint_at: npt.NDArray[np.int64]
    remarks: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        """Length in z."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())


def route(
    path: LatentPath, field: LatentField, points_per_leg: int | None = None
) -> Task[RoutedPath]:
    """The route of a path.

    Straight and smooth routes, and density paths, pass through every waypoint. Routes of
    particles pass through the particles nearest to them: through the waypoints themselves,
    where these were snapped to particles.

    Parameters
    ----------
    path : LatentPath
    field : LatentField
        Of the latent space that its waypoints lie in.
    points_per_leg : int, optional
        Points from one waypoint to the next, both counted, of routes other than "graph"; 10
        of straight ones, more of curved ones if not given.

    Returns
    -------
    RoutedPath

    Raises
    ------
    InputError
        Where there are fewer than two waypoints, two in succession are identical, or no way
        leads along the graph from one to the next.
    """
    z = checked_waypoints(path, field.zdim)
    if path.route == "direct":
        return _without_particles(_legs(z, points_per_leg or POINTS_PER_LEG), len(z))
    if path.route == "spline":
        curve = spline(z, points_per_leg or _SPLINE_POINTS, closed=path.closed)
        return _without_particles(curve, len(z))
    if path.route == "nearest":
        return nearest_route(z, field, points_per_leg or POINTS_PER_LEG)
    if path.route == "graph":
        routed = yield from graph_route(
            z, field, max_neighbors=path.max_neighbors, avg_neighbors=path.avg_neighbors
        )
        return routed
    routed = yield from density_route(z, field, points_per_leg)
    return routed


def spline(
    z: npt.NDArray[np.float64], points_per_leg: int, *, closed: bool
) -> npt.NDArray[np.float64]:
    """A smooth curve through latent points.

    Parameters
    ----------
    z : (W, zdim) array
        What it passes through, no two in succession the same; the first again where closed.
    points_per_leg : int
        Points from one to the next, both counted.
    closed : bool
        Whether it is smooth where it closes, too.

    Returns
    -------
    ((W - 1) · (points_per_leg - 1) + 1, zdim) float64 array

    Notes
    -----
    A cubic spline over the roots of the distances (centripetal), which neither loops nor
    overshoots much where waypoints lie unevenly.
    """
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(z, axis=0), axis=1)))])
    curve = CubicSpline(knots, z, bc_type="periodic" if closed else "natural")
    shares = _legs(knots[:, None], points_per_leg)[:, 0]
    points = np.asarray(curve(shares), dtype=np.float64)
    # The waypoints themselves, to the last bit.
    points[:: points_per_leg - 1] = z
    return points


def nearest_route(
    z: npt.NDArray[np.float64], field: LatentField, points_per_leg: int = POINTS_PER_LEG
) -> RoutedPath:
    """The particles nearest to points on the straight lines between waypoints (W, zdim)."""
    _, positions = field.nearest(_legs(z, points_per_leg))
    changes = np.concatenate([[True], positions[1:] != positions[:-1]])
    number = np.cumsum(changes) - 1
    chosen = positions[changes]
    waypoint_at = number[:: points_per_leg - 1]
    return RoutedPath(field.mu[chosen].astype(np.float64), chosen, waypoint_at.astype(np.int64))


def graph_route(
    z: npt.NDArray[np.float64],
    field: LatentField,
    *,
    positions: npt.NDArray[np.int64] | None = None,
    max_neighbors: int = 10,
    avg_neighbors: float = 5.0,
) -> Task[RoutedPath]:
    """Shortest way along neighbouring particles.

    Parameters
    ----------
    z : (W, zdim) array
        Latent points of the waypoints.
    field : LatentField
    positions : (W,) int array, optional
        Particles that they are; those nearest to them if not given.
    max_neighbors, avg_neighbors : int, float
        Of the graph; see ``path_graph.neighbour_graph``.

    Returns
    -------
    RoutedPath

    Raises
    ------
    InputError
        Where the graph has no way; it offers a larger one that has.
    """
    graph = yield from field.graph(max_neighbors, avg_neighbors)
    anchors = field.nearest(z)[1] if positions is None else positions
    passed = [int(anchors[0])]
    waypoint_at = [0]
    for start, end in zip(anchors[:-1].tolist(), anchors[1:].tolist(), strict=True):
        leg = graph_leg(graph, field.mu, start, end)
        if leg is None:
            error = yield from unreachable(
                field.neighbours, start, end, max_neighbors, avg_neighbors
            )
            raise error
        passed += leg.positions[1:].tolist()
        waypoint_at.append(len(passed) - 1)
    nodes = np.array(passed, dtype=np.int64)
    points = field.mu[nodes].astype(np.float64)
    return RoutedPath(points, nodes, np.array(waypoint_at, dtype=np.int64))


def density_route(
    z: npt.NDArray[np.float64], field: LatentField, points_per_leg: int | None = None
) -> Task[RoutedPath]:
    """Densest way from each waypoint (W, zdim) to the next; see ``path_string``.

    Each leg begins once straight and, where the graph of neighbours has a way, once along it.
    """
    density = yield from field.measuring_density()
    scale = Whitening.of(field.mu)
    graph = yield from field.graph()
    anchors = field.nearest(z)[1]
    legs: list[npt.NDArray[np.float64]] = []
    unsettled = 0
    for number, (start, end) in enumerate(pairwise(z)):
        starts = [np.stack([start, end])]
        leg = graph_leg(graph, field.mu, int(anchors[number]), int(anchors[number + 1]))
        if leg is not None and len(leg.positions) > 2:
            starts.append(np.stack([start, *field.mu[leg.positions[1:-1]], end]))
        result = yield from density_leg(density, starts, scale)
        unsettled += not result.converged
        points = result.points
        if points_per_leg is not None:
            points = resampled(points, points_per_leg)
        legs.append(points if not legs else points[1:])
    remarks = (
        (f"{unsettled} of {len(legs)} legs had not settled when the search ended",)
        if unsettled
        else ()
    )
    return _without_particles(np.concatenate(legs), len(z), remarks)


def _legs(z: npt.NDArray[np.float64], points_per_leg: int) -> npt.NDArray[np.float64]:
    """Points evenly spaced from each of z (W, zdim) to the next, both ends among them."""
    shares = np.linspace(0, 1, points_per_leg)[:-1, None]
    parts = [(1 - shares) * start + shares * end for start, end in pairwise(z)]
    return np.concatenate([*parts, z[-1:]])


def _without_particles(
    points: npt.NDArray[np.float64], waypoints: int, remarks: tuple[str, ...] = ()
) -> RoutedPath:
    """A route of free points, with as many in each leg."""
    step = (len(points) - 1) // (waypoints - 1)
    return RoutedPath(
        points,
        np.full(len(points), NO_PARTICLE, dtype=np.int64),
        np.arange(waypoints, dtype=np.int64) * step,
        remarks,
    )
