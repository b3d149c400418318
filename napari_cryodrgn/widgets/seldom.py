"""Words that follow the mouse change seldom.

Any text that changes has all of the window put together again, which without a graphics card takes
longer than the surface itself.
"""

from __future__ import annotations

import time

WORDS_SECONDS = 0.25
"""How often words change while something is being dragged."""


class Seldom:
    """Says whether it is time again.

    Parameters
    ----------
    seconds : float
        How long it is not, after `said`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = -seconds

    def due(self) -> bool:
        """Whether so many seconds have passed since it was last said."""
        return time.monotonic() - self._last >= self._seconds

    def said(self) -> None:
        """Begin to count anew."""
        self._last = time.monotonic()
