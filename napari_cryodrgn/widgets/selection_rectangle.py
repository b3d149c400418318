"""The rectangle: drag from one corner to the other."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_cryodrgn.latent.selection import inside_rectangle
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, PlotForTools
from napari_cryodrgn.widgets.selection_modes import MODIFIERS_TEXT
from napari_cryodrgn.widgets.selection_tool import SelectionTool, pixels_between

SMALLEST = 4.0
"""A rectangle smaller than this, px, is a slip of the mouse."""


class RectangleTool(SelectionTool):
    """Selects what lies inside a rectangle along the axes."""

    name = "rectangle"
    title = "Rectangle"
    key = "R"
    icon = "rectangle"
    shape = "rectangle"
    tooltip = "Drag a rectangle over particles to select them. A click alone picks a particle."
    modifiers_text = f"Drag a rectangle · {MODIFIERS_TEXT}"

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self._corner: CanvasMouse | None = None

    def press(self, mouse: CanvasMouse) -> bool:
        """Set the first corner."""
        self.begin(mouse)
        self._corner = mouse
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """Show the rectangle."""
        if self._corner is not None:
            (y0, x0), (y1, x1) = self._corner.place, mouse.place
            self.show(np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]]))

    def release(self, mouse: CanvasMouse) -> None:
        """Select what lies inside."""
        corner = self._corner
        self.cancel()
        if corner is None:
            return
        if pixels_between(corner, mouse) < SMALLEST:
            self.pick(corner)
        else:
            corners = (np.asarray(corner.place, float), np.asarray(mouse.place, float))
            self.select(partial(inside_rectangle, corner=corners[0], opposite=corners[1]))

    def cancel(self) -> None:
        """Forget what was drawn."""
        self.end()
        self._corner = None
        self.show(None)
