"""What lies over the points of the latent plot: outlines being drawn, marks, and paths.

These are nodes of the canvas's own scene rather than napari layers: each is a handful of
vertices that follow the mouse, and a layer takes many times longer to change.

A place of two numbers is a place of the plot: of the axes in 2D, of the screen in 3D. A place
of three numbers, (third, y, x), belongs to the three axes and turns with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from vispy.color import Color
from vispy.scene import Line, Markers, Node

MarkStyle = Literal["cross", "ring", "dot"]

SYMBOLS: dict[MarkStyle, str] = {"cross": "cross", "ring": "ring", "dot": "disc"}
MARK_SIZES: dict[MarkStyle, float] = {"cross": 17.0, "ring": 15.0, "dot": 9.0}
SHADE = (0.0, 0.0, 0.0, 0.75)
"""Colour beneath marks and lines: they are seen on any ground and any colour of the points."""

MARK_ORDER, LINE_ORDER, OUTLINE_ORDER = 300, 200, 400
DASHES = 100
"""Dashes of a dashed line, where nothing else is said."""


@dataclass(frozen=True, eq=False)
class Mark:
    """A named mark: where it is and how it looks."""

    place: npt.NDArray[np.float64]
    style: MarkStyle
    colour: str


@dataclass(frozen=True, eq=False)
class PathLine:
    """A named polyline: its points, and how it looks."""

    points: npt.NDArray[np.float64]
    colour: str
    width: float
    dashed: bool


class Overlay:
    """The nodes over the points.

    Parameters
    ----------
    scene : vispy Node
        The scene that the camera looks at.
    screen : vispy Node
        Parent whose units are px from the middle of the canvas, y up.
    """

    def __init__(self, scene: Node, screen: Node) -> None:
        self._scene, self._screen = scene, screen
        self._flat = True
        self.marks: dict[str, Mark] = {}
        self.lines: dict[str, PathLine] = {}
        self.outline: npt.NDArray[np.float64] | None = None
        self._nodes: dict[str, tuple[Any, ...]] = {}

    def set_flat(self, flat: bool) -> None:
        """Two axes, or three; what belongs to the old ones goes."""
        if flat != self._flat:
            self._flat = flat
            self.clear()

    def clear(self) -> None:
        """Remove everything."""
        for nodes in self._nodes.values():
            for node in nodes:
                node.parent = None
        self._nodes.clear()
        self.marks.clear()
        self.lines.clear()
        self.outline = None

    def show_outline(
        self, points: npt.ArrayLike | None, *, closed: bool = True, colour: str = "#ffffff"
    ) -> None:
        """Show a polygon that is being drawn, (M, 2) or none."""
        places = None if points is None else np.asarray(points, dtype=np.float64)
        if places is None or len(places) < 2:
            self.outline = None
            self._hide("outline")
            return
        self.outline = places
        if closed:
            places = np.concatenate([places, places[:1]])
        self._draw_line("outline", places, colour, 1.0, OUTLINE_ORDER, connect="strip")

    def show_mark(
        self, name: str, place: npt.ArrayLike | None, *, style: MarkStyle, colour: str
    ) -> None:
        """Show a mark at a place, or take it away."""
        key = f"mark {name}"
        where = None if place is None else np.asarray(place, dtype=np.float64)
        if where is None or not np.isfinite(where).all():
            self.marks.pop(name, None)
            self._hide(key)
            return
        self.marks[name] = Mark(where, style, colour)
        nodes = self._nodes.get(key)
        if nodes is None:
            nodes = (Markers(antialias=1.0), Markers(antialias=1.0))
            self._nodes[key] = nodes
        size = MARK_SIZES[style]
        position = _upside(where[None])
        # One size for both would hide the lower one: it is drawn a little larger.
        for node, tint, more, order in zip(
            nodes, (SHADE, colour), (4.0, 0.0), (MARK_ORDER, MARK_ORDER + 1), strict=True
        ):
            node.set_data(
                position,
                symbol=SYMBOLS[style],
                size=size + more,
                face_color=tint,
                edge_width=0,
            )
            self._place(node, where.shape[-1], order)

    def show_line(
        self,
        name: str,
        points: npt.ArrayLike | None,
        *,
        colour: str,
        width: float = 2.0,
        dashed: bool = False,
        dashes: int = DASHES,
    ) -> None:
        """Show a polyline (M, 2), or (M, 3) in three axes, or take it away."""
        places = None if points is None else np.asarray(points, dtype=np.float64)
        if places is None or len(places) < 2:
            self.lines.pop(name, None)
            self._hide(f"line {name}")
            return
        self.lines[name] = PathLine(places, colour, width, dashed)
        drawn, connect = (_dashed(places, dashes), "segments") if dashed else (places, "strip")
        self._draw_line(f"line {name}", drawn, colour, width, LINE_ORDER, connect=connect)

    def _draw_line(
        self,
        key: str,
        places: npt.NDArray[np.float64],
        colour: str,
        width: float,
        order: int,
        *,
        connect: str,
    ) -> None:
        nodes = self._nodes.get(key)
        position = _upside(places).astype(np.float32)
        tints = (Color(SHADE), Color(colour))
        widths = (width + 2.0, width)
        if nodes is None:
            nodes = tuple(Line(position, method="gl") for _ in range(2))
            self._nodes[key] = nodes
        for step, (node, tint, wide) in enumerate(zip(nodes, tints, widths, strict=True)):
            node.set_data(pos=position, color=tint, width=wide, connect=connect)
            self._place(node, places.shape[-1], order + step)

    def _place(self, node: Any, n_axes: int, order: int) -> None:
        parent = self._scene if self._flat or n_axes == 3 else self._screen
        if node.parent is not parent:
            node.parent = parent
        node.order = order
        node.set_gl_state("translucent", depth_test=False)
        node.visible = True

    def _hide(self, key: str) -> None:
        for node in self._nodes.get(key, ()):
            node.visible = False


def _upside(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(y, x) or (third, y, x) to vispy's (x, y[, z])."""
    return np.ascontiguousarray(places[:, ::-1])


def _dashed(places: npt.NDArray[np.float64], dashes: int) -> npt.NDArray[np.float64]:
    """Pairs of points, the ends of dashes of one length along a polyline."""
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] <= 0:
        return places[:2]
    ends = np.linspace(0, along[-1], 2 * dashes)
    return np.column_stack([np.interp(ends, along, axis) for axis in places.T])
