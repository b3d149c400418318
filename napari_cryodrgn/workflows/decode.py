"""Decoding: latent points in, volume files out."""

from __future__ import annotations

import contextlib
import logging
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
from napari_cryodrgn.workflows.decode_record import (
    DECODE_RECORD,
    Record,
    decode_record,
    volumes_there,
    write_record,
)
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.run_inputs import UNKNOWN_TABLE, find_pixel_size
from napari_cryodrgn.workflows.volume_files import (
    DeviceName,
    decode_files,
    volume_settings,
)
from napari_cryodrgn.workflows.z_values import write_z_values

logger = logging.getLogger(__name__)


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
    the volumes written so far, each whole. Called again with the same folder, points
    and settings, or with further points after the same, it goes on with those that are
    missing; ``decode.json`` there says what the volumes are made from. A folder of
    other volumes is refused.

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
        Where the run or its weights cannot be used, a latent point does not fit,
        the folder holds other volumes or cannot be written to.
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
    weights = _weights_file(folder, epoch)
    record = decode_record(weights, model.epoch, settings, start_index, prefix)
    there = volumes_there(out, record, z, paths, settings)
    if there:
        logger.warning("%d of %d volumes are in %s already and are kept", len(there), count, out)
    missing = [number for number, path in enumerate(paths) if path not in there]
    with making_folders(out), _description_beside(out, record, z, paths):
        yield from decode_files(
            model,
            None if z is None else z[missing],
            [paths[number] for number in missing],
            settings,
        )
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
def _description_beside(
    out: Path, record: Record, z: npt.NDArray[np.float32] | None, volumes: list[Path]
) -> Iterator[None]:
    """Write points and record first, and take them away where no volume came after them."""
    files = [out / DECODE_RECORD, out / Z_VALUES]
    new = [path for path in files if not path.exists()]
    # Points before the record: a folder that has one has the points it speaks of.
    if z is not None:
        write_z_values(out / Z_VALUES, z)
    write_record(out, record)
    try:
        yield
    finally:
        if not any(volume.exists() for volume in volumes):
            for path in new:
                path.unlink(missing_ok=True)


def _weights_file(run: RunFolder, epoch: int | None) -> Path:
    """The checkpoint that `load_model` takes."""
    epochs = run.weight_epochs()
    if epoch is None and not epochs:
        return run.weights()
    return run.weights(run.epoch_or_latest(epoch, epochs, "weights"))


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
