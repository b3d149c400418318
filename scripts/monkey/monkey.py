"""The monkey: chooses the next event and makes it, whatever the window does."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

import psutil
from desk import Desk
from hand import Hand
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from report import Report
from watchdog import Watchdog

LOOP_SECONDS = 5.0
"""After which an event that runs a loop of its own is ended by Escape."""

BEAT_MILLISECONDS = 20
VIEWER_LIFE = 1_000
"""Events after which the viewer is closed and another one opened."""

MEMORY_LOOKS = 200
BURST = 4
"""Events at most between two looks of the window at what to paint: a hand does not wait for it."""


class Monkey:
    """Makes one random event after the other in a window of its own.

    Parameters
    ----------
    runs : list of Path
        Run folders, which will be changed.
    report : Report
    watch : Watchdog
    log : text file
        Takes a line for each event.
    """

    def __init__(self, runs: list[Path], report: Report, watch: Watchdog, log: TextIO) -> None:
        self.random = random.Random(report.seed)
        self.report, self.watch, self.log = report, watch, log
        self.desk = Desk(runs, self.random)
        self.hand = Hand(self.random, self.note, self.alive)
        self.wanted = 0
        self.process = psutil.Process()
        self._acting, self._acted = False, 0.0
        self._timer = QTimer()
        self._timer.setSingleShot(True)  # begun anew by each tick: Qt's timers do not recurse
        self._timer.setInterval(1)
        self._timer.timeout.connect(self.tick)
        self._heart = QTimer()
        self._heart.setInterval(BEAT_MILLISECONDS)
        self._heart.timeout.connect(watch.beat)

    def play(self, events: int) -> None:
        """Make so many events, and return."""
        self.wanted = events
        self._heart.start()
        self._timer.start()
        QApplication.instance().exec()

    def rest(self, *_: object) -> None:
        """Make no more events."""
        self.wanted = self.report.events

    def renew(self) -> None:
        """Another viewer in place of this one."""
        self.close()
        self.open()

    def open(self) -> None:
        """Open a viewer. While there is none, there is no window that could not answer."""
        self.report.opened_seconds.append(self.desk.open_viewer())
        self.watch.rest()

    def close(self) -> None:
        """Close the viewer, and count what is left of it."""
        self.report.closed_seconds.append(self.desk.close_viewer())
        self.report.viewers_left = self.desk.viewers_left()
        self.log.write(f"    viewers left: {self.report.viewers_left}\n")
        self.watch.rest()

    def tick(self) -> None:
        """Make the next event; also from within a dialog that waits, which is closed soon."""
        self.watch.beat()
        self._timer.start()
        popup, modal = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        if self._acting and popup is None and modal is None:
            # A loop within an event that is neither a menu nor a dialog, such as Qt's own drag.
            if time.monotonic() - self._acted > LOOP_SECONDS:
                self._acted = time.monotonic()
                self.leave_loop()
            return
        self._acted = time.monotonic()
        if self.report.events >= self.wanted:
            self.end(popup, modal)
            return
        before, self._acting = self._acting, True
        try:
            self.act(popup, modal)
            for _ in range(self.random.randrange(BURST)):
                # Once its menu is gone, a click that opened one comes to its end first: nobody can
                # close a window from within a click on it.
                if before or QApplication.activePopupWidget() or QApplication.activeModalWidget():
                    break
                self.act(None, None)
        except Exception:  # noqa: BLE001 - what a slot raises may arrive here
            self.report.errors.append(traceback.format_exc())
        finally:
            self._acting = before

    def end(self, popup: QWidget | None, modal: QWidget | None) -> None:
        """Leave what is open, and then the loop of events."""
        if popup is not None or modal is not None:
            (popup or modal).close()
        elif not self._acting:
            self._timer.stop()
            QApplication.exit()  # quit() would close the window first

    def leave_loop(self) -> None:
        """Press Escape, wherever the focus is, and let go of the mouse."""
        if self.desk.viewer is None:  # it is being closed, which runs a loop of its own
            return
        self.log.write(f"left a loop within: {self.watch.after}\n")
        target = QApplication.focusWidget() or self.desk.window
        QTest.keyClick(target.window().windowHandle() or target, Qt.Key.Key_Escape)
        QTest.mouseRelease(target, Qt.MouseButton.LeftButton)

    def act(self, popup: QWidget | None, modal: QWidget | None) -> None:
        """Choose an event and make it."""
        self.watch.beat()
        report = self.report
        report.events += 1
        if report.events % max(1, self.wanted // MEMORY_LOOKS) == 0:
            report.rss_mb.append(self.process.memory_info().rss / 2**20)
        if popup is not None:
            self.do("popup", partial(self.hand.in_popup, popup))
        elif modal is not None:
            self.do("dialog", partial(self.hand.in_dialog, modal))
        elif report.events % VIEWER_LIFE == 0:
            self.do("new viewer", self.renew)
        else:
            kinds = self.kinds()
            name = self.random.choices(list(kinds), [each for each, _ in kinds.values()])[0]
            self.do(name, kinds[name][1])

    def kinds(self) -> dict[str, tuple[float, Callable[[], str | None]]]:
        """How often each kind of event comes, and what makes it."""
        desk, hand = self.desk, self.hand
        return {
            "click": (40, lambda: self.touch(hand.click, desk.targets())),
            "canvas click": (12, lambda: self.touch(hand.click, desk.canvases())),
            "drag": (14, lambda: self.touch(hand.drag, desk.canvases() * 3 + desk.sliders())),
            "wheel": (8, lambda: self.touch(hand.wheel, desk.canvases() * 4 + desk.targets())),
            "key": (16, self.key),
            "tab": (5, desk.tab),
            "frame button": (1.5, lambda: self.touch(hand.click, [desk.frame_button()])),
            "open dock": (3, desk.open_dock),
            "theme": (0.5, desk.theme),
            "open run": (0.7, desk.open_run),
            "close run": (0.2, desk.close_run),
        }

    def touch(self, how: Callable[[QWidget], str], widgets: list[QWidget | None]) -> str:
        """Do something with one of some widgets, where there is one."""
        found = [each for each in widgets if each is not None]
        return how(self.random.choice(found)) if found else ""

    def key(self) -> str:
        """Press a key where the focus is, or in a canvas."""
        widget = QApplication.focusWidget()
        canvases = self.desk.canvases()
        if canvases and (widget is None or self.random.random() < 0.3):
            widget = self.random.choice(canvases)
            widget.setFocus()
        if widget is None:
            return ""
        return self.hand.key(widget)

    def alive(self) -> None:
        """Within an event: it goes on, and is not to be ended."""
        self._acted = time.monotonic()
        self.watch.beat()

    def note(self, words: str) -> None:
        """What is about to be touched: a hang is named after it."""
        self.watch.after = f"{self.report.events}: {words}"

    def do(self, kind: str, call: Callable[[], str | None]) -> None:
        """Make an event and write down which."""
        self.report.kinds[kind] += 1
        self.note(kind)
        self.log.write(f"{self.report.events} {kind}\n")
        words = call() or ""
        self.note(f"{kind} {words}")
        self.log.write(f"    done: {words}\n")
