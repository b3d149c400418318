"""What a mouse tool of the latent plot is, and what the plot offers to one.

A tool says with `LatentTool.press` whether it takes a drag with the left button; what no tool
takes moves the plot. The wheel always zooms; a drag with the right button, or with the space bar
held, always moves the plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.latent_axes import PlotAxes

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.widgets.latent_scatter import Scatter
    from napari_cryodrgn.widgets.latent_viewer import LatentCanvas

Place = npt.NDArray[np.float64]
"""(y, x) in plot units."""


@dataclass(frozen=True, eq=False)
class CanvasMouse:
    """The mouse over the canvas at one moment.

    Parameters
    ----------
    place : (2,) float64 array
        Where it is, (y, x) in plot units.
    pos : (float, float)
        The same in px, (x, y) from the upper left corner.
    radius : float
        Plot units around it within which a particle is meant.
    modifiers : frozenset of str
        Of "Shift", "Alt" and "Control", those held.
    button : str
        "left", "right", "middle", or "" where none is pressed.
    """

    place: Place
    pos: tuple[float, float]
    radius: float
    modifiers: frozenset[str] = frozenset()
    button: str = ""


class PlotForTools(Protocol):
    """What tools may use of the latent plot."""

    @property
    def session(self) -> Session:
        """What is open, picked and shown."""

    @property
    def latent(self) -> LatentSpace | None:
        """The latent space drawn, None where there is none."""

    @property
    def axes(self) -> PlotAxes | None:
        """What its axes are, None where nothing is drawn."""

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """Places (y, x) of all N particles in plot units, NaN where one has none, (N, 2).

        With three axes they are places on the screen, as seen from where the camera is now.
        """

    @property
    def scatter(self) -> Scatter | None:
        """The particles drawn; its points are places in all axes, which turn with the view."""

    @property
    def axes_changed(self) -> Any:
        """Qt signal without values: other axes or particles are drawn."""

    @property
    def canvas(self) -> LatentCanvas:
        """Where outlines, marks and lines are shown."""

    def nearest(self, place: npt.ArrayLike, radius: float = np.inf) -> int | None:
        """Position of the particle nearest to a place, of all N; None beyond the radius."""

    def set_selection_masks(self, masks: Sequence[tuple[npt.NDArray[np.bool_], str]]) -> None:
        """Show the particles of these masks (N,) in these colours, later ones before earlier."""


class LatentTool(QObject):
    """Base of the mouse tools; the plain one takes nothing.

    Attributes
    ----------
    name : str
        By which it is asked for.
    title : str
        Its name for people.
    key : str
        The letter that chooses it.
    tooltip : str
        What it does.
    icon : str
        Path of an ``.svg`` file, or the name of one of napari's icons.
    modifiers_text : str
        One line on the mouse and the modifier keys, shown below the plot.
    hinted : Signal(str)
        Another line to show there for now.
    """

    hinted = Signal(str)

    name = ""
    title = ""
    key = ""
    tooltip = ""
    icon = ""
    modifiers_text = ""

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__()
        self.plot = plot

    def press(self, mouse: CanvasMouse) -> bool:
        """Left button pressed; True takes the drag, False lets it move the plot."""
        return False

    def move(self, mouse: CanvasMouse) -> None:
        """Moved during a drag that was taken."""

    def release(self, mouse: CanvasMouse) -> None:
        """The end of a drag that was taken."""

    def double_click(self, mouse: CanvasMouse) -> bool:
        """Left button pressed a second time; False makes it a press like any other."""
        return False

    def hover(self, mouse: CanvasMouse) -> None:
        """Moved without a button, about twenty times a second."""

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """A key ("Left", "Return", "A", …) while the canvas has the focus; True takes it."""
        return False

    def cancel(self) -> None:
        """Give up what was begun: Escape, the focus went elsewhere, or other axes are shown."""

    def activate(self) -> None:
        """The tool is chosen."""

    def deactivate(self) -> None:
        """Another tool is chosen."""
