"""The session's paths on the latent plot: routes, waypoints, and the frame shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject

from napari_cryodrgn.latent.path import LatentPath
from napari_cryodrgn.widgets.latent_marks import MarkStyle
from napari_cryodrgn.widgets.latent_tool import PlotForTools
from napari_cryodrgn.widgets.path_desk import PathDesk, shares_of, through_particles

if TYPE_CHECKING:
    from napari_cryodrgn.latent.path_book import PathBook

Places = npt.NDArray[np.float64]

ACTIVE_WIDTH, WIDTH = 3.0, 1.6
DOT = "path frame"
DASH_PIXELS = 11.0
"""Length of a dash and the gap after it, at the zoom at which it was drawn."""

DASHES = 100
"""Dashes of a line where no length is known."""


@dataclass(frozen=True, eq=False)
class DrawnPath:
    """A path as it lies in the plot.

    Parameters
    ----------
    places : (M, 2 or 3) float64 array
        Its line; NaN where it lies nowhere.
    far : (M,) bool array
        Where it is far from particles.
    legs : (M,) int64 array
        Which leg each place belongs to, 0 from the first waypoint to the second.
    waypoints : (W, 2 or 3) float64 array
        The waypoints; NaN for those that lie nowhere.
    """

    places: Places
    far: npt.NDArray[np.bool_]
    legs: npt.NDArray[np.int64]
    waypoints: Places


class PathsOnPlot(QObject):
    """Draws the paths of a desk on a plot.

    Parameters
    ----------
    plot : PlotForTools
        Where to draw.
    desk : PathDesk
        What.
    """

    def __init__(self, plot: PlotForTools, desk: PathDesk) -> None:
        super().__init__()
        self._plot, self._desk = plot, desk
        self._lines: set[str] = set()
        self._marks: set[str] = set()
        self.drawn: dict[str, DrawnPath] = {}
        desk.changed.connect(self.draw)
        desk.ended_changed.connect(self.draw)
        desk.dot_changed.connect(self.draw_dot)
        plot.axes_changed.connect(self.draw)
        # The desk lives as long as the session, the canvas only as long as its dock.
        plot.canvas.native.destroyed.connect(self.stop)
        self._drawing = True

    def stop(self, _: object = None) -> None:
        """Draw no more."""
        self._drawing = False
        self._desk.changed.disconnect(self.draw, missing_ok=True)
        self._desk.ended_changed.disconnect(self.draw, missing_ok=True)
        self._desk.dot_changed.disconnect(self.draw_dot, missing_ok=True)

    def draw(self) -> None:
        """Draw all paths as they are now."""
        if not self._drawing:  # the plot may outlive its canvas
            return
        with self._plot.canvas.overlay.together():
            self._draw_all()

    def _draw_all(self) -> None:
        canvas, book = self._plot.canvas, self._desk.book
        lines, marks = set(), set()
        self.drawn = {}
        if book is not None and self._plot.axes is not None and self._plot.latent is not None:
            for path in book.paths:
                drawn = self._laid_out(path, book)
                if drawn is None:
                    continue
                self.drawn[path.name] = drawn
                lines |= self._draw_line(path, drawn, active=path is book.active)
                marks |= self._draw_marks(path, drawn, active=path is book.active)
        for name in self._lines - lines:
            canvas.show_line(name, None)
        for name in self._marks - marks:
            canvas.show_mark(name, None)
        self._lines, self._marks = lines, marks
        self.draw_dot()

    def draw_dot(self, _: object = None) -> None:
        """Mark the frame shown."""
        dot, axes, field = self._desk.dot, self._plot.axes, self._desk.field
        place = None
        if dot is not None and axes is not None:
            place = axes.from_z(dot[0])
            if place is None and field is not None and self._plot.latent is not None:
                places = self._places(dot[0][None], field.nearest(dot[0][None])[1])
                place = None if places is None else places[0]
        self._plot.canvas.show_mark(DOT, place, style="dot", colour="#ffffff")

    def _laid_out(self, path: LatentPath, book: PathBook) -> DrawnPath | None:
        if not len(path):
            return None
        route = self._desk.route_of(path)
        if route is None:
            # Looks through all N rows, and only until the nearest particles have been found.
            at = np.array([-1 if one is None else one for one in book.positions(path)])
        else:
            at = route.at
        waypoints = self._places(path.z, at)
        if waypoints is None:
            return None
        if route is None or route.routed is None or route.profile is None:
            order = [*range(len(path)), *([0] if path.closed and len(path) > 2 else [])]
            far = np.full(len(order), route is not None and bool(route.problem))
            return DrawnPath(waypoints[order], far, np.arange(len(order)), waypoints)
        profile, routed = route.profile, route.routed
        share, points, positions, far = profile.share, profile.points, route.nearest, profile.far
        along = shares_of(routed.points)
        if through_particles(routed):
            share, points, positions = along, routed.points, routed.positions
            far = profile.far[np.searchsorted(profile.share, along).clip(0, len(profile.far) - 1)]
        places = self._places(points, positions)
        if places is None:
            return None
        legs = np.searchsorted(along[routed.waypoint_at], share, side="right") - 1
        return DrawnPath(places, far, legs.clip(0, len(routed.waypoint_at) - 2), waypoints)

    def _places(
        self, z: npt.NDArray[np.floating], positions: npt.NDArray[np.int64]
    ) -> Places | None:
        """Where latent points (n, zdim) lie: in z and PC axes themselves, else their particles."""
        axes, scatter = self._plot.axes, self._plot.scatter
        if axes is None or scatter is None:
            return None
        if axes.kind in ("z", "pca") and len(z) and axes.from_z(z[0]) is not None:
            return np.array([axes.from_z(point) for point in z], dtype=np.float64)
        points = scatter.points
        places = np.full((len(z), points.shape[1]), np.nan)
        known = (positions >= 0) & (positions < len(points))
        places[known] = points[positions[known]]
        return places

    def _draw_line(self, path: LatentPath, drawn: DrawnPath, *, active: bool) -> set[str]:
        names = set()
        width = ACTIVE_WIDTH if active else WIDTH
        dash = DASH_PIXELS * self._plot.canvas.radius() / 14.0
        for number, (places, far) in enumerate(stretches(drawn.places, drawn.far)):
            name = f"path {path.name} {number}"
            names.add(name)
            length = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
            # With three axes lengths are no lengths on the screen.
            flat = places.shape[1] == 2 and dash > 0
            dashes = int(np.clip(length / dash, 2, 400)) if flat else DASHES
            self._plot.canvas.show_line(
                name, places, colour=path.colour, width=width, dashes=dashes if far else 0
            )
        return names

    def _draw_marks(self, path: LatentPath, drawn: DrawnPath, *, active: bool) -> set[str]:
        names = set()
        for number, place in enumerate(drawn.waypoints):
            # Of the others the ends only: many marks would hide the points.
            if active or number in (0, len(path) - 1):
                name = f"path {path.name} waypoint {number}"
                names.add(name)
                style: MarkStyle = "ring" if active and number == 0 else "dot"
                self._plot.canvas.show_mark(name, place, style=style, colour=path.colour)
        return names


def stretches(places: Places, far: npt.NDArray[np.bool_]) -> list[tuple[Places, bool]]:
    """A line in pieces that are far from particles or are not, without places that are NaN.

    A step that leads to or from a far place is far.
    """
    finite = np.isfinite(places).all(axis=1)
    places, far = places[finite], far[finite]
    if len(places) < 2:
        return []
    steps = far[1:] | far[:-1]
    edges = [0, *(np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist(), len(steps)]
    return [(places[start : end + 1], bool(steps[start])) for start, end in pairwise(edges)]
