from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from napari_cryodrgn.training.prefetch import made_ahead


def test_items_come_in_order_and_few_exist_at_a_time() -> None:
    made, used = [], []

    def make(stopping: threading.Event) -> Iterator[int]:
        for number in range(20):
            made.append(number)
            assert len(made) - len(used) <= 3
            yield number

    with made_ahead(make, 3) as items:
        for item in items:
            used.append(item)
    assert used == list(range(20))


def test_error_comes_where_its_item_would() -> None:
    def make(stopping: threading.Event) -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with made_ahead(make, 2) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="gone"):
            next(items)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()

    def make(stopping: threading.Event) -> Iterator[int]:
        while not stopping.is_set():
            yield 1

    with made_ahead(make, 2) as items:
        next(items)
    assert threading.active_count() == before
