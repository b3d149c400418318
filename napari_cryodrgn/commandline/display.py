"""Whether there is a display to open a window on."""

from __future__ import annotations

import logging
import os
import sys

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.workflows.window_guards import binding_problem, window_problem

logger = logging.getLogger(__name__)

# Qt's platforms that show nothing.
_INVISIBLE = ("offscreen", "minimal", "minimalegl", "vnc")


def has_display() -> bool:
    """Whether a window can be shown, as far as the environment tells."""
    if os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in _INVISIBLE:
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def require_display(instead: str) -> None:
    """Make sure that there is a display.

    Parameters
    ----------
    instead : str
        What can be done without one.

    Raises
    ------
    InputError
        Where there is none.
    """
    if not has_display():
        raise InputError(
            "there is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY leads "
            "to one)",
            hint=instead,
        )
    problem = window_problem()
    if problem:
        raise InputError(f"no window can be opened: {problem}")
    unwell = binding_problem()
    if unwell:
        logger.warning("%s", unwell)
