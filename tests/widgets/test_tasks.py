"""Tasks in worker threads: what they give, lose nothing, and stop when told to."""

from __future__ import annotations

import gc
import threading
import time
from weakref import ref

import pytest
from qtpy.QtCore import Qt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import start_task

pytestmark = pytest.mark.gui


def counting(total: int, seconds: float = 0.01):
    for done in range(total):
        yield Progress(done, total, f"step {done}", seconds_left=(total - done) * seconds)
        time.sleep(seconds)
    return total


class Endless:
    """A task that says how it was ended."""

    def __init__(self) -> None:
        self.steps = 0
        self.closed_in: int | None = None

    def run(self):
        try:
            while True:
                self.steps += 1
                yield Progress(self.steps)
                time.sleep(0.01)
        finally:
            self.closed_in = threading.get_ident()


def failing(error: BaseException):
    yield Progress(0)
    raise error


def test_the_result_comes_on_the_gui_thread(qtbot):
    threads = []
    task = start_task(
        lambda: counting(3), "Counting", done=lambda _: threads.append(threading.get_ident())
    )
    with qtbot.waitSignal(task.finished), qtbot.waitSignal(task.done) as blocker:
        pass
    assert blocker.args == [3]
    assert threads == [threading.get_ident()]
    assert not task.running


def test_reports_come_in_order_and_not_too_often(qtbot):
    reports: list[Progress] = []
    task = start_task(lambda: counting(300, 0.001), "Counting", progressed=reports.append)
    with qtbot.waitSignal(task.finished):
        pass
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert 1 <= len(done) < 60


@pytest.mark.parametrize(
    ("error", "message", "has_details"),
    [
        (InputError("it is odd", file="a.mrcs", field="box", value=65), "a.mrcs: box = 65", False),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "the GPU's memory is full", True),
        (MemoryError(), "the computer's memory is full", True),
        (RuntimeError("something broke"), "RuntimeError: something broke", True),
        (StopIteration(), "RuntimeError", True),
        (OSError(28, "No space left on device", "z.1.pkl"), "No space left on device", True),
    ],
)
def test_whatever_a_task_raises_is_told(qtbot, error, message, has_details):
    task = start_task(lambda: failing(error), "Failing")
    with qtbot.waitSignal(task.finished), qtbot.waitSignal(task.failed) as blocker:
        pass
    failure = blocker.args[0]
    assert message in failure.message
    assert bool(failure.details) == has_details


def test_what_making_a_task_raises_is_told_too(qtbot):
    def make():
        raise InputError("there is no such file", file="nowhere.star")

    with qtbot.waitSignal(start_task(make, "Making").failed) as blocker:
        pass
    assert "nowhere.star" in blocker.args[0].message


def test_a_cancelled_task_tidies_up_in_its_own_thread(qtbot):
    endless = Endless()
    task = start_task(endless.run, "Endless")
    qtbot.waitUntil(lambda: endless.steps > 2)
    with qtbot.waitSignals([task.cancelled, task.finished]):
        task.cancel()
    assert endless.closed_in not in (None, threading.get_ident())


def test_an_open_viewer_does_not_keep_what_a_cancelled_task_used(viewer, qtbot, settle):
    endless = Endless()
    used, task = ref(endless), start_task(endless.run, "Endless")
    del endless
    settle(lambda: used().steps > 0)
    with qtbot.waitSignal(task.finished):
        task.cancel()
    del task

    def is_gone() -> bool:
        gc.collect()
        return used() is None

    settle(is_gone)


def test_waiting_for_a_cancelled_task_needs_no_event_loop(qtbot):
    endless = Endless()
    task = start_task(endless.run, "Endless")
    qtbot.waitUntil(lambda: endless.steps > 0)
    task.cancel()
    assert task.wait(5000)
    assert endless.closed_in is not None
    with qtbot.waitSignal(task.finished):
        pass


def test_a_paused_task_stands_still_until_it_is_resumed(qtbot):
    endless = Endless()
    task = start_task(endless.run, "Endless")
    qtbot.waitUntil(lambda: endless.steps > 0)
    with qtbot.waitSignal(task.paused_changed):
        task.pause()
    assert task.paused
    steps = endless.steps
    qtbot.wait(100)
    assert endless.steps == steps
    task.resume()
    qtbot.waitUntil(lambda: endless.steps > steps)
    with qtbot.waitSignal(task.finished):
        task.cancel()


def test_the_bar_pauses_resumes_and_cancels_by_its_buttons(qtbot):
    bar, endless = TaskBar(), Endless()
    qtbot.addWidget(bar)
    bar.show()
    task = bar.follow(start_task(endless.run, "Endless"))
    qtbot.waitUntil(lambda: endless.steps > 0)
    qtbot.mouseClick(bar.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bar.pause_button.text() == "Resume")
    qtbot.mouseClick(bar.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bar.pause_button.text() == "Pause")
    with qtbot.waitSignal(task.cancelled):
        qtbot.mouseClick(bar.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not bar.cancel_button.isVisible())


def test_the_bar_keeps_a_failure_until_it_is_dismissed(qtbot):
    bar = TaskBar()
    qtbot.addWidget(bar)
    bar.show()
    task = bar.follow(start_task(lambda: failing(InputError("it is odd")), "Failing"))
    with qtbot.waitSignal(task.finished):
        pass
    assert bar.notices.isVisible()
    assert bar.notices.text() == "it is odd"
