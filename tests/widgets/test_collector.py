"""Garbage is collected on the window's thread while a window is open."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from napari_cryodrgn.widgets.collector import QuietCollector

pytestmark = pytest.mark.gui


class Ring:
    """Refers to itself: only a collection ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector(qapp):
    held = QuietCollector()
    held.hold()
    yield held
    held.let_go()
    assert gc.isenabled()


def test_what_another_thread_drops_is_collected_on_the_windows(collector, qtbot):
    ended_on: list[int] = []

    def drop() -> None:
        for _ in range(20):
            weakref.finalize(Ring(), lambda: ended_on.append(threading.get_ident()))
            rings = [Ring() for _ in range(2_000)]  # any one of which may be one too many
            del rings

    worker = threading.Thread(target=drop)
    worker.start()
    worker.join()
    assert ended_on == []
    qtbot.waitUntil(lambda: len(ended_on) == 20, timeout=5_000)
    assert set(ended_on) == {threading.get_ident()}


def test_it_ends_with_the_last_one_who_holds_it(collector):
    collector.hold()
    collector.let_go()
    assert not gc.isenabled()
