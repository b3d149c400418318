"""Decoding: latent points in, volume files out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.device import choose_device
from napari_cryodrgn.workflows.analysis_files import Z_VALUES, volume_name
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.run_inputs import UNKNOWN_TABLE, find_pixel_size
from napari_cryodrgn.workflows.volume_files import (
    DeviceName,
    decode_files,
    volume_settings,
)
from napari_cryodrgn.workflows.z_values import write_z_values


def decode(
    run: RunFolder | Path | str,
    epoch: int | None,
    z_values: npt.ArrayLike | None,
    out: Path | str,
    *,
    box: int | None = None,
    pixel_size: float | None = None,
    flip: bool = False,
    invert: bool = False,
    start_index: int = 1,
    prefix: str = "vol_",
    device: DeviceName = "auto",
) -> Task[list[Path]]:
    """Decode latent points into ``vol_001.mrc`` … and ``z_values.txt``.

    Everything is checked before anything is written. Closing the task leaves
    the volumes written so far, each whole.

    Parameters
    ----------
    run : RunFolder or path-like
        The run.
    epoch : int or None
        Which epoch; the latest that has weights if None.
    z_values : (n, zdim) array-like or None
        Latent points; None for a run without latent space, which is one volume.
    out : path-like
        Folder for the files; made where it is missing.
    box : int, optional
        Side of the volumes, px: even, at most that of the training images.
    pixel_size : float, optional
        Å per voxel to write. If not given it follows from the run: its record,
        its CTF table, its particle file or the image headers. Where none of them
        says it the headers leave it open, and a warning is logged; 1 Å is never
        assumed.
    flip : bool
        Mirror along z, for the other hand.
    invert : bool
        Multiply by -1.
    start_index : int
        Number of the first file.
    prefix : str
        What the file names begin with.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.

    Returns
    -------
    list of Path
        The volumes.

    Raises
    ------
    InputError
        Where the run or its weights cannot be used, a latent point does not fit
        or the folder cannot be written to.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.existing(run)
    out = Path(out).expanduser().absolute()
    yield Progress(0, None, "Loading the model")
    model = load_model(folder, epoch, choose_device(device))
    z = _points(z_values, model.zdim)
    if start_index < 0:
        raise InputError(
            "files are counted from 0 or 1", field="--vol-start-index", value=start_index
        )
    if Path(prefix).name != prefix:
        raise InputError(
            "this is a folder, not the beginning of a file name", field="--prefix", value=prefix
        )
    known = None
    if pixel_size is None:
        report = Progress(0, None, "Looking for the pixel size")
        known = yield from in_thread(
            lambda: find_pixel_size(folder, model.config, _count(folder)), report
        )
    settings = volume_settings(
        model.box,
        known,
        box=box,
        pixel_size=pixel_size,
        flip=flip,
        invert=invert,
    )
    count = 1 if z is None else len(z)
    paths = [out / volume_name(start_index + number, prefix) for number in range(count)]
    with making_folders(out), _points_beside(out / Z_VALUES, z, paths):
        yield from decode_files(model, z, paths, settings)
    return paths


def z_of_particles(
    run: RunFolder | Path | str, epoch: int | None, rows: list[int]
) -> npt.NDArray[np.float32]:
    """Latent points of particles, named by their rows in the source table.

    Parameters
    ----------
    run : RunFolder or path-like
        The run.
    epoch : int or None
        Which epoch; the latest if None.
    rows : list of int
        Rows of the particle file, counted from 0; not positions within a
        subset that the run was trained on.

    Returns
    -------
    (len(rows), zdim) float32 array

    Raises
    ------
    InputError
        Where a row is not part of the run, or nothing says which rows it has.
    """
    path = run.path if isinstance(run, RunFolder) else Path(run)
    opened = open_run(path, epoch)
    if opened.latent is None:
        raise InputError("the run has no latents", file=path, field="--particles")
    own = opened.latent.rows
    if own.fingerprint == UNKNOWN_TABLE:
        raise InputError(
            "the run was trained on a subset, and the indices that say which are missing",
            file=path,
            field="--particles",
            hint="Give latent points with -z or --zfile",
        )
    try:
        wanted = ParticleRows(np.array(rows, dtype=np.int64), own.n_source, own.fingerprint)
        positions = own.positions_of(wanted)
    except InputError as error:
        raise InputError(error.problem, field="--particles", value=error.value) from error
    return opened.latent.mu[positions]


@contextlib.contextmanager
def _points_beside(
    path: Path, z: npt.NDArray[np.float32] | None, volumes: list[Path]
) -> Iterator[None]:
    """Write the latent points first, and take them away where no volume came after them."""
    is_new = not path.exists()
    if z is not None:
        write_z_values(path, z)
    try:
        yield
    finally:
        if is_new and not any(volume.exists() for volume in volumes):
            path.unlink(missing_ok=True)


def _count(run: RunFolder) -> int | None:
    """Particles of a run; None where it has no latents."""
    epochs = run.latent_epochs()
    return len(read_latents(run.latents(epochs[-1])).mu) if epochs else None


def _points(z_values: npt.ArrayLike | None, zdim: int) -> npt.NDArray[np.float32] | None:
    if zdim == 0:
        if z_values is not None:
            raise InputError("this run has no latent space: it is one volume", field="-z")
        return None
    if z_values is None:
        raise InputError(
            f"latent points of {zdim} numbers are needed",
            field="-z",
            hint="Give -z, --zfile or --particles",
        )
    z = np.atleast_2d(np.asarray(z_values, dtype=np.float32))
    if z.ndim != 2 or len(z) == 0 or z.shape[1] != zdim:
        raise InputError(
            f"the latent space has {zdim} dimensions", field="-z: numbers", value=z.shape[-1]
        )
    if not np.isfinite(z).all():
        raise InputError("a latent point is not finite", field="-z", value=z[~np.isfinite(z)][0])
    return z
