"""A label that never asks for more room than there is, and one along the y axis of a plot."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

TEXT_MARGINS = 14
"""Pixels that napari's theme leaves around a text, both sides together."""


class ElidedLabel(QLabel):
    """One line of text, shortened with '…' to the room there is; the whole of it as a tip."""

    def __init__(
        self,
        text: str = "",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._mode = mode
        self.setToolTip(text)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:  # noqa: N802 - Qt
        """Show this text."""
        super().setText(text)
        self.setToolTip(text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Room for a few letters."""
        return QSize(40, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint what fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        shown = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()


class TwoLines(QLabel):
    """Room for two lines, or one where the window is low, whatever the text: nothing else moves.

    What does not fit is in its tip.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self._whole = text
        self.setToolTip(text)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)

    def text(self) -> str:
        """The whole text, also where less is shown."""
        return self._whole

    def setText(self, text: str) -> None:  # noqa: N802 - Qt
        """Show this text."""
        self._whole = text
        self.setToolTip(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt
        """End one line with dots where there is no room for two: none is cut in half."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        words = self._whole
        if self.height() < self._height_of(2):
            room = max(0, self.width() - TEXT_MARGINS)
            words = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room)
        if words != super().text():
            super().setText(words)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt
        """Of no width: the text does not matter."""
        return False

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Two lines, with the theme's margins."""
        return QSize(0, self._height_of(2))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt
        """One line."""
        return QSize(0, self._height_of(1))

    def _height_of(self, lines: int) -> int:
        return lines * self.fontMetrics().lineSpacing() + TEXT_MARGINS


class UpwardLabel(QWidget):
    """A label that reads from bottom to top."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def set_text(self, text: str) -> None:
        """Show this text."""
        self.text = text
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """One line, turned."""
        return QSize(self.fontMetrics().height() + 2, 60)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint it turned."""
        painter = QPainter(self)
        painter.setPen(self.palette().text().color())
        painter.translate(0, self.height())
        painter.rotate(-90)
        painter.drawText(0, 0, self.height(), self.width(), Qt.AlignmentFlag.AlignCenter, self.text)
        painter.end()
