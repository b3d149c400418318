"""Everything a training checks and reads before it writes anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.prepare import measure_norm, window_mask
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import Checkpoint, read_checkpoint
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.cache_folder import folder_of
from napari_cryodrgn.training.data import (
    CacheChoice,
    TrainingSet,
    prepare_images,
    training_set,
)
from napari_cryodrgn.training.device import choose_device
from napari_cryodrgn.training.distributed import agreed, is_first, own_device, started_together
from napari_cryodrgn.training.lock import refuse_if_locked
from napari_cryodrgn.training.log import log_line
from napari_cryodrgn.training.preparation import CheckedImages, Preparation, kept_pixels
from napari_cryodrgn.training.randomness import draw_seed, generator
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.training.resume import require_same_options, restore
from napari_cryodrgn.training.source import RunSource, read_run_source, require_same_particles
from napari_cryodrgn.workflows.background import in_thread

ROWS_FILE = "rows.pkl"


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """What a training starts from, checked.

    Parameters
    ----------
    particles : Particles
        The particles to train on, with poses.
    whole_table : Particles or None
        All rows of a source table that brings its own poses or CTF, which the run
        then keeps in files of its own; None where nothing is to be kept.
    source : RunSource
        Which particles they are.
    training_set : TrainingSet
        Their images and parameters on the device.
    vae : VAE
        The model with its initial weights, on the device.
    norm : (float, float)
        Normalisation of the images.
    seed : int
    begun : RunConfig or None
        Configuration of the run to be continued; None for a new one.
    """

    particles: Particles
    whole_table: Particles | None
    source: RunSource
    training_set: TrainingSet
    vae: VAE
    norm: tuple[float, float]
    seed: int
    begun: RunConfig | None


def gather_inputs(config: TrainingConfig, run: RunFolder) -> Task[TrainingInputs]:
    """Read and check all that a training needs; writes nothing.

    Parameters
    ----------
    config : TrainingConfig
    run : RunFolder
        Where the run will be, or is.

    Raises
    ------
    InputError
        Where an option, a file or the run folder cannot be used.
    """
    begun = begun_run(config, run)
    device = own_device(choose_device(config.device))
    checkpoint = None
    if begun is None and config.load is not None:
        checkpoint = starting_weights(Path(config.load))
    particles, whole_table = yield from _read_particles(config)
    source = RunSource.of(particles, None if config.ind is None else ROWS_FILE)
    if begun is not None and run.source.is_file():
        require_same_particles(read_run_source(run.source), source)
    seed = _seed(config, begun)
    vae = build_vae(config.model(), particles.box, generator=generator(seed, "weights"))
    if checkpoint is not None:
        restore(vae, checkpoint, Path(str(config.load)))
    if begun is not None and begun.box != particles.box:
        raise InputError(
            f"the run was begun with images of this box; these have {particles.box} px",
            file=run.config,
            field="box",
            value=begun.box,
        )
    norm = (None if begun is None else begun.norm) or config.norm
    if norm is None:
        norm = yield from _measure_norm(config, particles)
    elif not (np.isfinite(norm).all() and norm[1] > 0):
        raise InputError("this is no mean and standard deviation", field="--norm", value=norm)
    lazy = config.lazy or None if begun is None else bool(begun.training.get("lazy", False))
    prepared = yield from _prepare(config, run, particles, vae, norm, device, lazy)
    return TrainingInputs(
        particles, whole_table, source, prepared, vae.to(device), norm, seed, begun
    )


def begun_run(config: TrainingConfig, run: RunFolder) -> RunConfig | None:
    """Configuration of the run to be continued; None where a new one is to be made.

    Raises
    ------
    InputError
        Where the folder holds a run that is not to be continued, or none that
        could be; where another process trains in it; where options differ.
    """
    _refuse_file(run.path)
    refuse_if_locked(run.lock)
    if config.load == "latest":
        if not run.config.is_file():
            raise InputError(
                "there is no run to continue here",
                file=run.path,
                field="--load",
                value="latest",
                hint="Leave --load away to begin one",
            )
        begun = read_run_config(run.config)
        require_same_options(config, begun)
        return begun
    if run.config.exists() or run.latent_epochs() or run.weight_epochs():
        raise InputError(
            "this folder already holds a run",
            file=run.path,
            field="--outdir",
            hint="Give another folder, or --load latest to continue this run",
        )
    return None


def _refuse_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError("this is a file, not a folder", file=path, field="--outdir")


def starting_weights(path: Path) -> Checkpoint:
    """Weights to start from, named by ``--load``."""
    if not path.expanduser().is_file():
        raise InputError("there is no such file of weights", field="--load", value=path)
    return read_checkpoint(path.expanduser())


def _seed(config: TrainingConfig, begun: RunConfig | None) -> int:
    recorded = None if begun is None else begun.seed
    for seed in (recorded, config.seed):
        if seed is not None:
            return seed
    return agreed(draw_seed())


def _read_particles(config: TrainingConfig) -> Task[tuple[Particles, Particles | None]]:
    """The particles, and the whole of a table that brings its own poses or CTF."""
    report = TrainingProgress(0, None, "Reading the particle table", phase="preparing")

    def read(ind: Path | None) -> Particles:
        found: Particles = read_particles(
            config.particles,
            poses=config.poses,
            ctf=config.ctf,
            ind=ind,
            datadir=config.datadir,
            ignore_ctf=config.ignore_ctf,
        )
        return found

    particles = yield from in_thread(lambda: read(config.ind), report)
    if particles.poses is None:
        raise InputError(
            "these particles have no poses, and training needs them",
            file=config.particles,
            field="--poses",
            hint="Give poses.pkl, or a .star or .cs file of a 3D refinement",
        )
    brings_own = particles.source.kind in ("star", "cs") and (
        config.poses is None or (config.ctf is None and particles.ctf is not None)
    )
    if not brings_own:
        return particles, None
    if config.ind is None:
        return particles, particles
    whole_table = yield from in_thread(lambda: read(None), report)
    return particles, whole_table


def _measure_norm(config: TrainingConfig, particles: Particles) -> Task[tuple[float, float]]:
    n_images = len(particles)
    report = TrainingProgress(
        0, None, "Measuring the contrast of the images", phase="preparing", n_images=n_images
    )
    try:
        return (
            yield from in_thread(
                lambda: measure_norm(CheckedImages(particles), invert=config.invert_data), report
            )
        )
    except InputError as error:
        if error.file is not None:
            raise
        raise InputError(error.problem, file=config.particles, field=error.field) from error


def _prepare(
    config: TrainingConfig,
    run: RunFolder,
    particles: Particles,
    vae: VAE,
    norm: tuple[float, float],
    device: torch.device,
    lazy: bool | None,
) -> Task[TrainingSet]:
    """The images as training takes them; `lazy` is None where it depends on the memory."""
    lattice = vae.lattice
    encoder_disc = None if vae.encoder is None else vae.encoder_disc
    decoder_disc = lattice.disc(lattice.box // 2)
    preparation = Preparation(
        lattice=lattice,
        pixels=kept_pixels(encoder_disc, decoder_disc),
        invert=config.invert_data,
        window=window_mask(lattice.box, config.window_r) if config.window else None,
        norm=norm,
    )

    def tell(text: str) -> None:
        if is_first():
            log_line(run.log, text)

    folder = folder_of(config.cache)
    cache = None if folder is None else CacheChoice(folder, tell, writes=started_together() == 1)
    images = yield from prepare_images(particles, preparation, lazy=lazy, cache=cache)
    return training_set(images, encoder_disc, decoder_disc, device)
