"""The particles a run was trained on, as far as they can still be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.pickles import read_ctf
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.source import RunSource, read_run_source, rows_of
from napari_cryodrgn.workflows.findings import Problem, RunInputs
from napari_cryodrgn.workflows.input_tables import read_tables
from napari_cryodrgn.workflows.moved_files import base_name, find_moved

_MEANING = {
    "particles": "images cannot be shown",
    "poses": "orientations are not known",
    "ctf": "defocus is not known",
    "ind": "positions in the run cannot be related to the particle file",
}
"""Files that a configuration names, and what it means that one is missing."""

UNKNOWN_TABLE = "positions in the run"
"""Fingerprint of rows whose table is not known: they are equal to no table's rows."""


def find_inputs(run: RunFolder, config: RunConfig | None, n: int | None) -> RunInputs:
    """Look for the particles of a run.

    Nothing of it is an error: what is not there is named in `problems`.

    Parameters
    ----------
    run : RunFolder
    config : RunConfig or None
        Its configuration, where it has one that can be read.
    n : int or None
        Particles in its latents; None for a run without latents.

    Returns
    -------
    RunInputs
    """
    found = RunInputs()
    source = _recorded_source(run, found)
    if source is not None:
        found.pixel_size = source.pixel_size
        if n is not None:
            found.rows = found.attempt("The rows cannot be used", _rows, source, run, n)
    if config is not None:
        _find_files(run, config, n, found)
        particles = found.attempt(
            "The particles cannot be used", _read_particles, run, config, source, n, found
        )
        if particles is not None:
            _take_particles(particles, found)
        else:
            read_tables(config, n, found, _image_folder(run, config))
    if n is not None and found.rows is not None and len(found.rows) != n:
        found.problems.append(
            Problem(f"{len(found.rows)} rows are recorded where the run has {n} particles")
        )
        found.rows = None
    if n is not None and found.rows is None:
        found.rows = _rows_of_no_table(config, n)
    return found


def with_box(run: RunFolder, config: RunConfig, epoch: int | None) -> RunConfig:
    """The configuration with the box that the weights say, where it says none itself (abinit).

    Raises
    ------
    InputError
        Where the weights are needed for it and are missing or unusable.
    """
    if config.box:
        return config
    from napari_cryodrgn.model.checkpoint import load_model

    return load_model(run, epoch).config


def find_pixel_size(run: RunFolder, config: RunConfig, n: int | None) -> float | None:
    """Å per pixel of a run's training images; None where nothing says it.

    Looks at our own record, the CTF table, the particle table and the image
    headers, in this order, and reads no more than it needs.

    Parameters
    ----------
    run : RunFolder
    config : RunConfig
        Its configuration.
    n : int or None
        Particles in its latents, by which the tables of other runs are told
        from its own; None for a run without latents.
    """
    found = RunInputs()
    source = _recorded_source(run, found)
    if source is not None and source.pixel_size is not None:
        return source.pixel_size
    _find_files(run, config, n, found)
    if "ctf" in found.files:
        ctf = found.attempt("The CTF parameters cannot be used", read_ctf, found.files["ctf"])
        # A table of all particles has more rows than a run on some of them.
        fits = ctf is not None and (n is None or len(ctf) == n or (config.ind and len(ctf) > n))
        if ctf is not None and len(ctf) and fits and config.box:
            return ctf.pixel_size_at_box(config.box)
    particles = found.attempt(
        "The particles cannot be used", _read_particles, run, config, source, n, found
    )
    return None if particles is None else particles.pixel_size


def _recorded_source(run: RunFolder, found: RunInputs) -> RunSource | None:
    if not run.source.is_file():
        return None
    return found.attempt("The record of the particles cannot be used", read_run_source, run.source)


def _rows(source: RunSource, run: RunFolder, n: int) -> ParticleRows:
    """Rows of the source table, as many as the run has particles."""
    if source.n_particles != n:
        raise InputError(
            f"{source.n_particles} particles are recorded where the run has {n}", file=run.source
        )
    return rows_of(source, run.own)


def _find_files(run: RunFolder, config: RunConfig, n: int | None, found: RunInputs) -> None:
    for option, means in _MEANING.items():
        written = getattr(config, option)
        if not written:
            continue
        search = find_moved(written, run.path)
        # With no particles to count, nothing tells another run's tables from this one's.
        if search.path is not None and (search.certain or n is not None):
            found.files[option] = search.path
            continue
        tried = search.tried
        if search.path is not None:
            tried = (*tried, f"{search.path}, which may belong to another run")
        what = f"The {option} file {base_name(written)} is missing: {means}"
        found.problems.append(Problem(what, tried))


def _read_particles(
    run: RunFolder,
    config: RunConfig,
    source: RunSource | None,
    n: int | None,
    found: RunInputs,
) -> Particles | None:
    """The particle set, whole or not at all, checked to be that of the run."""
    if "particles" not in found.files or config.tilt_series:
        return None
    # Our own copy of the indices stands before the user's file, which may have changed.
    recorded = None if source is None or source.rows is None else run.own / source.rows
    ind = recorded if source is not None else found.files.get("ind")
    if config.ind and ind is None:
        return None
    particles = read_particles(
        found.files["particles"],
        poses=found.files.get("poses"),
        ctf=found.files.get("ctf"),
        ind=ind,
        datadir=_image_folder(run, config),
        ignore_ctf=config.ctf is None,
    )
    if source is not None:
        none = np.zeros(0, np.int64)
        ParticleRows(none, source.n_rows, source.fingerprint).require_same_table(particles.rows)
    if n is not None and len(particles) != n:
        raise InputError(
            f"it has {len(particles)} particles where the run has {n}",
            file=found.files["particles"],
        )
    return particles


def _image_folder(run: RunFolder, config: RunConfig) -> Path | None:
    return find_moved(config.datadir, run.path, folder=True).path if config.datadir else None


def _take_particles(particles: Particles, found: RunInputs) -> None:
    found.particles = particles
    found.metadata = particles.metadata
    found.rows = particles.rows
    if found.pixel_size is None:
        found.pixel_size = particles.pixel_size


def _rows_of_no_table(config: RunConfig | None, n: int) -> ParticleRows:
    """Rows of a run whose particle table is not known.

    Without ``ind`` they are all rows of it. With one that is lost nobody can
    tell, and the rows then belong to a table of their own, so that a selection
    of them is refused by every real one.
    """
    lost = config is not None and config.ind is not None
    return ParticleRows.every(n, UNKNOWN_TABLE if lost else "")
