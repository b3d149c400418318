"""The routes of a session's paths, computed beside the window, for the plot and the dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path import LatentPath
from napari_cryodrgn.latent.path_book import PathBook
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_graph import Unreachable
from napari_cryodrgn.latent.path_profile import PathProfile, path_profile
from napari_cryodrgn.latent.path_routes import NO_PARTICLE, RoutedPath, route
from napari_cryodrgn.progress import Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.background import Latest

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace

MOST_KEPT = 200
"""Routes that are remembered, so that undoing a change shows the one before at once."""


@dataclass(frozen=True, eq=False)
class MeasuredRoute:
    """What has been computed of a path.

    Parameters
    ----------
    routed : RoutedPath or None
        Its route; None where there is none.
    profile : PathProfile or None
        What lies along it.
    nearest : (n,) int64 array
        Positions of the particles nearest to the places of the profile.
    at : (W,) int64 array
        Positions of those nearest to the waypoints.
    problem : str
        Why there is no route; "" where there is.
    offered : (int, float) or None
        A graph that has a way where this path's has none.
    """

    routed: RoutedPath | None
    profile: PathProfile | None
    nearest: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    problem: str = ""
    offered: tuple[int, float] | None = None


_Key = tuple[object, ...]
_Found = tuple[LatentField, dict[_Key, MeasuredRoute]]


class PathDesk:
    """What plot, tool and dock share of the paths of a session.

    Attributes
    ----------
    changed : Signal()
        Other paths, or a route has been computed.
    ended_changed : Signal()
        Whether a click in the plot goes on with the active path has changed.
    dot_changed : Signal(object)
        Latent point (zdim,) of the frame shown, and its colour; or None.
    draw_asked : Signal()
        Somebody wants to draw: the plot's tool is to take the mouse.
    """

    changed = Signal()
    ended_changed = Signal()
    dot_changed = Signal(object)
    draw_asked = Signal()

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self.field: LatentField | None = None
        self.dot: tuple[npt.NDArray[np.float32], str] | None = None
        self._ended: str | None = None
        self._known: dict[_Key, MeasuredRoute] = {}
        self._wanted = 0
        self._latest: Latest[_Found] = Latest(self._take, "path-routes", every=True)
        session.run_changed.connect(self._hear_run)
        session.latent_changed.connect(self._hear_latent)
        session.paths.changed.connect(self._hear_paths)
        self._hear_run()
        self._hear_latent(session.latent)

    @property
    def book(self) -> PathBook | None:
        """The paths; None once the session has ended."""
        session = self._session()
        return None if session is None else session.paths

    def route_of(self, path: LatentPath) -> MeasuredRoute | None:
        """What was computed of a path as it is now; None where that is still to come."""
        return self._known.get(_key(path))

    @property
    def extending(self) -> LatentPath | None:
        """The path that the next click in the plot goes on with; None: it begins another."""
        active = None if self.book is None else self.book.active
        return None if active is None or active.name == self._ended else active

    def end(self) -> None:
        """The active path is finished: the next click begins another."""
        active = None if self.book is None else self.book.active
        self._ended = None if active is None else active.name
        self.ended_changed.emit()

    def go_on(self) -> None:
        """Draw on at the end of the active path."""
        self._ended = None
        self.ended_changed.emit()
        self.draw_asked.emit()

    def show_dot(self, z: npt.NDArray[np.float32] | None, colour: str = "") -> None:
        """Mark the frame of a path that is shown, or none."""
        self.dot = None if z is None else (z, colour)
        self.dot_changed.emit(self.dot)

    def _hear_run(self, _: object = None) -> None:
        self.show_dot(None)
        self.end()

    def _hear_latent(self, latent: LatentSpace | None) -> None:
        mu = None if latent is None or not latent.zdim or not len(latent) else latent.mu
        if mu is None:
            self.field = None
        elif self.field is None or self.field.mu is not mu:
            self.field = LatentField(mu)
        else:
            return
        self._latest.cancel()
        self._known = {}
        self.show_dot(None)
        self._hear_paths()

    def _hear_paths(self, _: object = None) -> None:
        book, field = self.book, self.field
        if book is None:
            return
        if book.active is not None and self._ended not in (None, book.active.name):
            self._ended = None
            self.ended_changed.emit()
        if field is not None:
            # The active one first: it is the one that is looked at.
            paths = sorted(book.paths, key=lambda path: path is not book.active)
            missing = [path for path in paths if _key(path) not in self._known]
            self._wanted += 1
            if missing:
                self._latest.request(partial(_measure_all, missing, field, self._is_wanted()))
        self.changed.emit()

    def _is_wanted(self) -> Callable[[], bool]:
        number = self._wanted
        return lambda: number == self._wanted and self._session() is not None

    def _take(self, found: _Found) -> None:
        field, routes = found
        if field is self.field and routes:
            kept = list(self._known.items())[-MOST_KEPT:]
            self._known = dict(kept) | routes
            self.changed.emit()


# Plot, tool and dock find it by their session, and none knows the others.
_DESKS: WeakKeyDictionary[Session, PathDesk] = WeakKeyDictionary()


def path_desk(session: Session) -> PathDesk:
    """The desk of a session, made when first asked for."""
    if session not in _DESKS:
        _DESKS[session] = PathDesk(session)
    return _DESKS[session]


def _key(path: LatentPath) -> _Key:
    graph = (path.max_neighbors, path.avg_neighbors) if path.route == "graph" else ()
    return (path.waypoints, path.closed, path.route, *graph)


def _measure_all(
    paths: Sequence[LatentPath], field: LatentField, wanted: Callable[[], bool]
) -> _Found:
    """Routes of these paths, on the desk's own thread; fewer where they are not wanted now."""
    found: dict[_Key, MeasuredRoute] = {}
    for path in paths:
        if len(path) and len(path.waypoints[0].z) != field.zdim:
            continue
        task = measured(path, field)
        while wanted():
            try:
                next(task)
            except StopIteration as stop:
                found[_key(path)] = stop.value
                break
        task.close()
    return field, found


def measured(path: LatentPath, field: LatentField) -> Task[MeasuredRoute]:
    """The route of a path, and what lies along it.

    Parameters
    ----------
    path : LatentPath
    field : LatentField
        Of the latent space that its waypoints lie in.

    Returns
    -------
    MeasuredRoute
        With the problem in words, where there is no route.
    """
    none = np.zeros(0, dtype=np.int64)
    at = field.nearest(path.z)[1] if len(path) else none
    if len(path) < 2:
        return MeasuredRoute(None, None, none, at)
    try:
        routed = yield from route(path, field)
    except Unreachable as error:
        return MeasuredRoute(None, None, none, at, error.problem, error.offered)
    except InputError as error:
        return MeasuredRoute(None, None, none, at, error.problem)
    yield from field.measuring_density()
    if not routed.length > 0:
        return MeasuredRoute(None, None, none, at, "all its waypoints lie on one point")
    profile = path_profile(routed.points, field)
    return MeasuredRoute(routed, profile, field.nearest(profile.points)[1], at)


def shares_of(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How much of a polyline (M, zdim) lies behind each of its points, 0 to 1."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return np.asarray(along / along[-1] if along[-1] > 0 else along, dtype=np.float64)


def through_particles(routed: RoutedPath) -> bool:
    """Whether every point of a route is a particle."""
    return bool((routed.positions != NO_PARTICLE).all())
