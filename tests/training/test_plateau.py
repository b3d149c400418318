from __future__ import annotations

import numpy as np

from napari_cryodrgn.training.plateau import SPAN, plateau_since
from napari_cryodrgn.training.records import EpochMetrics


def epochs(losses: list[float]) -> list[EpochMetrics]:
    return [
        EpochMetrics(epoch, loss, loss, 10.0, 0.1, 100, 1.0)
        for epoch, loss in enumerate(losses, start=1)
    ]


def test_falling_loss_is_no_plateau() -> None:
    # Those of cryoDRGN 4.3.1 on a simulated hinge: its motion is still being learnt.
    losses = [0.658, 0.551, 0.538, 0.534, 0.531, 0.529, 0.527, 0.525, 0.523, 0.521]
    for n in range(1, len(losses) + 1):
        assert plateau_since(epochs(losses[:n])) is None


def test_loss_that_no_longer_falls_is_noticed_and_dated() -> None:
    rng = np.random.default_rng(0)
    losses = [*np.linspace(0.6, 0.5, 6), *(0.5 + rng.uniform(-1e-5, 1e-5, 8))]
    since = [plateau_since(epochs(losses[:n])) for n in range(1, len(losses) + 1)]
    assert since[:10] == [None] * 10
    assert since[-1] == len(losses) - SPAN
