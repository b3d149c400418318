"""Up to which frequency images are compared over the course of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_cryodrgn.training.learning_rate import Schedule
from napari_cryodrgn.training.records import EpochMetrics

# Share of a training's epochs until which images are compared up to this share of the radius. A
# quarter of the points shows where a molecule's parts are, at a third of the time.
COARSE = ((0.36, 0.5), (0.5, 0.75))

RadiusSchedule = Callable[[int], int]


def radius_schedule(
    schedule: Schedule, n_epochs: int, box: int, done: Sequence[EpochMetrics] = ()
) -> RadiusSchedule | None:
    """Radius of the disc on which images are compared, by epoch; None where it is always whole.

    Parameters
    ----------
    schedule : {"cryodrgn", "fast"}
        All frequencies always, or low ones first.
    n_epochs : int
        Epochs in all.
    box : int
        Side of the images, px.
    done : sequence of EpochMetrics
        Epochs that are trained already. A training that is told to go on for longer keeps the
        frequencies that it has reached.

    Returns
    -------
    callable or None
        Takes an epoch, counted from 1, and gives px of the transform, at most half the box. The
        last half of a training has all frequencies, and so has its last epoch.
    """
    if schedule == "cryodrgn":
        return None

    half = box // 2
    reached = max((half if each.radius is None else each.radius for each in done), default=0)

    def radius(epoch: int) -> int:
        for until, share in COARSE:
            if epoch < n_epochs and epoch <= until * n_epochs:
                return max(round(share * box / 2), reached)
        return half

    return radius


def first_whole_epoch(radius: RadiusSchedule | None, box: int) -> int:
    """The first epoch that compares all frequencies."""
    epoch = 1
    while radius is not None and radius(epoch) < box // 2:
        epoch += 1
    return epoch
