"""Samples to try the window with: made on the user's machine, and kept for the next time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import platformdirs

from napari_cryodrgn import __version__
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.demo import (
    CLUSTERS,
    DEMO_PARTICLES,
    demo_training,
    make_demo,
    make_demo_particles,
)
from napari_cryodrgn.workflows.simulate import SimulatedSet
from napari_cryodrgn.workflows.volume_files import make_folder


def sample_folder(cache: Path | None = None) -> Path:
    """Where the samples of this version lie, made or not.

    The name follows from everything they are made with, so that a change makes new
    ones instead of mixing old and new.

    Parameters
    ----------
    cache : Path, optional
        Folder for all samples; in the user's cache folder by default.
    """
    folder = cache or platformdirs.user_cache_path("napari-cryodrgn") / "samples"
    training = demo_training(Path("particles.star"), Path("run"))
    recipe = [__version__, DEMO_PARTICLES.model_dump_json(), training.model_dump_json(), CLUSTERS]
    return folder / hashlib.sha256("\n".join(map(str, recipe)).encode()).hexdigest()[:12]


def simulated_particles(cache: Path | None = None) -> Task[Path]:
    """Make the simulated particle set, unless it is there.

    Parameters
    ----------
    cache : Path, optional
        As in `sample_folder`.

    Returns
    -------
    Path
        Its ``.star`` file.
    """
    folder = sample_folder(cache)
    make_folder(folder)
    particles = SimulatedSet(folder / "particles")
    yield from make_demo_particles(particles)
    return particles.star


def sample_run(cache: Path | None = None) -> Task[RunFolder]:
    """Train and analyse a small run on the simulated particles, unless it is there.

    One that was stopped goes on where it was.

    Parameters
    ----------
    cache : Path, optional
        As in `sample_folder`.

    Returns
    -------
    RunFolder
    """
    folder = sample_folder(cache)
    make_folder(folder)
    return (yield from make_demo(folder)).run
