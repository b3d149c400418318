from __future__ import annotations

import pytest

from napari_cryodrgn.training.resolution import first_whole_epoch, radius_schedule


def test_cryodrgn_compares_all_frequencies_always() -> None:
    assert radius_schedule("cryodrgn", 20, 64) is None
    assert first_whole_epoch(None, 64) == 1


def test_low_frequencies_come_first() -> None:
    radius = radius_schedule("fast", 14, 64)
    assert radius is not None
    assert [radius(epoch) for epoch in range(1, 15)] == [16] * 5 + [24] * 2 + [32] * 7
    assert first_whole_epoch(radius, 64) == 8


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 4, 7, 20, 50])
def test_every_training_ends_with_all_frequencies(n_epochs: int) -> None:
    radius = radius_schedule("fast", n_epochs, 50)
    assert radius is not None
    radii = [radius(epoch) for epoch in range(1, n_epochs + 1)]
    assert radii == sorted(radii)
    assert radii.count(25) >= n_epochs / 2
    assert radii[-1] == 25
