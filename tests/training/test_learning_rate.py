from __future__ import annotations

import pytest

from napari_cryodrgn.training.learning_rate import FULL, rate_schedule


@pytest.mark.parametrize("n_epochs", [1, 5, 20])
def test_rate_is_kept_and_then_falls_evenly_to_nothing(n_epochs: int) -> None:
    rate = rate_schedule("fast", 2e-3, n_epochs)
    assert rate(0) == rate(FULL * n_epochs) == pytest.approx(2e-3)
    middle = n_epochs * (1 + FULL) / 2
    assert rate(middle) == pytest.approx(1e-3)
    assert rate(n_epochs) == 0


def test_the_plain_schedule_has_none() -> None:
    assert rate_schedule("cryodrgn", 2e-3, 20) is None
