from __future__ import annotations

import pytest

from napari_cryodrgn.training.schedule import beta_schedule


def test_default_is_one_over_zdim() -> None:
    assert beta_schedule(None, 8)(10**9) == 1 / 8


def test_constant_stays() -> None:
    assert [beta_schedule(0.5, 8)(seen) for seen in (0, 10**7)] == [0.5, 0.5]


def test_no_latent_no_kl() -> None:
    assert beta_schedule(None, 0)(100) == beta_schedule("a", 0)(100) == 0


@pytest.mark.parametrize(
    ("name", "start", "end", "first", "last"),
    [
        ("a", 0, 1_000_000, 0.001, 15),
        ("b", 200_000, 800_000, 5, 15),
        ("c", 200_000, 800_000, 5, 18),
        ("d", 1_000_000, 5_000_000, 5, 18),
    ],
)
def test_ramps_are_linear_between_their_ends(
    name: str, start: int, end: int, first: float, last: float
) -> None:
    ramp = beta_schedule(name, 8)  # type: ignore[arg-type]
    assert ramp(0) == ramp(start) == first
    assert ramp((start + end) // 2) == pytest.approx((first + last) / 2)
    assert ramp(end) == ramp(10 * end) == last
