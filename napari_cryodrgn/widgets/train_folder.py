"""Where a run goes: a name to begin with, and what a chosen folder holds already."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_cryodrgn.run import OWN_FOLDER, RunFolder
from napari_cryodrgn.training.lock import lock_owner
from napari_cryodrgn.workflows.launch import under_way

FolderKind = Literal["none", "new", "used", "run", "training", "unusable"]


@dataclass(frozen=True)
class FolderState:
    """What training into a folder would mean.

    Parameters
    ----------
    kind : {"none", "new", "used", "run", "training", "unusable"}
        No folder named; missing or empty; with other files in it; with a run; with a training
        under way; impossible.
    text : str
        That in words.
    finished : int
        Last epoch that has a checkpoint; 0 where none has.
    """

    kind: FolderKind
    text: str
    finished: int = 0


def suggest_run_folder(particles: Path) -> Path:
    """A new folder beside the particles: ``<name>_run1``, or the next free number."""
    names = (particles.with_name(f"{particles.stem}_run{n}") for n in itertools.count(1))
    return next(path for path in names if not path.exists())


def folder_state(path: Path | None) -> FolderState:
    """Look at the folder that a run is to be written to.

    Parameters
    ----------
    path : Path or None
        As chosen; None while nothing is.
    """
    if path is None:
        return FolderState("none", "Choose a folder for the run.")
    if path.is_file():
        return FolderState("unusable", "This is a file, not a folder.")
    if not path.is_dir():
        return FolderState("new", "A new folder, made when training starts.")
    run = RunFolder(path)
    if under_way(run):
        finished = max(run.weight_epochs(), default=0)
        owner = lock_owner(run.lock)
        host = "" if owner is None else f" on {owner.host}"
        return FolderState("training", f"A training is under way here{host}.", finished)
    if run.config.is_file():
        finished = max(run.weight_epochs(), default=0)
        epochs = f"{finished} finished epoch{'' if finished == 1 else 's'}"
        return FolderState(
            "run", f"Holds a run with {epochs}. Its settings are shown below.", finished
        )
    if run.weight_epochs() or run.latent_epochs():
        return FolderState("unusable", "Holds a run without config.yaml: choose another folder.")
    if any(entry.name != OWN_FOLDER for entry in path.iterdir()):
        return FolderState("used", "Holds other files; the run is written beside them.")
    return FolderState("new", "An empty folder.")
