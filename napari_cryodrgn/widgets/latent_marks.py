"""What lies over the points of the latent plot: outlines being drawn, marks, and paths.

These are nodes of the canvas's own scene rather than napari layers: each is a handful of
vertices that follow the mouse, and a layer takes many times longer to change.

A place of two numbers is a place of the plot: of the axes in 2D, of the screen in 3D. A place
of three numbers, (third, y, x), belongs to the three axes and turns with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
OUTLINE_WIDTH = 1.0

_What = Literal["marks", "lines"]
_Kind = tuple[str, int, float]
"""What shares two nodes: "mark", "line" or "outline", its number of axes, its width."""


@dataclass(frozen=True, eq=False)
class Mark:
    """A named mark: where it is and how it looks."""

    place: npt.NDArray[np.float64]
    style: MarkStyle
    colour: str


@dataclass(frozen=True, eq=False)
class PathLine:
    """A polyline: its points, and how it looks; without dashes it is whole."""

    points: npt.NDArray[np.float64]
    colour: str
    width: float
    dashes: int


class Overlay:
    """The nodes over the points.

    All marks together are two nodes, as are all lines of one width: each node has shaders of its
    own, whose compilation takes up to 40 ms where OpenGL is software.

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
        self._nodes: dict[_Kind, tuple[Any, Any]] = {}
        self._waiting: set[_What] | None = None

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

    @contextmanager
    def together(self) -> Iterator[None]:
        """Draw what is shown and taken away within at its end, once."""
        if self._waiting is not None:
            yield
            return
        self._waiting = set()
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            for what in waiting:
                self._draw(what)

    def show_outline(
        self, points: npt.ArrayLike | None, *, closed: bool = True, colour: str = "#ffffff"
    ) -> None:
        """Show a polygon that is being drawn, (M, 2) or none."""
        places = None if points is None else np.asarray(points, dtype=np.float64)
        self.outline = None if places is None or len(places) < 2 else places
        lines = []
        if self.outline is not None:
            whole = np.concatenate([self.outline, self.outline[:1]]) if closed else self.outline
            lines = [PathLine(whole, colour, OUTLINE_WIDTH, 0)]
        self._draw_lines("outline", lines, OUTLINE_ORDER)

    def show_mark(
        self, name: str, place: npt.ArrayLike | None, *, style: MarkStyle, colour: str
    ) -> None:
        """Show a mark at a place, or take it away."""
        where = None if place is None else np.asarray(place, dtype=np.float64)
        if where is None or not np.isfinite(where).all():
            if self.marks.pop(name, None) is None:
                return
        else:
            self.marks[name] = Mark(where, style, colour)
        self._draw("marks")

    def show_line(
        self,
        name: str,
        points: npt.ArrayLike | None,
        *,
        colour: str,
        width: float = 2.0,
        dashes: int = 0,
    ) -> None:
        """Show a polyline (M, 2), or (M, 3) in three axes, or take it away; 0 dashes: a whole."""
        places = None if points is None else np.asarray(points, dtype=np.float64)
        if places is None or len(places) < 2:
            if self.lines.pop(name, None) is None:
                return
        else:
            self.lines[name] = PathLine(places, colour, width, dashes)
        self._draw("lines")

    def _draw(self, what: _What) -> None:
        if self._waiting is not None:
            self._waiting.add(what)
        elif what == "marks":
            self._draw_marks()
        else:
            self._draw_lines("line", list(self.lines.values()), LINE_ORDER)

    def _draw_marks(self) -> None:
        by_kind: dict[_Kind, list[Mark]] = {kind: [] for kind in self._nodes if kind[0] == "mark"}
        for mark in self.marks.values():
            by_kind.setdefault(("mark", len(mark.place), 0.0), []).append(mark)
        for kind, marks in by_kind.items():
            nodes = self._nodes_of(kind, MARK_ORDER, bool(marks))
            if not marks:
                continue
            position = _upside(np.array([mark.place for mark in marks]))
            symbols = [SYMBOLS[mark.style] for mark in marks]
            sizes = np.array([MARK_SIZES[mark.style] for mark in marks])
            tints = np.array([Color(mark.colour).rgba for mark in marks])
            # One size for both would hide the lower one: it is drawn a little larger.
            for node, tint, more in zip(nodes, (SHADE, tints), (4.0, 0.0), strict=True):
                node.set_data(
                    position, symbol=symbols, size=sizes + more, face_color=tint, edge_width=0
                )

    def _draw_lines(self, name: str, lines: list[PathLine], order: int) -> None:
        by_kind: dict[_Kind, list[PathLine]] = {kind: [] for kind in self._nodes if kind[0] == name}
        for line in lines:
            by_kind.setdefault((name, line.points.shape[1], line.width), []).append(line)
        for kind, some in by_kind.items():
            nodes = self._nodes_of(kind, order, bool(some))
            if not some:
                continue
            pieces = [_steps(line) for line in some]
            position = _upside(np.concatenate(pieces)).astype(np.float32)
            tints = np.repeat(
                [Color(line.colour).rgba for line in some], [len(piece) for piece in pieces], axis=0
            )
            shades = np.tile(np.array(SHADE, np.float32), (len(tints), 1))
            for node, colours, more in zip(nodes, (shades, tints), (2.0, 0.0), strict=True):
                node.set_data(pos=position, color=colours, width=kind[2] + more, connect="segments")

    def _nodes_of(self, kind: _Kind, order: int, seen: bool) -> tuple[Any, Any]:
        """The node beneath and the one above of a kind, made at need."""
        nodes = self._nodes.get(kind)
        if nodes is None:
            nodes = (_new_node(kind), _new_node(kind))
            parent = self._scene if self._flat or kind[1] == 3 else self._screen
            for step, node in enumerate(nodes):
                node.parent = parent
                node.order = order + step
                node.set_gl_state("translucent", depth_test=False)
            self._nodes[kind] = nodes
        for node in nodes:
            node.visible = seen
        return nodes


def _new_node(kind: _Kind) -> Any:
    name, n_axes, _ = kind
    nothing = np.zeros((2, n_axes), np.float32)
    return Markers(antialias=1.0) if name == "mark" else Line(nothing, method="gl")


def _steps(line: PathLine) -> npt.NDArray[np.float64]:
    """The pairs of points that a line is drawn between: its own, or the ends of its dashes."""
    if line.dashes:
        return _dashed(line.points, line.dashes)
    return np.repeat(line.points, 2, axis=0)[1:-1]


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
