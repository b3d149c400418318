"""Which runs were opened last on this computer: a small file of the user's own."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import platformdirs

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.checks import read_text

MOST = 8
"""Runs that are remembered."""

LARGEST = 1 << 20
"""Bytes that the file may have."""


def recent_file() -> Path:
    """Where they are listed."""
    return Path(platformdirs.user_data_path("napari-cryodrgn")) / "recent_runs.json"


def recent_runs() -> list[Path]:
    """Run folders opened last, the latest first; those that are gone are left out.

    Looks at the disk, which may be slow: not for the GUI thread. A file that cannot be read
    counts as empty.
    """
    return [path for path in _listed() if path.is_dir()]


def remember_run(path: Path) -> None:
    """Put a run folder first. Where the file cannot be written, nothing is remembered."""
    wanted = path.expanduser().absolute()
    paths = [wanted, *(other for other in _listed() if other != wanted)][:MOST]
    with contextlib.suppress(InputError, OSError), making_folders(recent_file().parent):
        write_text(recent_file(), json.dumps([str(each) for each in paths], indent=1) + "\n")


def _listed() -> list[Path]:
    try:
        content = json.loads(read_text(recent_file(), LARGEST))
    except (InputError, OSError, ValueError, RecursionError):
        return []
    if not isinstance(content, list):
        return []
    return [Path(each) for each in content[:MOST] if isinstance(each, str) and "\0" not in each]
