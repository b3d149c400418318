"""Good or bad: click particles to mark them, as examples from which junk is learnt."""

from __future__ import annotations

from typing import Literal

from napari_cryodrgn.widgets.latent_tool import CanvasMouse, LatentTool, PlotForTools
from napari_cryodrgn.widgets.selection_tool import pixels_between

STILL = 4.0
"""A press that moves less than this many px before its release is a click."""


class GoodBadTool(LatentTool):
    """A click marks the particle beneath it as good or bad, and shows its volume.

    Attributes
    ----------
    meaning : {"good", "bad"}
        What a plain click means.
    """

    name = "good_bad"
    title = "Good / bad"
    key = "G"
    tooltip = "Mark some good and some bad particles; then press Score all under Selections."
    icon = "check"
    modifiers_text = (
        "Click: good  ·  Alt+click: bad  ·  Shift+click: no mark  ·  G, B: what a click means"
    )

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self.meaning: Literal["good", "bad"] = "good"
        self._pressed: CanvasMouse | None = None

    def press(self, mouse: CanvasMouse) -> bool:
        """Wait for the release."""
        self._pressed = mouse
        return True

    def release(self, mouse: CanvasMouse) -> None:
        """Mark the particle."""
        pressed, self._pressed = self._pressed, None
        if pressed is None or pixels_between(pressed, mouse) > STILL:
            return
        position = self.plot.nearest(pressed.place, pressed.radius)
        if position is None:
            return
        session = self.plot.session
        good: bool | None = self.meaning == "good"
        if "Shift" in pressed.modifiers:
            good = None
        elif pressed.modifiers & {"Alt", "Control"}:
            good = not good
        session.selections.mark(position, good)
        session.pick(position)

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """G and B change what a plain click means."""
        if modifiers or key.upper() not in ("G", "B"):
            return False
        self.meaning = "good" if key.upper() == "G" else "bad"
        return True

    def activate(self) -> None:
        """Clicks mean good ones to begin with."""
        self.meaning = "good"

    def cancel(self) -> None:
        """Forget a press."""
        self._pressed = None
