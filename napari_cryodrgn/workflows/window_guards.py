"""What is known to keep a window from opening, or to end it: found before it happens.

Each check says in one line what is wrong and what to do; "" where nothing is. No Qt is imported.
Against triton beside Mesa's software OpenGL see `torch_guard`, which needs nobody to act.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
from collections.abc import Callable, Mapping

BAD_BINDING = "6.12.0"
"""PySide6 that loses references to None, which end the process before Python 3.12."""

BINDINGS = ("PySide6", "PySide6-Essentials")
"""What PySide6 is installed as: the first brings the second, which is enough by itself."""

LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
}
"""What Qt ends the program for when it is missing under X11, with Debian's name of it."""


def binding_problem(
    version_of: Callable[[str], str] = importlib.metadata.version,
    python: tuple[int, ...] = sys.version_info[:2],
) -> str:
    """What is wrong with the Qt binding.

    Parameters
    ----------
    version_of : callable
        Version of an installed distribution; raises PackageNotFoundError for others.
    python : (int, int), optional
        Version of Python.
    """
    if tuple(python) >= (3, 12):
        return ""
    for name in BINDINGS:
        try:
            bad = version_of(name) == BAD_BINDING
        except importlib.metadata.PackageNotFoundError:
            continue
        if bad:
            return (
                f"PySide6 {BAD_BINDING} ends napari after some minutes on Python "
                f"{python[0]}.{python[1]}: install another version with  "
                f'pip install "{name}!={BAD_BINDING}"'
            )
    return ""


def library_problem(load: Callable[[str], object] = ctypes.CDLL) -> str:
    """Which system libraries a window lacks on Linux under X11.

    Parameters
    ----------
    load : callable
        Raises OSError for a library that is not there.
    """
    missing = []
    for library in LIBRARIES:
        try:
            load(library)
        except OSError:
            missing.append(library)
    if not missing:
        return ""
    packages = " ".join(LIBRARIES[library] for library in missing)
    return (
        f"a window needs {', '.join(missing)}, and the system has none: on Debian or Ubuntu  "
        f"sudo apt-get install {packages}"
    )


def display_problem(
    environment: Mapping[str, str] = os.environ,
    load: Callable[[str], ctypes.CDLL] = ctypes.CDLL,
) -> str:
    """Whether the X display that DISPLAY names does not answer.

    Parameters
    ----------
    environment : mapping of str to str
        Where DISPLAY and WAYLAND_DISPLAY are looked up.
    load : callable
        Loads libxcb.
    """
    name = environment.get("DISPLAY", "")
    if not name or environment.get("WAYLAND_DISPLAY"):
        return ""
    try:
        xcb = load("libxcb.so.1")
    except OSError:
        return ""  # Qt brings what it needs of it, or library_problem says so
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(name.encode(), None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    if not failed:
        return ""
    return (
        f"the display {name} does not answer: log in to a desktop, or begin with "
        "xvfb-run or a remote desktop (see install.md)"
    )


def window_problem() -> str:
    """What will keep a window from opening here; "" for nothing that is known."""
    if not sys.platform.startswith("linux"):
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform not in ("", "xcb") or not os.environ.get("DISPLAY"):
        return ""
    return display_problem() or library_problem()
