"""What all tools that select with the mouse have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.selection import Combine, Mask
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, LatentTool, PlotForTools
from napari_cryodrgn.widgets.latent_viewer import PICK_RADIUS
from napari_cryodrgn.widgets.selection_modes import COLOURS, WORDS, combine_of
from napari_cryodrgn.widgets.selection_work import InOrder

Places = npt.NDArray[np.float32]
Inside = Callable[[Places], Mask]


class SelectionTool(LatentTool):
    """Base of the tools that draw a shape and select what lies inside it.

    What the shape does to the selection is read from the keys when the mouse is pressed, and
    holds until the shape is finished. All N particles are tested, on a thread of their own.

    Attributes
    ----------
    how : {"replace", "add", "subtract", "intersect"}
        What the shape that is being drawn will do.
    """

    shape = "shape"

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self.how: Combine = "replace"
        self._hint = self.modifiers_text
        self._work: InOrder[Mask] = InOrder("selection")

    @property
    def busy(self) -> bool:
        """Whether a shape has been drawn and its particles are not selected yet."""
        return self._work.busy

    def begin(self, mouse: CanvasMouse) -> None:
        """A shape begins here: what it will do is settled."""
        self.how = combine_of(mouse.modifiers)
        self.hint(f"This {self.shape} {WORDS[self.how]}")

    def end(self) -> None:
        """The shape is finished, or given up."""
        self.hint(self.modifiers_text)

    def hover(self, mouse: CanvasMouse) -> None:
        """Say what a press would do with the keys that are held."""
        words = f"A {self.shape} now {WORDS[combine_of(mouse.modifiers)]}"
        self.hint(words if mouse.modifiers else self.modifiers_text)

    def activate(self) -> None:
        """The line below the plot is that of this tool."""
        self._hint = self.modifiers_text

    def hint(self, words: str) -> None:
        """Say something below the plot, where that is not said already."""
        if words != self._hint:
            self._hint = words
            self.hinted.emit(words)

    def show(self, outline: npt.NDArray[np.floating] | None, *, closed: bool = True) -> None:
        """Draw the shape as it is now, (M, 2) places (y, x), in the colour of what it will do."""
        canvas = self.plot.canvas
        if outline is None or len(outline) < 2:
            canvas.show_outline(None)
        else:
            places = np.asarray(outline, dtype=np.float32)
            canvas.show_outline(places, closed=closed, colour=COLOURS[self.how])

    def select(self, inside: Inside) -> None:
        """Select what lies inside: all particles are tested, and the result is combined.

        Parameters
        ----------
        inside : callable
            Takes the places (N, 2) of all particles and says which lie inside, (N,) bool. It
            is called on another thread.
        """
        latent, axes = self.plot.latent, self.plot.axes
        if latent is None or axes is None:
            return
        made = f"{self.shape} in {', '.join(axes.names)}"
        done = partial(self._apply, latent, self.how, made)
        self._work.request(partial(inside, self.plot.points), done)

    def pick(self, mouse: CanvasMouse) -> None:
        """A click without keys, which draws no shape: pick the particle beneath it."""
        position = None if mouse.modifiers else self.plot.nearest(mouse.place, mouse.radius)
        if position is not None:
            self.plot.session.pick(position)

    def _apply(self, latent: LatentSpace, how: Combine, made: str, mask: Mask) -> None:
        if self.plot.latent is not latent:
            return  # another epoch is shown by now, and the places were those of this one
        if not mask.any():
            self.plot.session.say(f"No particle lies inside the {self.shape}: nothing is changed.")
            return
        self.plot.session.selections.apply(mask, how, made)


def pixels_between(one: CanvasMouse, other: CanvasMouse) -> float:
    """How far apart on the screen two places of the mouse are, px along the longer axis."""
    return float(np.abs(np.asarray(one.pos, float) - np.asarray(other.pos, float)).max())


def units_per_pixel(mouse: CanvasMouse) -> float:
    """Plot units that one px of the screen stands for."""
    return mouse.radius / PICK_RADIUS
