"""The hand: random places and real events of mouse, wheel and keys on given widgets."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QWidget

MODIFIERS = ("NoModifier",) * 8 + ("ShiftModifier", "ControlModifier", "AltModifier")
KEYS = (
    *("Left", "Right", "Up", "Down", "Return", "Escape", "Tab", "Space", "Backspace", "Delete"),
    *("PageUp", "PageDown", "Question", "BracketLeft", "BracketRight"),
    *"ELPRBGDA01259",
)
COMMANDS = tuple("ZACV")
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


class Hand:
    """Makes events as a person's hand would.

    Parameters
    ----------
    numbers : random.Random
    tell : callable
        Called with what is about to be touched.
    alive : callable
        Called while a drag goes on.
    """

    def __init__(
        self, numbers: random.Random, tell: Callable[[str], None], alive: Callable[[], None]
    ) -> None:
        self.random, self.tell, self.alive = numbers, tell, alive

    def place(self, widget: QWidget) -> QPoint:
        """A random place in a widget."""
        wide, high = max(1, widget.width()), max(1, widget.height())
        return QPoint(self.random.randrange(wide), self.random.randrange(high))

    def modifier(self) -> Any:
        """A key to hold, mostly none."""
        return getattr(Qt.KeyboardModifier, self.random.choice(MODIFIERS))

    def click(self, widget: QWidget) -> str:
        """Click somewhere in a widget, sometimes twice or with the right button."""
        button = RIGHT if self.random.random() < 0.08 else LEFT
        words = described(widget)
        self.tell(words)
        press = QTest.mouseDClick if self.random.random() < 0.06 else QTest.mouseClick
        press(widget, button, self.modifier(), self.place(widget))
        return words

    def drag(self, widget: QWidget) -> str:
        """Press, move, let go."""
        button = RIGHT if self.random.random() < 0.2 else LEFT
        words, held = described(widget), self.modifier()
        self.tell(words)
        QTest.mousePress(widget, button, held, self.place(widget))
        for _ in range(self.random.randrange(2, 9)):
            QTest.mouseMove(widget, self.place(widget))
            QApplication.processEvents()
            self.alive()
        QTest.mouseRelease(widget, button, held, self.place(widget))
        return words

    def wheel(self, widget: QWidget) -> str:
        """Turn the wheel over a widget."""
        place = QPointF(self.place(widget))
        event = QWheelEvent(
            place,
            QPointF(widget.mapToGlobal(place.toPoint())),
            QPoint(),
            QPoint(0, self.random.choice((-240, -120, 120, 240))),
            Qt.MouseButton.NoButton,
            self.modifier(),
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        self.tell(described(widget))
        QApplication.sendEvent(widget, event)
        return described(widget)

    def key(self, widget: QWidget) -> str:
        """Press a key in a widget."""
        held = Qt.KeyboardModifier.NoModifier
        if self.random.random() < 0.15:
            name, held = self.random.choice(COMMANDS), Qt.KeyboardModifier.ControlModifier
        else:
            name = self.random.choice(KEYS)
            if self.random.random() < 0.2:
                held = Qt.KeyboardModifier.ShiftModifier
        words = f"{name} in {described(widget)}"
        self.tell(words)
        QTest.keyClick(widget, getattr(Qt.Key, f"Key_{name}"), held)
        return words

    def in_popup(self, popup: QWidget) -> str:
        """Choose from a menu or a list, or close it."""
        words = described(popup)
        self.tell(words)
        if self.random.random() < 0.5:
            for _ in range(self.random.randrange(4)):
                QTest.keyClick(popup, Qt.Key.Key_Down)
            QTest.keyClick(popup, Qt.Key.Key_Return)
        else:
            popup.close()
        return words

    def in_dialog(self, dialog: QWidget) -> str:
        """Click in a dialog that waits, or close it; no file is ever chosen."""
        words = described(dialog)
        self.tell(words)
        buttons = [each for each in dialog.findChildren(QAbstractButton) if is_usable(each)]
        if isinstance(dialog, QFileDialog) or not buttons or self.random.random() < 0.6:
            dialog.close()
            return words
        return f"{words}: {self.click(self.random.choice(buttons))}"


def is_usable(widget: QWidget) -> bool:
    """Whether a person could click there."""
    return bool(widget.isVisible() and widget.isEnabled() and widget.width() > 2)


def described(widget: QWidget) -> str:
    """A widget in words: its class and its text."""
    text = getattr(widget, "text", lambda: "")()
    return f"{type(widget).__name__} {str(text)[:30]!r} in {type(widget.parent()).__name__}"
