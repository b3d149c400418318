"""Random numbers that depend on the seed and the epoch alone.

Nothing is carried from one epoch to the next, so a training that is taken up
again draws what it would have drawn without the interruption.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Purpose = Literal["weights", "order", "noise"]
_STREAMS: dict[Purpose, int] = {"weights": 0, "order": 1, "noise": 2}


def draw_seed() -> int:
    """A fresh seed, from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1)[0] % 2**31)


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """A CPU generator of its own for each purpose and epoch.

    Parameters
    ----------
    seed : int
        Seed of the run.
    purpose : {"weights", "order", "noise"}
        Initial weights, order of the images, or noise of the latents.
    epoch : int, optional
        Number of the epoch, from 1; 0 for what is drawn once.
    """
    sequence = np.random.SeedSequence((seed, _STREAMS[purpose], epoch))
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state)


def image_order(seed: int, epoch: int, n_images: int) -> Tensor:
    """Order in which an epoch looks at the images: (N,) int64 positions."""
    return torch.randperm(n_images, generator=generator(seed, "order", epoch))
