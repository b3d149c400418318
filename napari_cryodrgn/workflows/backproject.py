"""Reconstruction of particles from their images, on the spot."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.workflows.background import in_thread

if TYPE_CHECKING:
    # numba, which reconstruction needs, takes a while to load.
    from napari_cryodrgn.reconstruction.backprojection import Backprojection
    from napari_cryodrgn.reconstruction.half_map_fsc import HalfMapFSC
    from napari_cryodrgn.workflows.open_run import OpenRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A map of particles, made from their images.

    Parameters
    ----------
    maps : Backprojection
        The map and its half maps, (box, box, box) each.
    fsc : HalfMapFSC or None
        Of the half maps; None where it was not asked for.
    pixel_size : float or None
        Å per voxel.
    files : tuple of Path
        Where they were written; empty where they were not.
    note : str
        What else is to be said of it.
    """

    maps: Backprojection
    fsc: HalfMapFSC | None
    pixel_size: float | None
    files: tuple[Path, ...] = ()
    note: str = ""

    @property
    def lines(self) -> list[str]:
        """What to say of it: particles, and resolutions where there is an FSC."""
        first = f"{self.maps.n_particles:,} particles"
        if self.note:
            first += f": {self.note}"
        return [first, *(() if self.fsc is None else self.fsc.lines())]


@dataclass(frozen=True)
class BackprojectOptions:
    """How particles are reconstructed and what is written.

    Parameters
    ----------
    invert : bool
        Multiply images by −1, for particles that are bright on a dark ground.
    regularisation : float, optional
        See `reconstruction.backprojection.backproject_images`.
    pixel_size : float, optional
        Å per voxel, where it is given rather than known.
    half_maps, fsc : bool
        Write half maps; compute their FSC.
    threads : int, optional
        Images worked on at once.
    snapshots : bool
        Report maps of the images so far (`reconstruction.accumulate.BackprojectionProgress`).
    """

    invert: bool = True
    regularisation: float | None = None
    pixel_size: float | None = None
    half_maps: bool = True
    fsc: bool = True
    threads: int | None = None
    snapshots: bool = False

    def __post_init__(self) -> None:
        for value, name in ((self.pixel_size, "--Apix"), (self.regularisation, "--reg-weight")):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError("this must be a positive number", field=name, value=value)


DEFAULT_OPTIONS = BackprojectOptions()


def reconstruct(
    particles: Particles, options: BackprojectOptions = DEFAULT_OPTIONS
) -> Task[Reconstruction]:
    """Reconstruct particles without writing anything.

    Parameters
    ----------
    particles : Particles
        With poses; without CTF they are taken as pure projections, and a warning is logged.
    options : BackprojectOptions
        How.

    Raises
    ------
    InputError
        Where there are fewer than two particles, poses are missing, or an image is not usable.
    """
    from napari_cryodrgn.reconstruction.backprojection import backproject_images, require_enough
    from napari_cryodrgn.reconstruction.half_map_fsc import half_map_fsc
    from napari_cryodrgn.reconstruction.half_plane import HalfPlane
    from napari_cryodrgn.reconstruction.particle_spectra import ParticleSpectra

    require_enough(len(particles))
    if particles.ctf is None:
        logger.warning(
            "These particles have no CTF parameters: their images are taken as pure projections"
        )
    source = ParticleSpectra(particles, HalfPlane(particles.box), options.invert)
    maps = yield from backproject_images(
        source,
        np.arange(len(particles)),
        regularisation=options.regularisation,
        threads=options.threads,
        snapshots=options.snapshots,
    )
    pixel_size = options.pixel_size or particles.pixel_size
    if pixel_size is None:
        logger.warning("Nothing says the pixel size: resolutions are in pixels. Give --Apix")
    fsc = None
    if options.fsc:
        report = Progress(len(particles), len(particles), "Comparing half maps", 0.0)
        fsc = yield from in_thread(
            lambda: half_map_fsc(maps.half_a, maps.half_b, pixel_size), report
        )
    return Reconstruction(maps, fsc, pixel_size)


