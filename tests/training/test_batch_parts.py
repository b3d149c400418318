from __future__ import annotations

import pytest
import torch

from napari_cryodrgn.errors import is_full_memory
from napari_cryodrgn.training.batch_parts import BatchParts
from napari_cryodrgn.training.thread_probe import probe_threads


def full(parts: list[slice]) -> int:
    if len(parts) < 4:
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert [index for part in parts for index in range(13)[part]] == list(range(13))
    return len(parts)


def test_parts_are_halved_until_they_fit() -> None:
    told: list[str] = []
    parts = BatchParts(told.append)
    assert parts.run(full, 13) == 4
    assert parts.run(full, 13) == 4  # at once, the next time
    assert len(told) == 2
    assert "4 parts of 4 images" in told[1]


@pytest.mark.parametrize("most", [1, 2])
def test_what_cannot_be_cut_further_ends(most: int) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        BatchParts().run(full, 13, most=most)
    with pytest.raises(torch.OutOfMemoryError):
        BatchParts().run(full, 2)


def test_other_errors_are_no_full_memory() -> None:
    def wrong(parts: list[slice]) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        BatchParts().run(wrong, 8)
    assert is_full_memory(MemoryError())
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_full_memory(raised.value)


def test_probe_takes_the_quickest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, count = [0.0], [8]
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: count.__setitem__(0, number))
    monkeypatch.setattr("napari_cryodrgn.training.thread_probe.time.perf_counter", lambda: clock[0])
    for cost, expected in (
        ({8: 3.0, 4: 1.0, 2: 2.0}, 4),
        ({8: 1.0, 4: 0.99, 2: 0.1}, 8),  # within chance, and the rest not tried
        ({8: 4.0, 4: 3.0, 2: 2.0}, 2),
    ):
        count[0] = 8
        probe = probe_threads(lambda cost=cost: clock.__setitem__(0, clock[0] + cost[count[0]]))
        assert probe.count == count[0] == expected
        assert f"{expected} CPU threads" in str(probe)
