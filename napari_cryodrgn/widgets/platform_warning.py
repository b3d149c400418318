"""Says once, in the first dock, what is known to end or to blind a window on this computer."""

from __future__ import annotations

from functools import partial
from weakref import ref

from qtpy import API_NAME
from qtpy.QtCore import QTimer
from qtpy.QtGui import QOpenGLContext

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.advice import advised
from napari_cryodrgn.workflows.window_guards import binding_problem

NO_OPENGL = advised(
    "OpenGL does not work here: neither volumes nor the latent space can be shown.",
    "Over a remote desktop use VNC, NoMachine or VirtualGL instead of X11 forwarding; without a "
    "graphics card install Mesa's software OpenGL (Debian: libgl1-mesa-dri). See the "
    "documentation, Install.",
)

_TOLD: list[str] = []


def warn_once(session: Session) -> None:
    """Say it when the window is there; the first dock of the program does, later ones do not."""
    if not _TOLD:
        _TOLD.append("")
        QTimer.singleShot(0, partial(_warn, ref(session)))


def platform_problems() -> list[str]:
    """What is wrong here, each with what to do."""
    binding = binding_problem() if API_NAME == "PySide6" else ""
    words, _, hint = binding.partition(": ")
    found = [advised(f"{words}.", hint)] if binding else []
    return found if has_opengl() else [*found, NO_OPENGL]


def has_opengl() -> bool:
    """Whether OpenGL can be used at all: some remote desktops carry none."""
    return bool(QOpenGLContext().create())


def _warn(weak: ref[Session]) -> None:
    session = weak()
    if session is not None:
        for problem in platform_problems():
            session.say(problem, "warning")
