"""Training: from particle files to a run folder."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import torch

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.errors import InputError, full_memory, is_full_memory
from napari_cryodrgn.io.atomic import making_folders
from napari_cryodrgn.io.mrc import write_volume
from napari_cryodrgn.io.pickles import Latents, write_latents, write_poses
from napari_cryodrgn.model.checkpoint import write_checkpoint
from napari_cryodrgn.model.loaded import LoadedModel
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.batch_parts import BatchParts
from napari_cryodrgn.training.cached_rows import quietly
from napari_cryodrgn.training.device import choose_device, cpu_threads, has_fast_bfloat16
from napari_cryodrgn.training.distributed import (
    is_first,
    joined,
    started_together,
    wait_for_all,
)
from napari_cryodrgn.training.embed import embed
from napari_cryodrgn.training.learning_rate import rate_schedule
from napari_cryodrgn.training.lock import training_lock
from napari_cryodrgn.training.log import epoch_line, keep_log_until, log_line, pose_line
from napari_cryodrgn.training.metrics import append_metrics, keep_metrics_until, read_metrics
from napari_cryodrgn.training.optimiser import build_optimiser
from napari_cryodrgn.training.plateau import plateau_since
from napari_cryodrgn.training.pose_refinement import PoseRefinement
from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress
from napari_cryodrgn.training.resolution import first_whole_epoch, radius_schedule
from napari_cryodrgn.training.resume import last_finished, restore
from napari_cryodrgn.training.schedule import beta_schedule
from napari_cryodrgn.training.step import TrainingState, gradient_scaler
from napari_cryodrgn.training.trainer import Course, train_epochs
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.follow_status import reported
from napari_cryodrgn.workflows.train_files import (
    copy_whole,
    remove_leftovers,
    write_config,
    write_new_run,
)
from napari_cryodrgn.workflows.train_inputs import TrainingInputs, gather_inputs, starting_weights
from napari_cryodrgn.workflows.train_trials import choose_compiled, choose_threads

POSES_KEY = "pose_refinement"
"""Part of a checkpoint with the poses as they are trained, and their optimiser."""


def train(config: TrainingConfig) -> Task[RunFolder]:
    """Train a model, or continue a training.

    Everything is checked before the run folder is touched. Closing the generator
    stops the training: the folder then holds the epochs finished so far, and
    ``load="latest"`` goes on from there as if it had never stopped. Others can
    follow and stop it through the folder (`follow_status`).

    Parameters
    ----------
    config : TrainingConfig
        Particles, model, training and device.

    Yields
    ------
    TrainingProgress
        About every 0.15 s, or after each step where one takes longer.

    Returns
    -------
    RunFolder
        The run, in cryoDRGN's layout.

    Raises
    ------
    InputError
        Where something given cannot be used, a loss becomes NaN, the disk is full
        or the GPU's memory is.
    Cancelled
        Where somebody asked for it in the run folder.
    """
    run = RunFolder(config.outdir.expanduser().absolute())
    task = _whole_training(config, run)
    return (yield from reported(run, task) if is_first() else task)


def _whole_training(config: TrainingConfig, run: RunFolder) -> Task[RunFolder]:
    """Gather what is needed, take the lock, train.

    Of several processes the first alone locks and writes.
    """
    _refuse_together(config)
    with contextlib.ExitStack() as held:
        held.enter_context(cpu_threads(config.threads))
        held.enter_context(joined(choose_device(config.device)))
        try:
            inputs = yield from gather_inputs(config, run)
            held.callback(inputs.training_set.images.close)
            wait_for_all()  # before the first changes what others have yet to look at
            if is_first():
                with making_folders(run.own), training_lock(run.lock):
                    yield from _train(config, run, inputs)
            else:
                yield from _train_along(config, run, inputs)
        except (RuntimeError, MemoryError) as error:
            if not is_full_memory(error):
                raise
            raise full_memory(
                error,
                "Take smaller batches or narrower networks (--enc-dim, --dec-dim)",
                kept="finished epochs are kept",
                field="--batch-size",
                value=config.batch_size,
            ) from error
    return run


def _train(config: TrainingConfig, run: RunFolder, inputs: TrainingInputs) -> Task[None]:
    """Everything that writes; the lock is held."""
    remove_leftovers(run)
    state = yield from _initial_state(config, run, inputs)
    finished = 0
    if inputs.begun is not None:
        finished = _take_up(config, run, inputs, state)
        keep_metrics_until(run.metrics, finished)
        keep_log_until(run.log, finished)
        run_config = write_config(run, config, inputs)
    else:
        run_config = write_new_run(run, config, inputs)
    _log_start(run, run_config, inputs, finished)
    if state.half:
        log_line(run.log, "The decoder multiplies in half precision (bfloat16)")
    probe = yield from choose_threads(config, state, inputs.training_set)
    if probe is not None:
        log_line(run.log, f"Computing with {probe}")
    compiled = yield from choose_compiled(config, state, inputs.training_set)
    if compiled is not None:
        state = compiled.state
        log_line(run.log, compiled.words)
    course = _course(config, run, inputs, finished)
    whole = first_whole_epoch(course.radius, inputs.source.box)
    if whole > finished + 1:
        log_line(run.log, f"Low frequencies first; all of them from epoch {whole} on")

    def save(metrics: EpochMetrics) -> Task[bool]:
        return _save_epoch(config, run, inputs, run_config, state, metrics)

    try:
        yield from train_epochs(state, inputs.training_set, course, save, finished=finished)
    except GeneratorExit:
        with contextlib.suppress(InputError):  # a full disk is no reason not to stop
            log_line(run.log, "Stopped on request; finished epochs are kept")
        raise
    except InputError as error:
        with contextlib.suppress(InputError):  # the disk may be full, which is the error
            log_line(run.log, f"Failed: {error}")
        raise
    if config.zdim:
        copy_whole(run.latents(config.num_epochs), run.latents())
        copy_whole(run.weights(config.num_epochs), run.weights())
        if state.poses is not None:
            copy_whole(run.poses(config.num_epochs), run.poses())
    log_line(run.log, "Training complete")


def _train_along(config: TrainingConfig, run: RunFolder, inputs: TrainingInputs) -> Task[None]:
    """What a process does that trains along with the first one: it writes nothing."""
    state = yield from _initial_state(config, run, inputs)
    finished = 0 if inputs.begun is None else _take_up(config, run, inputs, state)
    compiled = yield from choose_compiled(config, state, inputs.training_set)
    state = state if compiled is None else compiled.state

    def save(metrics: EpochMetrics) -> Task[bool]:
        due = _is_saved(config, metrics.epoch)
        if due and config.zdim:
            yield from embed(state.vae, inputs.training_set, poses=state.poses)
        return due

    course = _course(config, run, inputs, finished)
    yield from train_epochs(state, inputs.training_set, course, save, finished=finished)


def _initial_state(
    config: TrainingConfig, run: RunFolder, inputs: TrainingInputs
) -> Task[TrainingState]:
    """The model with its optimiser, before the first step."""
    device = inputs.training_set.device
    # The first optimiser of a process imports much of torch, which takes a second.
    parts = BatchParts(quietly(lambda text: log_line(run.log, text)) if is_first() else None)
    optimiser = yield from in_thread(
        lambda: build_optimiser(inputs.vae, config.schedule, lr=config.lr, wd=config.wd),
        TrainingProgress(0, None, "Setting up the optimiser", phase="preparing"),
    )
    poses = _pose_refinement(config, inputs)
    scaler = gradient_scaler(device, amp=config.amp)
    half = _computes_in_half(config, device)
    return TrainingState(inputs.vae, optimiser, scaler, half=half, poses=poses, parts=parts)


def _pose_refinement(config: TrainingConfig, inputs: TrainingInputs) -> PoseRefinement | None:
    """The poses as parameters, where they are to be refined."""
    given = inputs.particles.poses
    if not config.do_pose_sgd or given is None:
        return None
    return PoseRefinement(
        given,
        inputs.vae,
        embedding=config.emb_type,
        lr=config.pose_lr,
        pretrain=config.pretrain,
    )


def _course(
    config: TrainingConfig, run: RunFolder, inputs: TrainingInputs, finished: int
) -> Course:
    """What the epochs are told."""
    done = [record for record in read_metrics(run.metrics) if record.epoch <= finished]
    return Course(
        seed=inputs.seed,
        n_epochs=config.num_epochs,
        batch_size=config.batch_size,
        beta=beta_schedule(config.beta, config.zdim),
        beta_control=config.beta_control,
        rate=rate_schedule(config.schedule, config.lr, config.num_epochs),
        radius=radius_schedule(config.schedule, config.num_epochs, inputs.source.box, done),
    )


def _is_saved(config: TrainingConfig, epoch: int) -> bool:
    return epoch % config.checkpoint == 0 or epoch == config.num_epochs


def _refuse_together(config: TrainingConfig) -> None:
    """Refuse what several processes cannot do."""
    if started_together() > 1 and config.beta_control is not None:
        raise InputError(
            "this pull is on the mean over a batch, which no process sees alone",
            field="--beta-control",
            value=config.beta_control,
            hint="Train in one process",
        )


def _computes_in_half(config: TrainingConfig, device: torch.device) -> bool:
    """Whether the decoder's products are in bfloat16: on a GPU the scaler sees to that."""
    wanted = config.schedule == "fast" and config.amp and device.type == "cpu"
    return wanted and has_fast_bfloat16()


