"""What a window showed of a run, on disk: one JSON file, written whole, renewed as one works.

Volumes are not in it: they are decoded again from their latent points. Selections and paths have
files of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, write_text
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.run import RunFolder

LARGEST = 4 << 20
"""Bytes that a session file may have."""

MOST_KEPT, MOST_DIMENSIONS = 100, 1000
SET_ASIDE = "session.unreadable.json"

Name = Annotated[str, Field(max_length=1000)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Point = Annotated[tuple[FiniteFloat, ...], Field(max_length=MOST_DIMENSIONS)]
Zoom = Annotated[float, Field(gt=0, lt=1e12)]
Three = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class _Part(BaseModel):
    # What a later version adds is passed over.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Camera(_Part):
    """Where one looks from: napari's centre (Å), zoom and angles (degrees)."""

    center: Three
    zoom: Zoom
    angles: Three = (0.0, 0.0, 90.0)


class LatentPoint(_Part):
    """A state: a latent point, and the row of the source table whose z it is, if any."""

    z: Point = ()
    row: Annotated[int, Field(ge=0)] | None = None


class VolumeLook(_Part):
    """How the live volume is shown; densities in sigma above the mean of the epoch's volumes."""

    mode: Literal["surface", "volume"]
    style: Literal["mip", "attenuated_mip", "iso"]
    colour: Colour
    level: FiniteFloat
    contrast: tuple[FiniteFloat, FiniteFloat] | None = None


class KeptState(LatentPoint):
    """A kept state: its layer's name and look, and its contour in sigma."""

    name: Name
    colour: Colour
    level: FiniteFloat
    mode: Literal["surface", "volume"]
    visible: bool = True


class PlotLook(_Part):
    """What the latent plot shows."""

    view: Name
    axes: Annotated[tuple[Name, ...], Field(min_length=2, max_length=3)]
    colour: Name | None = None
    colormap: Name = "viridis"
    limits: tuple[FiniteFloat, FiniteFloat] | None = None
    camera: Camera | None = None


class WindowState(_Part):
    """All that a window remembers of a run."""

    version: Literal[1] = 1
    state: LatentPoint | None = None
    camera: Camera | None = None
    volume: VolumeLook | None = None
    kept: Annotated[tuple[KeptState, ...], Field(max_length=MOST_KEPT)] = ()
    plot: PlotLook | None = None
    hidden_docks: Annotated[tuple[Name, ...], Field(max_length=50)] = ()


def elsewhere(run: RunFolder) -> Path:
    """Where the session of a run lies whose folder cannot be written to."""
    name = hashlib.sha256(os.fsencode(run.path.absolute())).hexdigest()[:16]
    return platformdirs.user_data_path("napari-cryodrgn") / "sessions" / f"{name}.json"


def session_place(run: RunFolder) -> Path:
    """The file to write: in the run folder, or the user's own where that is read-only."""
    folder = run.own if run.own.is_dir() else run.path
    return run.session if os.access(folder, os.W_OK | os.X_OK) else elsewhere(run)


def read_session(run: RunFolder) -> tuple[WindowState | None, str]:
    """What a window last showed of a run, and what is wrong with the file.

    A file that cannot be used is set aside under another name; nothing is raised, for no
    session file may keep a run from being opened.

    Returns
    -------
    (WindowState or None, str)
        None where there is none or it cannot be used, which the text then says.
    """
    place = session_place(run)
    for file in dict.fromkeys((place, run.session)):
        if not os.path.lexists(file):
            continue
        try:
            return parsed_session(file), ""
        except (InputError, OSError) as error:
            return None, _set_aside(file, str(error))
    return None, ""


def parsed_session(file: Path) -> WindowState:
    """What a session file holds.

    Raises
    ------
    InputError
        Where it is missing, or holds something else.
    """
    text = read_text(file, LARGEST)
    try:
        return WindowState.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise InputError(first["msg"], file=file, field=where) from error


def write_session(file: Path, state: WindowState) -> None:
    """Write a session, whole or not at all.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    with making_folders(file.parent):
        write_text(file, state.model_dump_json(indent=1) + "\n")


def _set_aside(file: Path, problem: str) -> str:
    aside = file.with_name(SET_ASIDE)
    with contextlib.suppress(OSError):
        file.replace(aside)
        return f"{problem}. It is kept as {aside.name}"
    return problem
