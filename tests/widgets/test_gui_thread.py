"""What threads held of a window ends on the GUI thread, and calls arrive whoever is gone."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.gui_thread import GuiThread
from napari_cryodrgn.widgets.selection_work import InOrder

pytestmark = pytest.mark.gui

PAUSE = 0.01


def _post_and_drop(box: list[GuiThread], call: Callable[[], None], seconds: float) -> None:
    way = box.pop()
    time.sleep(seconds)
    way.post(call)
    del way


def test_calls_arrive_though_the_last_who_knew_the_way_was_the_thread(qapp, qtbot):
    # With a QObject of its own for each way, Qt called into freed memory within seconds.
    arrived: list[int] = []
    for round_ in range(20):
        threads = [
            threading.Thread(
                target=_post_and_drop,
                args=([GuiThread()], lambda: arrived.append(threading.get_ident()), n * 2e-4),
            )
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        qtbot.waitUntil(lambda count=20 * (round_ + 1): len(arrived) == count, timeout=5_000)
    assert set(arrived) == {threading.get_ident()}


class Window:
    """Asks for something that takes a moment, and is dropped meanwhile."""

    def __init__(self, ended: list[int]) -> None:
        self.took: list[int] = []
        weakref.finalize(self, lambda: ended.append(threading.get_ident()))

    def slow(self) -> int:
        time.sleep(PAUSE)
        return 1

    def fail(self) -> int:
        time.sleep(PAUSE)
        raise ValueError

    def take(self, number: int) -> None:
        self.took.append(number)


@pytest.mark.parametrize("kind", ["latest", "in order", "failing"])
def test_a_window_dropped_meanwhile_ends_on_the_gui_thread(qapp, qtbot, caplog, kind):
    # A record of the failure would keep the window alive.
    caplog.set_level(logging.CRITICAL + 1, "napari_cryodrgn.widgets.selection_work")
    ended: list[int] = []
    for _ in range(20):
        window = Window(ended)
        compute = window.fail if kind == "failing" else window.slow
        if kind == "latest":
            Latest(window.take, "test").request(compute)
        else:
            InOrder("test").request(compute, window.take)
        del window, compute
    assert ended == []
    qtbot.waitUntil(lambda: len(ended) == 20, timeout=5_000)
    assert set(ended) == {threading.get_ident()}


def test_what_is_not_wanted_any_more_is_not_delivered_but_ended_here(qapp, qtbot):
    ended: list[int] = []
    window = Window(ended)
    latest = Latest(window.take, "test")
    latest.request(window.slow)
    latest.stop()
    took = window.took
    del window, latest
    qtbot.waitUntil(lambda: len(ended) == 1, timeout=5_000)
    assert (ended, took) == ([threading.get_ident()], [])


def test_what_is_computed_after_the_end_keeps_no_window_alive(qapp):
    ended: list[int] = []
    window, go_on = Window(ended), threading.Event()
    latest = Latest(window.take, "test")
    latest.request(go_on.wait)
    latest.stop()
    del window
    assert ended == [threading.get_ident()]
    go_on.set()


def test_a_result_is_not_lost_where_another_is_delivered_while_it_is_computed(qapp, qtbot):
    took: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def second() -> int:
        begun.set()
        go_on.wait(5)
        return 2

    latest: Latest[int] = Latest(took.append, "test", every=True)
    latest.request(lambda: 1)
    qtbot.waitUntil(lambda: len(latest._ready) == 1 or bool(took), timeout=5_000)
    latest.request(second)
    begun.wait(5)
    qtbot.waitUntil(lambda: took == [1], timeout=5_000)
    go_on.set()
    qtbot.waitUntil(lambda: took == [1, 2], timeout=5_000)
    latest.stop()
