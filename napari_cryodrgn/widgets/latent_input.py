"""From Qt's events on the latent canvas to its tool, before napari sees them.

What neither the tool nor the canvas takes goes on to napari: the left button moves the plot (or
turns it, in 3D), the wheel zooms. Keys never go on: by napari's shortcuts they would change what
the embedded viewer shows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence, QMouseEvent

from napari_cryodrgn.widgets.latent_tool import CanvasMouse, LatentTool

if TYPE_CHECKING:
    from napari_cryodrgn.widgets.latent_viewer import LatentCanvas

STILL = 4.0
"""A press that moves less than this many px before its release is a click."""

HOVER_SECONDS = 0.05

BUTTONS = {
    Qt.MouseButton.LeftButton: "left",
    Qt.MouseButton.RightButton: "right",
    Qt.MouseButton.MiddleButton: "middle",
}
MODIFIERS = {
    Qt.KeyboardModifier.ShiftModifier: "Shift",
    Qt.KeyboardModifier.AltModifier: "Alt",
    Qt.KeyboardModifier.ControlModifier: "Control",
}
MOUSE_HELP = (
    ("Wheel", "Zoom the plot"),
    ("Right drag, or space + drag", "Move the plot"),
    ("Esc", "Give up what is being drawn"),
)
"""What works with every tool."""

KEY_NAMES = {"Esc": "Escape", "Del": "Delete", "Enter": "Return"}


class CanvasInput(QObject):
    """Routes mouse and keys of a canvas to its active tool.

    `clicked` and `hovered` carry the mouse where no tool took the press, or none is held;
    `key_pressed` a key that the tool left, with its modifiers.
    """

    clicked = Signal(object)
    hovered = Signal(object)
    key_pressed = Signal(str, object)

    def __init__(self, canvas: LatentCanvas) -> None:
        super().__init__(canvas)
        self.tool: LatentTool | None = None
        self._canvas = canvas
        self._taken = False
        self._panning: tuple[float, float] | None = None
        self._start: tuple[float, float] | None = None
        self._strayed = False
        self._space = False
        self._told = 0.0
        self._waiting: CanvasMouse | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tell_hover)

    def set_tool(self, tool: LatentTool | None) -> None:
        """Send events to this tool from now on; none: the left button moves the plot."""
        if self.tool is not None:
            self.cancel()
            self.tool.deactivate()
        self.tool = tool
        if tool is not None:
            tool.activate()

    def cancel(self) -> None:
        """Let the tool give up what it has begun."""
        self._taken = False
        self._panning = self._start = None
        if self.tool is not None:
            self.tool.cancel()

    def stop(self) -> None:
        """Send nothing more."""
        self._timer.stop()
        self.tool = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Take an event, or let napari have it."""
        kind = event.type()
        if kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            self._key(event)
            event.accept()  # or the embedded viewer would get it next
            return True
        if kind == QEvent.Type.FocusOut:
            self._space = False
            self.cancel()
        elif kind == QEvent.Type.Leave:
            self._waiting = None
            self._timer.stop()
        elif kind == QEvent.Type.MouseButtonPress:
            return self._press(event)
        elif kind == QEvent.Type.MouseButtonDblClick:
            return self._double_click(event)
        elif kind == QEvent.Type.MouseMove:
            return self._move(event)
        elif kind == QEvent.Type.MouseButtonRelease:
            return self._release(event)
        return super().eventFilter(watched, event)

    def _mouse(self, event: QMouseEvent) -> CanvasMouse:
        pos = event.position().x(), event.position().y()
        held = frozenset(name for flag, name in MODIFIERS.items() if event.modifiers() & flag)
        return CanvasMouse(
            self._canvas.place_at(pos),
            pos,
            self._canvas.radius(),
            held,
            BUTTONS.get(event.button(), ""),
        )

    def _double_click(self, event: QMouseEvent) -> bool:
        left = event.button() == Qt.MouseButton.LeftButton
        if left and self.tool is not None and self.tool.double_click(self._mouse(event)):
            return True
        self._press(event)
        return True  # napari's camera would take a press that it has no move for

    def _press(self, event: QMouseEvent) -> bool:
        mouse = self._mouse(event)
        if mouse.button == "right" or (mouse.button == "left" and self._space):
            self._panning = mouse.pos
            return True
        if mouse.button != "left" or self._taken:
            return False
        if self.tool is not None and self.tool.press(mouse):
            self._taken = True
            return True
        self._start, self._strayed = mouse.pos, bool(mouse.modifiers)
        return False

    def _move(self, event: QMouseEvent) -> bool:
        mouse = self._mouse(event)
        if self._panning is not None:
            before, self._panning = self._panning, mouse.pos
            self._canvas.pan(mouse.pos[0] - before[0], mouse.pos[1] - before[1])
            return True
        if self._taken and self.tool is not None:
            self.tool.move(mouse)
            return True
        if self._start is not None:
            far = max(abs(a - b) for a, b in zip(mouse.pos, self._start, strict=True))
            self._strayed = self._strayed or far > STILL
        elif not event.buttons():
            self._hover(mouse)
        return False

    def _release(self, event: QMouseEvent) -> bool:
        mouse = self._mouse(event)
        if self._panning is not None and mouse.button in ("left", "right"):
            self._panning = None
            return True
        if mouse.button != "left":
            return False
        if self._taken:
            self._taken = False
            if self.tool is not None:
                self.tool.release(mouse)
            return True
        start, self._start = self._start, None
        if start is not None and not self._strayed:
            self.clicked.emit(mouse)
        return False

    def _hover(self, mouse: CanvasMouse) -> None:
        self._waiting = mouse
        wait = HOVER_SECONDS - (time.monotonic() - self._told)
        if wait <= 0:
            self._tell_hover()
        elif not self._timer.isActive():
            self._timer.start(int(wait * 1000) + 1)

    def _tell_hover(self) -> None:
        self._told = time.monotonic()
        mouse, self._waiting = self._waiting, None
        if mouse is None:
            return
        if self.tool is not None:
            self.tool.hover(mouse)
        self.hovered.emit(mouse)

    def _key(self, event: QKeyEvent) -> None:
        pressed = event.type() == QEvent.Type.KeyPress
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = pressed
            return
        if not pressed:
            return
        name = QKeySequence(event.key()).toString()
        name = KEY_NAMES.get(name, name)
        held = frozenset(word for flag, word in MODIFIERS.items() if event.modifiers() & flag)
        if name == "Escape":
            self.cancel()
        elif self.tool is None or not self.tool.key_press(name, held):
            self.key_pressed.emit(name, held)
