"""What a training tries out before its first step: CPU threads, and whether compiling pays."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import Task
from napari_cryodrgn.training.compiled_step import CompileTrial, try_compiled
from napari_cryodrgn.training.data import TrainingSet
from napari_cryodrgn.training.distributed import started_together
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.training.step import TrainingState, compared_points, trial_step
from napari_cryodrgn.training.thread_probe import ThreadProbe, probe_threads
from napari_cryodrgn.workflows.background import in_thread


def choose_threads(
    config: TrainingConfig, state: TrainingState, particles: TrainingSet
) -> Task[ThreadProbe | None]:
    """Find out how many threads are quickest and use them, for some tenths of a second.

    Returns
    -------
    ThreadProbe or None
        None where there is nothing to choose: the number was given, a GPU computes, or
        several processes share the cores.

    Raises
    ------
    InputError
        Where one of the first images is damaged.
    """
    most = torch.get_num_threads()
    given = config.threads is not None or started_together() > 1
    if given or most == 1 or particles.device.type != "cpu":
        return None
    yield TrainingProgress(0, None, "Choosing the number of threads", phase="preparing")
    trial = _trial(config, state, particles, 2 * most)
    return probe_threads(lambda: trial(state))


def choose_compiled(
    config: TrainingConfig, state: TrainingState, particles: TrainingSet
) -> Task[CompileTrial | None]:
    """Compile the step where that is asked for, and find out whether it is quicker.

    Returns
    -------
    CompileTrial or None
        None where it was not asked for, or where there is nothing to compile: on a CPU the
        decoder's part of most models is done piece by piece.

    Raises
    ------
    InputError
        Where one of the first images is damaged.
    """
    if not config.compile or compared_points(state.vae).features is not None:
        return None
    report = TrainingProgress(0, None, "Compiling the step", phase="preparing")
    trial = _trial(config, state, particles, config.batch_size)
    return (yield from in_thread(lambda: try_compiled(state, trial), report))


def _trial(
    config: TrainingConfig, state: TrainingState, particles: TrainingSet, most_images: int
) -> Callable[[TrainingState], None]:
    """The work of a step with the first images, which changes nothing."""
    n_images = min(config.batch_size, len(particles), most_images)
    batch = particles.batch(torch.arange(n_images))
    noise = None
    if config.zdim:
        noise = torch.zeros((n_images, config.zdim), device=particles.device)
    compared = compared_points(state.vae)
    return lambda tried: trial_step(tried, compared, batch, noise)
