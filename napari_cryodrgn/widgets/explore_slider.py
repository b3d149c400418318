"""A slider over the distribution of the particles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cryodrgn.latent.marginals import Marginal
from napari_cryodrgn.widgets.theme import PICK_COLOUR, ThemeColours

HEIGHT = 28
MARGIN = 5.0
"""Room at either side for half the handle, px."""

STEPS = 100
"""Arrow keys move by the range divided by it, with Shift by ten times as much."""

LARGE_STEP = 10
KEYS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_PageDown: -LARGE_STEP,
    Qt.Key.Key_PageUp: LARGE_STEP,
}


KEYS_HELP = (
    ("←  ↓  →  ↑", f"Move a slider by a {STEPS}th of its range"),
    ("Shift + arrow, Page up, Page down", f"Move it by {LARGE_STEP} times as much"),
)


class DensitySlider(QWidget):
    """One value, moved by mouse or keys over a histogram.

    `moved` carries the value while it is dragged, `settled` when it is let go.
    """

    keys_help = KEYS_HELP
    moved = Signal(float)
    settled = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value: float | None = None
        self.low, self.high = -1.0, 1.0
        self._heights: npt.NDArray[np.float64] = np.zeros(0)
        self._bars = QColor("#808080")
        self._line = QColor("#808080")
        self._dragging = False
        self._stepping = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Wide enough to be moved with care."""
        return QSize(180, HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt
        """As narrow as it can still be used."""
        return QSize(60, HEIGHT)

    @property
    def dragging(self) -> bool:
        """Whether the mouse holds it."""
        return self._dragging

    def set_colours(self, colours: ThemeColours) -> None:
        """Paint in a theme's colours."""
        self._bars = QColor(colours.dim_text)
        self._bars.setAlpha(150)
        self._line = QColor(colours.foreground)
        self.update()

    def set_marginal(self, marginal: Marginal) -> None:
        """Show this distribution; its range is the slider's."""
        self.low, self.high = marginal.low, marginal.high
        self._heights = marginal.counts / max(int(marginal.counts.max()), 1)
        self.update()

    def set_value(self, value: float | None) -> None:
        """Show this value, or none; announces nothing."""
        if value != self.value:
            self.value = value
            self.update()

    def x_of(self, value: float) -> float:
        """Where a value lies, px; those out of range at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return MARGIN + min(max(share, 0.0), 1.0) * (self.width() - 2 * MARGIN)

    def value_at(self, x: float) -> float:
        """Value at a place, px; within the range."""
        share = (x - MARGIN) / max(self.width() - 2 * MARGIN, 1.0)
        return self.low + min(max(share, 0.0), 1.0) * (self.high - self.low)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Go to the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragging = True
            self._move_to(self.value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Follow it."""
        if self._dragging:
            self._move_to(self.value_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Stay."""
        if self._dragging and event.button() == Qt.MouseButton.LeftButton:
            self._dragging = False
            self.value = self.value_at(event.position().x())
            self._settle()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt
        """Move by a step."""
        steps = KEYS.get(Qt.Key(event.key()))
        plain = event.modifiers() & (
            Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier
        )
        if steps is None or self.value is None or plain != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            steps *= LARGE_STEP
        self._stepping = True
        self._move_to(self.value + steps * (self.high - self.low) / STEPS)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt
        """Stay, when the key is let go."""
        if Qt.Key(event.key()) in KEYS and not event.isAutoRepeat() and self._stepping:
            self._stepping = False
            self._settle()
        else:
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt
        """Show that keys go here."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt
        """Show that they do not; a key that is still held is let go elsewhere."""
        super().focusOutEvent(event)
        if self._stepping:
            self._stepping = False
            self._settle()
        self.update()

    def _move_to(self, value: float) -> None:
        self.value = value
        self.update()
        self.moved.emit(value)

    def _settle(self) -> None:
        self.update()
        if self.value is not None:
            self.settled.emit(self.value)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Histogram, base line and handle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        base, top = self.height() - 4.0, 2.0
        enabled = self.isEnabled()
        painter.setOpacity(1.0 if enabled else 0.4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._bars)
        painter.drawPolygon(self._outline(base, base - top))
        line = QColor(PICK_COLOUR) if self.hasFocus() else self._line
        painter.setPen(QPen(line, 1.5))
        painter.drawLine(QPointF(MARGIN, base), QPointF(self.width() - MARGIN, base))
        if self.value is not None:
            self._paint_handle(painter, base)
        painter.end()

    def _outline(self, base: float, height: float) -> QPolygonF:
        """The histogram; parts with any particle at all are at least a pixel high."""
        heights = np.where(self._heights > 0, np.maximum(self._heights * height, 1.0), 0.0)
        edges = np.linspace(MARGIN, self.width() - MARGIN, len(heights) + 1)
        points = [QPointF(MARGIN, base)]
        for left, right, high in zip(edges[:-1], edges[1:], heights, strict=True):
            points += [QPointF(left, base - high), QPointF(right, base - high)]
        return QPolygonF([*points, QPointF(self.width() - MARGIN, base)])

    def _paint_handle(self, painter: QPainter, base: float) -> None:
        value = 0.0 if self.value is None else self.value
        x = self.x_of(value)
        painter.setPen(QPen(QColor(PICK_COLOUR), 2))
        painter.drawLine(QPointF(x, 1), QPointF(x, base))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(PICK_COLOUR))
        outside = (value > self.high) - (value < self.low)
        if outside:  # an arrow that points to where it is
            tip = QPointF(x + 5 * outside, base)
            painter.drawPolygon(
                QPolygonF(
                    [tip, QPointF(x - 4 * outside, base - 4), QPointF(x - 4 * outside, base + 4)]
                )
            )
        else:
            painter.drawEllipse(QRectF(x - 4, base - 4, 8, 8))
