"""The paths of a run on disk: one JSON file, written whole at every change."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.latent.path import LatentPath

PATHS_FILE = "paths.json"
LARGEST = 64 << 20
"""Bytes that a file of paths may have."""


class SavedPaths(BaseModel):
    """What ``paths.json`` holds.

    Parameters
    ----------
    paths : tuple of LatentPath
    active : str or None
        Name of the one that was being worked on.
    epoch : int or None
        Epoch whose latent space the waypoints lie in.
    n_source, fingerprint : int, str
        Of the particle table that the waypoints' rows belong to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[LatentPath, ...] = ()
    active: str | None = None
    epoch: int | None = None
    n_source: int = 0
    fingerprint: str = ""


def read_paths(file: Path) -> SavedPaths:
    """Read the paths of a run; none where there is no file.

    Raises
    ------
    InputError
        Where the file is damaged or cannot be read.
    """
    if not file.exists():
        return SavedPaths()
    text = read_text(file, LARGEST)
    try:
        saved = SavedPaths.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise InputError(
            f"this is no file of paths ({place}: {first['msg']})", file=file
        ) from error
    seen: set[str] = set()
    for name in (path.name for path in saved.paths):
        if name in seen:
            raise InputError("two paths bear this name", file=file, field="name", value=name)
        seen.add(name)
    return saved


def write_paths(file: Path, saved: SavedPaths) -> None:
    """Write the paths of a run, whole or not at all; its folder is made where it is missing."""
    with making_folders(file.parent):
        write_text(file, saved.model_dump_json(indent=1) + "\n")
