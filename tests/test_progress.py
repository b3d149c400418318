"""Progress records and the driving of tasks."""

from __future__ import annotations

import pytest

from napari_cryodrgn.progress import Progress, duration_text, run_to_end


def test_run_to_end_returns_the_result():
    def task():
        yield Progress(1, 2)
        return "result"

    assert run_to_end(task()) == "result"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, "0 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_fraction_is_unknown_without_a_total_and_never_over_one():
    assert Progress(3).fraction is None
    assert Progress(3, 2).fraction == 1.0
