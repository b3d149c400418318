"""What keeps a window from opening, or ends it, is found before, and said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from napari_cryodrgn.workflows import window_guards
from napari_cryodrgn.workflows.window_guards import (
    binding_problem,
    display_problem,
    library_problem,
    window_problem,
)


def installed(versions):
    """Looks versions up in a table, as `importlib.metadata.version` does in an installation."""

    def version_of(name):
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    return version_of


@pytest.mark.parametrize(
    ("version", "python", "bad"),
    [
        ("6.12.0", (3, 11), True),
        ("6.12.0", (3, 12), False),
        ("6.11.3", (3, 11), False),
        ("6.12.1", (3, 11), False),
    ],
)
@pytest.mark.parametrize(
    ("names", "remedy"),
    [
        (("PySide6", "PySide6-Essentials"), "PySide6"),
        (("PySide6-Essentials",), "PySide6-Essentials"),
        (("PySide6",), "PySide6"),  # conda's
    ],
)
def test_the_version_that_aborts_is_named(version, python, bad, names, remedy):
    problem = binding_problem(installed(dict.fromkeys(names, version)), python)
    assert bool(problem) == bad
    assert "\n" not in problem
    if bad:
        assert f'pip install "{remedy}!=6.12.0"' in problem


def test_nothing_is_said_of_a_binding_that_is_not_installed():
    assert binding_problem(installed({}), (3, 11)) == ""


def test_missing_libraries_are_named_with_their_packages():
    def load(name):
        if name in ("libGL.so.1", "libxcb-cursor.so.0"):
            raise OSError(name)

    problem = library_problem(load)
    assert "libGL.so.1, libxcb-cursor.so.0" in problem
    assert problem.endswith("apt-get install libgl1 libxcb-cursor0")
    assert library_problem(lambda name: None) == ""


def test_a_display_that_does_not_answer_is_named():
    if not sys.platform.startswith("linux"):
        pytest.skip("X11 is asked on Linux only")
    try:
        window_guards.ctypes.CDLL("libxcb.so.1")
    except OSError:
        pytest.skip("without libxcb nothing can be asked")
    problem = display_problem({"DISPLAY": ":987"})
    assert "the display :987 does not answer" in problem
    assert display_problem({}) == ""
    assert display_problem({"DISPLAY": ":987", "WAYLAND_DISPLAY": "wayland-0"}) == ""


def test_nothing_is_wrong_without_a_display_or_with_a_platform_that_shows_nothing(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert window_problem() == ""
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert window_problem() == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")
def test_the_command_line_says_it_instead_of_a_core_dump(tmp_path: Path):
    environment = {**os.environ, "DISPLAY": ":987", "QT_QPA_PLATFORM": "xcb"}
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-m", "napari_cryodrgn", "open", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "does not answer" in done.stderr or "needs lib" in done.stderr
