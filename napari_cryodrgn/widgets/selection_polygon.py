"""The polygon: click corner after corner, and close it with a double click or Enter."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_cryodrgn.latent.selection import inside_polygon
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, PlotForTools
from napari_cryodrgn.widgets.selection_modes import MODIFIERS_TEXT, WORDS
from napari_cryodrgn.widgets.selection_tool import SelectionTool, pixels_between

STILL = 4.0
"""Two clicks that are no farther apart than this, px, mean one corner."""

HINT = "Enter or double click closes, Backspace takes back, Escape gives up"


class PolygonTool(SelectionTool):
    """Selects what lies inside corners that are clicked one after another."""

    name = "polygon"
    title = "Polygon"
    key = "P"
    icon = "polygon"
    shape = "polygon"
    tooltip = f"Click corners round particles to select them. {HINT}."
    modifiers_text = f"Click corners · double click closes · {MODIFIERS_TEXT}"

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self._corners: list[CanvasMouse] = []
        self._mouse: CanvasMouse | None = None

    def press(self, mouse: CanvasMouse) -> bool:
        """Set a corner; the first one says what the polygon will do."""
        if not self._corners:
            self.begin(mouse)
        if not self._corners or pixels_between(self._corners[-1], mouse) > STILL:
            self._corners.append(mouse)
        self._draw(None)
        self.hint(f"This polygon {WORDS[self.how]}. {HINT}")
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """The last corner follows the mouse until it is released."""
        if self._corners:
            self._corners[-1] = mouse
            self._draw(None)

    def hover(self, mouse: CanvasMouse) -> None:
        """Show the polygon as it would be with a corner here."""
        if self._corners:
            self._draw(mouse)
        else:
            super().hover(mouse)

    def double_click(self, mouse: CanvasMouse) -> bool:
        """Close the polygon."""
        if self._corners and pixels_between(self._corners[-1], mouse) > STILL:
            self._corners.append(mouse)
        self._close()
        return True

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """Enter closes, Backspace takes the last corner back."""
        if not self._corners:
            return False
        if key in ("Return", "Enter"):
            self._close()
        elif key in ("Backspace", "Delete"):
            self._corners.pop()
            self._draw(self._mouse if self._corners else None)
        else:
            return False
        return True

    def cancel(self) -> None:
        """Give the polygon up."""
        self.end()
        self._corners, self._mouse = [], None
        self.show(None)

    def _close(self) -> None:
        corners = np.array([corner.place for corner in self._corners], dtype=np.float64)
        self.cancel()
        if len(corners) >= 3:
            self.select(partial(inside_polygon, polygon=corners))

    def _draw(self, mouse: CanvasMouse | None) -> None:
        self._mouse = mouse
        corners = self._corners if mouse is None else [*self._corners, mouse]
        self.show(np.array([corner.place for corner in corners]).reshape(-1, 2))
