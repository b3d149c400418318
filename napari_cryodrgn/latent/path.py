"""Paths through the latent space: waypoints, how to go between them, and at what pace.

A path says what was drawn and how it is meant; ``latent.path_routes`` makes the line
through the latent space from it, and ``latent.path_book`` keeps the paths of a run.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from napari_cryodrgn.errors import InputError

Route = Literal["direct", "spline", "nearest", "graph", "density"]
Pace = Literal["points", "latent", "volume"]

ROUTE_TITLES: dict[Route, str] = {
    "direct": "Straight lines",
    "spline": "Smooth curve",
    "nearest": "Nearest particles",
    "graph": "Along neighbouring particles",
    "density": "Where most particles are",
}
PACE_TITLES: dict[Pace, str] = {
    "points": "The route's own points",
    "latent": "Equal steps in the latent space",
    "volume": "Equal change of the volume",
}
# Told apart from each other and from the picked particle's colour on dark and light ground.
PATH_COLOURS = ("#ff5a5f", "#2ec4b6", "#b388eb", "#f4a300", "#5aa9ff", "#8bc34a")
MAX_FRAMES = 2000


class Waypoint(BaseModel):
    """A place that a path goes through.

    Parameters
    ----------
    z : tuple of float
        Latent point, zdim numbers.
    row : int or None
        Row, in the source table of the run, of the particle that it was snapped to; None for
        a free place. Rows are those of the table that the book of paths names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    z: tuple[float, ...]
    row: int | None = Field(default=None, ge=0)


class LatentPath(BaseModel):
    """A named path.

    Parameters
    ----------
    name : str
        What it is called; no two paths of a run are called the same.
    colour : str
        "#rrggbb".
    waypoints : tuple of Waypoint
        In the order in which they are passed.
    closed : bool
        Whether it goes back to the first waypoint.
    route : {"direct", "spline", "nearest", "graph", "density"}
        How it goes between the waypoints.
    pace : {"points", "latent", "volume"}
        How its frames lie along it: the route's own points (particles of a graph's path, ten
        a leg of a straight one), equal steps in z, or equal change of the volume.
    n_frames : int
        Frames in all, for the paces "latent" and "volume".
    max_neighbors, avg_neighbors : int, float
        Of the graph, as cryoDRGN's ``graph_traversal`` has them.
    note : str
        Where it comes from, for people: "drawn in UMAP1, UMAP2".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = PATH_COLOURS[0]
    waypoints: tuple[Waypoint, ...] = ()
    closed: bool = False
    route: Route = "direct"
    pace: Pace = "latent"
    n_frames: int = Field(default=20, ge=2, le=MAX_FRAMES)
    max_neighbors: int = Field(default=10, ge=1)
    avg_neighbors: float = Field(default=5.0, gt=0)
    note: str = ""

    def __len__(self) -> int:
        return len(self.waypoints)

    @property
    def z(self) -> npt.NDArray[np.float64]:
        """Latent points of the waypoints, (n, zdim); of a closed path without the first again."""
        return np.array([waypoint.z for waypoint in self.waypoints], dtype=np.float64)

    def with_waypoint(self, waypoint: Waypoint, index: int | None = None) -> LatentPath:
        """The path with one more waypoint, before the one at `index`; at the end without it."""
        at = len(self) if index is None else index
        return self._with((*self.waypoints[:at], waypoint, *self.waypoints[at:]))

    def with_waypoint_at(self, index: int, waypoint: Waypoint) -> LatentPath:
        """The path with the waypoint at `index` put elsewhere."""
        self._require(index)
        return self._with((*self.waypoints[:index], waypoint, *self.waypoints[index + 1 :]))

    def without_waypoint(self, index: int) -> LatentPath:
        """The path without the waypoint at `index`."""
        self._require(index)
        return self._with((*self.waypoints[:index], *self.waypoints[index + 1 :]))

    def with_waypoint_moved(self, index: int, to: int) -> LatentPath:
        """The path with the waypoint at `index` passed at place `to` of the order instead."""
        self._require(index)
        self._require(to)
        order = list(self.waypoints)
        order.insert(to, order.pop(index))
        return self._with(tuple(order))

    def reversed(self) -> LatentPath:
        """The path the other way round."""
        return self._with(self.waypoints[::-1])

    def _with(self, waypoints: tuple[Waypoint, ...]) -> LatentPath:
        return self.model_copy(update={"waypoints": waypoints})

    def _require(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise InputError(f"the path has {len(self)} waypoints", field="waypoint", value=index)


def waypoint(z: npt.ArrayLike, row: int | None = None) -> Waypoint:
    """A waypoint from a latent point (zdim,) and, where it is a particle's, its row.

    Raises
    ------
    InputError
        Where the point is not finite or has no numbers.
    """
    values = np.asarray(z, dtype=np.float64).reshape(-1)
    if not len(values) or not np.isfinite(values).all():
        raise InputError("a waypoint has finite numbers", field="z", value=values.tolist())
    return Waypoint(z=tuple(values.tolist()), row=None if row is None else int(row))


def checked_waypoints(path: LatentPath, zdim: int | None = None) -> npt.NDArray[np.float64]:
    """Latent points that a route can be made through: the first again at the end where closed.

    Parameters
    ----------
    path : LatentPath
    zdim : int, optional
        Latent dimensions that they must have.

    Returns
    -------
    (n, zdim) float64 array

    Raises
    ------
    InputError
        Where there are fewer than two waypoints, two in succession are identical, or they
        are of another latent space.
    """
    if len(path) < 2:
        have = "has no waypoint" if not len(path) else "has only one waypoint"
        raise InputError(f"{have}; a path needs two", field="path", value=path.name)
    lengths = {len(one.z) for one in path.waypoints}
    if len(lengths) > 1 or (zdim is not None and lengths != {zdim}):
        raise InputError(
            f"its waypoints have {', '.join(map(str, sorted(lengths)))} numbers, and the latent "
            f"space has {zdim if zdim is not None else 'one number of'} dimensions",
            field="path",
            value=path.name,
        )
    points = path.z
    if path.closed:
        points = np.concatenate([points, points[:1]])
    same = np.flatnonzero((points[1:] == points[:-1]).all(axis=1))
    if same.size:
        first = int(same[0])
        second = (first + 1) % len(path)
        raise InputError(
            f"its waypoints {first + 1} and {second + 1} are identical",
            field="path",
            value=path.name,
        )
    return points