def _take_up(
    config: TrainingConfig, run: RunFolder, inputs: TrainingInputs, state: TrainingState
) -> int:
    """Bring model and optimiser to the last finished epoch, and return its number."""
    point = last_finished(run, config.zdim)
    if point.epoch > config.num_epochs:
        raise InputError(
            f"the run has {point.epoch} epochs already",
            file=run.path,
            field="--num-epochs",
            value=config.num_epochs,
            hint="Give the number of epochs in all",
        )
    if point.checkpoint is not None:
        restore(state.vae, point.checkpoint, run.weights(point.epoch), state.optimiser)
        if "scaler_state_dict" in point.checkpoint.extra:
            state.scaler.load_state_dict(point.checkpoint.extra["scaler_state_dict"])
        if state.poses is not None:
            state.poses.load_state_dict(point.checkpoint.extra.get(POSES_KEY))
    elif inputs.begun is not None and inputs.begun.training.get("load"):
        weights = Path(inputs.begun.training["load"])
        restore(state.vae, starting_weights(weights), weights)
    return point.epoch


def _save_epoch(
    config: TrainingConfig,
    run: RunFolder,
    inputs: TrainingInputs,
    run_config: RunConfig,
    state: TrainingState,
    metrics: EpochMetrics,
) -> Task[bool]:
    """Keep an epoch's metrics and, where it is due, its checkpoint.

    The weights come last: an epoch that has them is finished.
    """
    epoch = metrics.epoch
    append_metrics(run.metrics, metrics)
    log_line(run.log, epoch_line(metrics))
    if state.poses is not None and state.poses.begins(epoch):
        log_line(run.log, pose_line(*state.poses.change(), inputs.source.pixel_size))
    # With other frequencies the error is another one.
    comparable = [record for record in read_metrics(run.metrics) if record.radius is None]
    flat = plateau_since(comparable)
    if flat is not None:
        log_line(
            run.log,
            f"The images have been explained hardly better since epoch {flat}: "
            "more epochs may not pay",
        )
    if not _is_saved(config, epoch):
        return False
    extra: dict[str, Any] = {}
    if state.mixed_precision:
        extra["scaler_state_dict"] = state.scaler.state_dict()
    if config.zdim:
        latents = yield from embed(
            state.vae,
            inputs.training_set,
            poses=state.poses,
            epoch=epoch,
            n_epochs=config.num_epochs,
        )
        write_latents(run.latents(epoch), Latents(*latents))
    else:
        extra["norm"] = list(inputs.norm)
        yield from _write_volume(
            run, inputs, LoadedModel(state.vae, run_config, epoch, inputs.norm)
        )
    if state.poses is not None:
        write_poses(run.poses(epoch), state.poses.poses())
        extra[POSES_KEY] = state.poses.state_dict()
    write_checkpoint(
        run.weights(epoch), epoch=epoch, model=state.vae, optimizer=state.optimiser, extra=extra
    )
    return True


