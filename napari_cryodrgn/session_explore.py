"""How the latent space is explored: choices that the plot and the Explore dock share."""

from __future__ import annotations

from psygnal import Signal


class ExploreChoices:
    """What a person has switched on.

    Attributes
    ----------
    preview_changed : Signal(bool)
        Whether the particle under the mouse is shown without a click.
    """

    preview_changed = Signal(bool)

    def __init__(self) -> None:
        self._preview = False

    @property
    def preview(self) -> bool:
        """Whether the particle under the mouse is shown without a click."""
        return self._preview

    def set_preview(self, on: bool) -> None:
        """Show the particle under the mouse, or wait for a click."""
        if on != self._preview:
            self._preview = on
            self.preview_changed.emit(on)
