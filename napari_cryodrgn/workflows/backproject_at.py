"""What the data of a run show at a latent point: kernel-weighted backprojection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import psutil

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.backproject import (
    DEFAULT_OPTIONS,
    BackprojectOptions,
    Reconstruction,
    particles_of,
)

if TYPE_CHECKING:
    # numba, which reconstruction needs, takes a while to load.
    from napari_cryodrgn.reconstruction.kernel_maps import KernelMap
    from napari_cryodrgn.reconstruction.particle_spectra import KeptSpectra
    from napari_cryodrgn.workflows.open_run import OpenRun

# Of the memory that is free, and in all.
_MEMORY_SHARE = 0.25
_MOST_BYTES = 2 << 30


@dataclass(frozen=True, eq=False)
class MapAt:
    """What the particles around a latent point show.

    Parameters
    ----------
    kernel : KernelMap
        The map, its half maps, and how many neighbours each shell was made from.
    z : (zdim,) float32 array
        The point.
    pixel_size : float or None
        Å per voxel of the map, which may be smaller than the images (see `kept_spectra`).
    """

    kernel: KernelMap
    z: npt.NDArray[np.float32]
    pixel_size: float | None

    @property
    def summary(self) -> str:
        """How many particles the map is made of, for people."""
        chosen = self.kernel.chosen[1:]
        return (
            f"made from {chosen.min():,} (coarse detail) to {chosen.max():,} (fine detail) "
            "of the nearest particles"
        )


def kept_spectra(run: OpenRun, max_bytes: int | None = None) -> KeptSpectra:
    """What `map_at` keeps between one latent point and the next; made once for a run.

    Nothing is read before it is needed. Where the particles would not fit into memory in full
    resolution, the maps have a smaller box.

    Parameters
    ----------
    run : OpenRun
        Whose particles they are.
    max_bytes : int, optional
        Memory to use; if not given, a quarter of what is free, at most 2 GiB.

    Raises
    ------
    InputError
        Where the run's images or poses are missing.
    """
    from napari_cryodrgn.reconstruction.particle_spectra import (
        KeptSpectra,
        ParticleSpectra,
        plane_that_fits,
    )

    particles = particles_of(run)
    if max_bytes is None:
        free = psutil.virtual_memory().available
        max_bytes = min(_MOST_BYTES, int(_MEMORY_SHARE * free))
    plane = plane_that_fits(particles.box, len(particles), max_bytes)
    invert = run.config is None or run.config.invert_data
    return KeptSpectra(ParticleSpectra(particles, plane, invert))


def map_at(
    run: OpenRun,
    z: npt.ArrayLike,
    *,
    spectra: KeptSpectra | None = None,
    threads: int | None = None,
    snapshots: bool = True,
) -> Task[MapAt]:
    """Reconstruct the particles around a latent point.

    Parameters
    ----------
    run : OpenRun
        The run, at the epoch that the point belongs to.
    z : (zdim,) array-like
        The point.
    spectra : KeptSpectra, optional
        From `kept_spectra`, where several points are asked for one after another.
    threads : int, optional
        Images worked on at once.
    snapshots : bool
        Report maps of the images so far (`reconstruction.accumulate.BackprojectionProgress`).

    Raises
    ------
    InputError
        Where the point does not fit the latent space, or images, poses or latents are missing.
    """
    from napari_cryodrgn.reconstruction.kernel_maps import kernel_map
    from napari_cryodrgn.reconstruction.latent_distance import latent_distances

    if run.latent is None:
        raise InputError("this run has no latent space of particles", file=run.folder.path)
    point = np.asarray(z, np.float32).reshape(-1)
    zdim = run.latent.mu.shape[1]
    if point.shape != (zdim,) or not np.isfinite(point).all():
        raise InputError(
            f"a latent point of this run has {zdim} finite numbers",
            field="z",
            value=" ".join(f"{number:g}" for number in point),
        )
    yield Progress(0, None, "Looking for the nearest particles")
    source = kept_spectra(run) if spectra is None else spectra
    distances = latent_distances(run.latent.mu, run.latent.logvar, point)
    made = yield from kernel_map(source, distances, threads=threads, snapshots=snapshots)
    pixel_size = None
    if run.pixel_size is not None:
        pixel_size = run.pixel_size * source.plane.box / len(made.volume)
    return MapAt(made, point, pixel_size)


def map_at_to(
    run: OpenRun,
    z: Sequence[float],
    out: Path | str,
    *,
    options: BackprojectOptions = DEFAULT_OPTIONS,
) -> Task[Reconstruction]:
    """As `map_at`, and write map, half maps and FSC into a folder.

    Parameters
    ----------
    run : OpenRun
        The run.
    z : sequence of float
        The point.
    out : path-like
        Folder for the files; see `backproject_files`.
    options : BackprojectOptions
        What to write; the regularisation follows from the half maps.
    """
    from napari_cryodrgn.reconstruction.backprojection import Backprojection
    from napari_cryodrgn.reconstruction.half_map_fsc import half_map_fsc
    from napari_cryodrgn.workflows.backproject_files import write_backprojection

    if options.regularisation is not None:
        raise InputError(
            "maps at a latent point are regularised by the agreement of their half maps",
            field="--reg-weight",
            value=options.regularisation,
        )
    made = yield from map_at(run, z, threads=options.threads, snapshots=options.snapshots)
    kernel = made.kernel
    pixel_size = options.pixel_size or made.pixel_size
    fsc = None
    if options.fsc:
        report = Progress(1, 1, "Comparing half maps", 0.0)
        fsc = yield from in_thread(
            lambda: half_map_fsc(kernel.half_a, kernel.half_b, pixel_size), report
        )
    maps = Backprojection(kernel.volume, kernel.half_a, kernel.half_b, kernel.n_particles)
    record = {
        "run": str(run.folder.path),
        "epoch": run.epoch,
        "made": "kernel-weighted at a latent point",
        "z": [float(number) for number in made.z],
        "nearest particles by shell": [int(number) for number in kernel.chosen],
    }
    written = write_backprojection(
        Path(out).expanduser().absolute(),
        maps,
        fsc,
        pixel_size=pixel_size,
        record=record,
        half_maps=options.half_maps,
    )
    return Reconstruction(maps, fsc, pixel_size, tuple(written), made.summary)
