from __future__ import annotations

import pytest

from napari_cryodrgn.training.learning_rate import FALL, rate_schedule


@pytest.mark.parametrize("n_epochs", [6, 20])
def test_rate_falls_in_the_last_epochs(n_epochs: int) -> None:
    rate = rate_schedule("fast", 2e-3, n_epochs)
    rates = [rate(epoch) for epoch in range(1, n_epochs + 1)]
    assert rates[: -len(FALL)] == [2e-3] * (n_epochs - len(FALL))
    assert rates[-len(FALL) :] == [2e-3 * share for share in FALL]


def test_short_trainings_keep_their_rate() -> None:
    rate = rate_schedule("fast", 2e-3, 5)
    assert {rate(epoch) for epoch in range(1, 6)} == {2e-3}


def test_the_plain_schedule_has_none() -> None:
    assert rate_schedule("cryodrgn", 2e-3, 20) is None
