"""Learning rate over the course of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Schedule = Literal["cryodrgn", "fast"]

# The last epochs take smaller and smaller steps: what the weights still waver by from one
# batch to the next, which is noise in the maps, settles.
FALL = (0.5, 0.25, 0.12)
# Trainings too short to be spared their last epochs keep their rate.
SHORTEST = 2 * len(FALL)

RateSchedule = Callable[[int], float]


def rate_schedule(schedule: Schedule, lr: float, n_epochs: int) -> RateSchedule | None:
    """Learning rate of each epoch, counted from 1; None where it never changes.

    Parameters
    ----------
    schedule : {"cryodrgn", "fast"}
        The same rate always, or one that falls in the last three epochs.
    lr : float
        What it begins with.
    n_epochs : int
        Epochs in all.
    """
    if schedule == "cryodrgn":
        return None
    if n_epochs < SHORTEST:
        return lambda epoch: lr
    kept = n_epochs - len(FALL)
    return lambda epoch: lr if epoch <= kept else lr * FALL[min(epoch - kept, len(FALL)) - 1]
