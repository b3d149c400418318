"""Whether a training still gains anything: told to people, who decide."""

from __future__ import annotations

from collections.abc import Sequence

from napari_cryodrgn.training.records import EpochMetrics

# Epochs over which the fall of the loss is measured: it wavers from one to the next.
SPAN = 5
# Mean fall an epoch, as a share of the loss, below which more epochs hardly pay.
SMALL_FALL = 5e-4


def plateau_since(metrics: Sequence[EpochMetrics]) -> int | None:
    """The epoch since which the reconstruction error has hardly fallen.

    Parameters
    ----------
    metrics : sequence of EpochMetrics
        All epochs so far, in order.

    Returns
    -------
    int or None
        None while it still falls, or while there are too few epochs to tell.

    Notes
    -----
    The error is that of noisy images: it never reaches zero, and goes on falling slowly
    while noise is learnt by heart. So a slow fall counts as none.
    """
    losses = [record.gen_loss for record in metrics]
    if len(losses) <= SPAN:
        return None
    before, now = losses[-1 - SPAN], losses[-1]
    if before - now >= SMALL_FALL * SPAN * abs(before):
        return None
    return metrics[-1].epoch - SPAN
