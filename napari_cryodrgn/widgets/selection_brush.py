"""The brush: paint over particles with a circle whose size the keys [ and ] change."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.selection import inside_brush
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, PlotForTools
from napari_cryodrgn.widgets.selection_modes import MODIFIERS_TEXT, combine_of
from napari_cryodrgn.widgets.selection_tool import SelectionTool, pixels_between, units_per_pixel

SMALLEST, LARGEST, FIRST = 4.0, 300.0, 24.0
"""Radius of the brush, px."""

FACTOR = 1.25
STEP = 2.0
"""Places of the stroke lie at least this far apart, px."""

_ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)


class BrushTool(SelectionTool):
    """Selects what a circle is moved over."""

    name = "brush"
    title = "Brush"
    key = "B"
    icon = "paint"
    shape = "brush"
    tooltip = "Paint over particles to select them, with a circle."
    modifiers_text = f"Paint over particles · [ ]: size · {MODIFIERS_TEXT}"

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self.radius = FIRST
        self._stroke: list[CanvasMouse] = []
        self._mouse: CanvasMouse | None = None

    def press(self, mouse: CanvasMouse) -> bool:
        """Begin to paint."""
        self.begin(mouse)
        self._stroke = [mouse]
        self._draw(mouse)
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """Paint on."""
        if self._stroke and pixels_between(self._stroke[-1], mouse) >= STEP:
            self._stroke.append(mouse)
        self._draw(mouse)

    def release(self, mouse: CanvasMouse) -> None:
        """Select what was painted over."""
        if not self._stroke:
            return
        self.move(mouse)
        stroke = np.array([place.place for place in self._stroke], dtype=np.float64)
        radius = self.radius * units_per_pixel(self._stroke[0])
        self._stroke = []
        self.end()
        self._draw(mouse)
        self.select(partial(inside_brush, stroke=stroke, radius=radius))

    def hover(self, mouse: CanvasMouse) -> None:
        """Show the circle beneath the mouse, in the colour of what a press would do."""
        super().hover(mouse)
        self.how = combine_of(mouse.modifiers)
        self._draw(mouse)

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """Change the size, between strokes."""
        if key not in ("[", "]") or self._stroke:
            return False
        wider = self.radius * (FACTOR if key == "]" else 1 / FACTOR)
        self.radius = float(np.clip(wider, SMALLEST, LARGEST))
        if self._mouse is not None:
            self._draw(self._mouse)
        return True

    def cancel(self) -> None:
        """Forget what was painted."""
        self.end()
        self._stroke, self._mouse = [], None
        self.show(None)

    def _draw(self, mouse: CanvasMouse) -> None:
        self._mouse = mouse
        first = self._stroke[0] if self._stroke else mouse
        places = np.array([place.place for place in (self._stroke or [mouse])], dtype=np.float64)
        self.show(stroke_outline(places, self.radius * units_per_pixel(first)))


def stroke_outline(stroke: npt.NDArray[np.floating], radius: float) -> npt.NDArray[np.floating]:
    """Outline of what a circle covers along a stroke: both of its sides and round ends.

    Parameters
    ----------
    stroke : (M, 2) array
        Places of the circle's centre, M >= 1.
    radius : float
        Of the circle.

    Returns
    -------
    (K, 2) array
        To be drawn as a closed line; it crosses itself where the stroke does.
    """
    steps = np.diff(stroke, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    if not (lengths > 0).any():
        return stroke[0] + radius * np.column_stack([np.sin(_ANGLES), np.cos(_ANGLES)])
    there = np.concatenate([[True], lengths > 0])
    centres, steps = stroke[there], steps[lengths > 0]
    angles = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    # Of a corner, the side has the mean direction of the two steps that meet there.
    sides = np.concatenate([angles[:1], (angles[1:] + angles[:-1]) / 2, angles[-1:]]) + np.pi / 2
    offsets = radius * np.column_stack([np.sin(sides), np.cos(sides)])
    half = np.linspace(0, np.pi, 16)[1:-1]
    end, start = sides[-1] - half, sides[0] + np.pi - half
    caps = [
        centre + radius * np.column_stack([np.sin(cap), np.cos(cap)])
        for centre, cap in ((centres[-1], end), (centres[0], start))
    ]
    return np.concatenate([centres + offsets, caps[0], (centres - offsets)[::-1], caps[1]])
