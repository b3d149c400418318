"""Learning rate over the course of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Schedule = Literal["cryodrgn", "fast"]

# Share of a training at full rate. From there it falls evenly to nothing: what the weights waver
# by from one batch to the next, which is noise in the maps, settles.
FULL = 0.2

RateSchedule = Callable[[float], float]


def rate_schedule(schedule: Schedule, lr: float, n_epochs: int) -> RateSchedule | None:
    """Learning rate at each point of a training; None where it never changes.

    Parameters
    ----------
    schedule : {"cryodrgn", "fast"}
        The same rate always, or one that falls to zero.
    lr : float
        What it begins with.
    n_epochs : int
        Epochs in all.

    Returns
    -------
    callable or None
        Takes the epochs done, parts of one counted in.
    """
    if schedule == "cryodrgn":
        return None
    return lambda epochs_done: lr * min(1.0, (1 - epochs_done / n_epochs) / (1 - FULL))
