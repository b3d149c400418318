"""The number of CPU threads of a training that was not told it."""

from __future__ import annotations

import torch

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import Task
from napari_cryodrgn.training.data import TrainingSet
from napari_cryodrgn.training.distributed import started_together
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.training.step import TrainingState, compared_points, trial_step
from napari_cryodrgn.training.thread_probe import ThreadProbe, probe_threads


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
    n_images = min(config.batch_size, len(particles), 2 * most)
    batch = particles.batch(torch.arange(n_images))
    noise = torch.zeros((n_images, config.zdim)) if config.zdim else None
    compared = compared_points(state.vae)
    return probe_threads(lambda: trial_step(state, compared, batch, noise))
