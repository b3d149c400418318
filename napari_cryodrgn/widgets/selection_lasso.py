"""The lasso: draw round the particles with the mouse held down."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_cryodrgn.latent.selection import inside_polygon
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, PlotForTools
from napari_cryodrgn.widgets.selection_modes import MODIFIERS_TEXT
from napari_cryodrgn.widgets.selection_tool import SelectionTool, pixels_between

STEP = 2.0
"""Places of the lasso lie at least this far apart, px."""

SMALLEST = 4.0
"""A lasso that never leaves this distance from its beginning, px, is a slip of the mouse."""


class LassoTool(SelectionTool):
    """Selects what is drawn round; a lasso may cross itself."""

    name = "lasso"
    title = "Lasso"
    key = "L"
    icon = "polygon_lasso"
    shape = "lasso"
    tooltip = "Draw round particles to select them. A click alone picks a particle."
    modifiers_text = f"Draw round particles · {MODIFIERS_TEXT}"

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self._path: list[CanvasMouse] = []
        self._reach = 0.0

    def press(self, mouse: CanvasMouse) -> bool:
        """Begin."""
        self.begin(mouse)
        self._path, self._reach = [mouse], 0.0
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """Draw on."""
        if not self._path:
            return
        self._reach = max(self._reach, pixels_between(self._path[0], mouse))
        if pixels_between(self._path[-1], mouse) >= STEP:
            self._path.append(mouse)
            self.show(self._places())

    def release(self, mouse: CanvasMouse) -> None:
        """Select what lies inside."""
        self.move(mouse)
        path, polygon, reach = self._path, self._places(), self._reach
        self.cancel()
        if path and reach < SMALLEST:
            self.pick(path[0])
        elif len(polygon) >= 3:
            self.select(partial(inside_polygon, polygon=polygon))

    def cancel(self) -> None:
        """Forget what was drawn."""
        self.end()
        self._path = []
        self.show(None)

    def _places(self) -> np.ndarray:
        return np.array([mouse.place for mouse in self._path], dtype=np.float64).reshape(-1, 2)
