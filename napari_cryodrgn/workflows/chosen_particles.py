"""Which particles a command speaks of: a selection kept with the run, or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection_files import read_run_selections, read_selection
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.workflows.open_run import OpenRun

WORKING = "working"
"""Name under which the selection without a name, that of the window, is asked for."""


@dataclass(frozen=True)
class ChosenParticles:
    """Some particles of a run, and how they were chosen.

    Parameters
    ----------
    rows : ParticleRows
        The particles.
    made : str
        How the selection was made, for a record of it.
    name : str
        Its name, or that of its file.
    """

    rows: ParticleRows
    made: str
    name: str


def chosen_particles(run: OpenRun, selection: str) -> ChosenParticles:
    """The particles of a selection.

    Parameters
    ----------
    run : OpenRun
        The run.
    selection : str
        Name of a selection kept with the run, "working" for the one that the window has made
        and not named, or a file: ``ind.pkl``, or what ``select`` has written.

    Raises
    ------
    InputError
        Where there is none of this name, or it cannot be read or is of other particles.
    """
    if run.latent is None:
        raise InputError("this run has no latent space of particles", file=run.folder.path)
    rows = run.latent.rows
    kept = read_run_selections(run.folder.selections, rows)
    if kept is not None:
        named = {one.name: (one.bits, one.made) for one in kept.named}
        named.setdefault(WORKING, (kept.working, kept.made))
        if selection in named:
            bits, made = named[selection]
            inside = kept.rows.at(np.flatnonzero(bits.unpacked()))
            here = rows.at(np.flatnonzero(np.isin(rows.rows, inside.rows)))
            return ChosenParticles(here, made or f"selection {selection}", selection)
    path = Path(selection).expanduser()
    if path.suffix or path.exists():
        read = read_selection(path, rows)
        return ChosenParticles(rows.at(np.flatnonzero(read.mask)), read.made, path.name)
    names = [] if kept is None else [one.name for one in kept.named]
    raise InputError(
        "the run has no selection of this name, and there is no such file",
        file=run.folder.path,
        field="selection",
        value=selection,
        hint=f"It has: {', '.join(names)}" if names else "It has none with a name",
    )