def _write_volume(run: RunFolder, inputs: TrainingInputs, model: LoadedModel) -> Task[None]:
    """Write the one volume of a model without latents."""
    stop = threading.Event()
    report = TrainingProgress(0, None, "Computing the volume", phase="embedding", epoch=model.epoch)
    try:
        volume = yield from in_thread(
            lambda: decode_volume(model, None, cancelled=stop.is_set), report
        )
    finally:
        stop.set()
    write_volume(run.reconstruction(model.epoch), volume, inputs.source.pixel_size)


def _log_start(
    run: RunFolder, run_config: RunConfig, inputs: TrainingInputs, finished: int
) -> None:
    source = inputs.source
    log_line(run.log, " ".join(run_config.cmd))
    log_line(
        run.log,
        f"{source.n_particles} of {source.n_rows} particles of {source.path}, box {source.box} px, "
        f"pixel size {source.pixel_size or 'unknown'} Å, "
        f"{'with' if source.ctf_digest else 'without'} CTF",
    )
    where = inputs.training_set.images.where
    log_line(
        run.log,
        f"Device {inputs.training_set.device}, seed {inputs.seed}, norm {inputs.norm[1]:.6g}, "
        f"images {where}",
    )
    if finished:
        log_line(run.log, f"Continuing after epoch {finished}")
