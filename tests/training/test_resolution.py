from __future__ import annotations

import pytest

from napari_cryodrgn.training.records import EpochMetrics
from napari_cryodrgn.training.resolution import first_whole_epoch, radius_schedule


def test_cryodrgn_compares_all_frequencies_always() -> None:
    assert radius_schedule("cryodrgn", 20, 64) is None
    assert first_whole_epoch(None, 64) == 1


def test_low_frequencies_come_first() -> None:
    radius = radius_schedule("fast", 14, 64)
    assert radius is not None
    assert [radius(epoch) for epoch in range(1, 15)] == [16] * 5 + [24] * 2 + [32] * 7
    assert first_whole_epoch(radius, 64) == 8


@pytest.mark.parametrize(("reached", "radii"), [(16, [16, 16, 16, 24]), (None, [32] * 4)])
def test_a_training_that_goes_on_for_longer_keeps_the_frequencies_that_it_has_reached(
    reached: int | None, radii: list[int]
) -> None:
    done = [EpochMetrics(epoch, 1.0, 1.0, 1.0, 1.0, 10, 1.0, reached) for epoch in (1, 2, 3, 4)]
    radius = radius_schedule("fast", 20, 64, done)
    assert radius is not None
    assert [radius(epoch) for epoch in range(5, 9)] == radii


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 4, 7, 20, 50])
def test_every_training_ends_with_all_frequencies(n_epochs: int) -> None:
    radius = radius_schedule("fast", n_epochs, 50)
    assert radius is not None
    radii = [radius(epoch) for epoch in range(1, n_epochs + 1)]
    assert radii == sorted(radii)
    assert radii.count(25) >= n_epochs / 2
    assert radii[-1] == 25