def backproject(
    particles: Path | str,
    out: Path | str,
    *,
    poses: Path | str | None = None,
    ctf: Path | str | None = None,
    ind: Path | str | None = None,
    datadir: Path | str | None = None,
    ignore_ctf: bool = False,
    first: int | None = None,
    options: BackprojectOptions = DEFAULT_OPTIONS,
) -> Task[Reconstruction]:
    """Reconstruct the particles of a file, and write maps and FSC.

    Nothing is written before all is done, and then all files or none.

    Parameters
    ----------
    particles : path-like
        A ``.star``, ``.cs``, ``.mrcs`` or ``.txt`` file.
    out : path-like
        Folder for the files; see `backproject_files`.
    poses, ctf, ind, datadir, ignore_ctf
        See `io.import_particles.read_particles`.
    first : int, optional
        Use only so many particles, from the first.
    options : BackprojectOptions
        How.

    Raises
    ------
    InputError
        As `reconstruct`, and where a file cannot be read or written.
    """
    report = Progress(0, None, "Reading the particle table")
    read = yield from in_thread(
        lambda: read_particles(
            particles, poses=poses, ctf=ctf, ind=ind, datadir=datadir, ignore_ctf=ignore_ctf
        ),
        report,
    )
    if first is not None:
        read = read.at(np.arange(min(first, len(read))))
    record = {"particles": str(read.source.path), "made": "all" if ind is None else str(ind)}
    return (yield from reconstruct_to(read, Path(out), record, options))


def backproject_run(
    run: OpenRun,
    rows: ParticleRows | None,
    out: Path | str,
    *,
    made: str = "",
    options: BackprojectOptions = DEFAULT_OPTIONS,
) -> Task[Reconstruction]:
    """Reconstruct some particles of a run, and write maps and FSC.

    Parameters
    ----------
    run : OpenRun
        Whose particles they are, prepared as for its training.
    rows : ParticleRows or None
        Which; all of them if None.
    out : path-like
        Folder for the files.
    made : str
        How they were chosen, for the record.
    options : BackprojectOptions
        How; the contrast is the run's, whatever `options` say.

    Raises
    ------
    InputError
        As `reconstruct`, and where the run's images cannot be found.
    """
    particles = particles_of(run)
    chosen = particles if rows is None else particles.at(particles.rows.positions_of(rows))
    record = {
        "run": str(run.folder.path),
        "epoch": run.epoch,
        "particles": str(particles.source.path),
        "made": made,
    }
    prepared = replace(options, invert=run.config is None or run.config.invert_data)
    return (yield from reconstruct_to(chosen, Path(out), record, prepared))


def particles_of(run: OpenRun) -> Particles:
    """Particles of a run with their images.

    Raises
    ------
    InputError
        Where they are missing, with the reason that opening the run found.
    """
    if run.particles is not None:
        return run.particles
    reasons = [str(one) for one in run.problems if "particle" in str(one).lower()]
    raise InputError(
        "the particle images of this run are needed, and were not found",
        file=run.folder.path,
        hint=reasons[0] if reasons else None,
    )


def reconstruct_to(
    particles: Particles,
    out: Path,
    record: Mapping[str, object],
    options: BackprojectOptions,
) -> Task[Reconstruction]:
    """As `reconstruct`, and write the files into a folder."""
    from napari_cryodrgn.workflows.backproject_files import write_backprojection

    made = yield from reconstruct(particles, options)
    yield Progress(len(particles), len(particles), "Writing maps", 0.0)
    written = write_backprojection(
        out.expanduser().absolute(),
        made.maps,
        made.fsc,
        pixel_size=made.pixel_size,
        record=record,
        half_maps=options.half_maps,
    )
    return Reconstruction(made.maps, made.fsc, made.pixel_size, tuple(written))
