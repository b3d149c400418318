"""The legend of the latent plot: a colour scale, or the names of the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cryodrgn.widgets.latent_colours import Category, CategoryLegend, Legend, ScaleLegend
from napari_cryodrgn.widgets.latent_input import MODIFIERS

MOST_ROWS = 3
"""Rows of class names; what does not fit is counted at the end."""

SWATCH = 10
GAP = 12
BAR_HEIGHT = 9


@dataclass(frozen=True)
class _Cell:
    """Where a class name stands; `category` None for the count of those without room."""

    row: int
    x: int
    width: int
    text: str
    category: Category | None


class LegendView(QWidget):
    """Paints a legend in as many lines as it needs, up to a few.

    `clicked` carries the name of the class that was clicked, and the modifier keys held.
    """

    clicked = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.legend: Legend | None = None
        self._bar = QImage()
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_legend(None)

    @property
    def row_height(self) -> int:
        """Height of one line, px."""
        return self.fontMetrics().height() + 4

    def set_legend(self, legend: Legend | None) -> None:
        """Show this legend, or none."""
        self.legend = legend
        if isinstance(legend, ScaleLegend):
            table = ensure_colormap(legend.colormap).map(np.linspace(0, 1, 256))
            pixels = np.ascontiguousarray((table[None] * 255).astype(np.uint8))
            image = QImage(pixels.data, 256, 1, 4 * 256, QImage.Format.Format_RGBA8888)
            self._bar = image.copy()  # the array behind it goes with this call
        self.setVisible(legend is not None)
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt
        """Lay the names out anew."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """A few names."""
        return QSize(200, self.height())

    def _fit(self) -> None:
        """As high as it takes."""
        rows = 1 + max((cell.row for cell in self._cells(self.width())), default=0)
        if self.height() != rows * self.row_height:
            self.setFixedHeight(rows * self.row_height)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint the legend."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        if isinstance(self.legend, ScaleLegend):
            self._paint_scale(painter)
        elif isinstance(self.legend, CategoryLegend):
            self._paint_classes(painter)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Say how many particles the class beneath the mouse has."""
        category = self._category_at(event)
        if category is None:
            self.unsetCursor()
            QToolTip.hideText()
            return
        words = f"{category.name}: {category.count:,} particles"
        if category.real:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            words += "\nClick: select them  ·  Shift: add  ·  Alt: remove  ·  both: keep these only"
        QToolTip.showText(event.globalPosition().toPoint(), words, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Tell which class is clicked."""
        category = self._category_at(event)
        if category is None or not category.real or event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        held = frozenset(name for flag, name in MODIFIERS.items() if event.modifiers() & flag)
        self.clicked.emit(category.name, held)

    def _category_at(self, event: QMouseEvent) -> Category | None:
        place = event.position().toPoint()
        for cell in self._cells(self.width()):
            box = QRect(cell.x, cell.row * self.row_height, cell.width, self.row_height)
            if box.contains(place):
                return cell.category
        return None

    def _cells(self, width: int) -> list[_Cell]:
        """Place of each class name, as many as there is room for."""
        if not isinstance(self.legend, CategoryLegend):
            return []
        metrics = self.fontMetrics()
        longest = max(60, width // 2 - GAP)
        cells: list[_Cell] = []
        row = x = 0
        left = len(self.legend.categories)
        room_for_count = metrics.horizontalAdvance(f"and {left} more") + GAP
        for category in self.legend.categories:
            text = metrics.elidedText(category.name, Qt.TextElideMode.ElideMiddle, longest)
            wide = SWATCH + 5 + metrics.horizontalAdvance(text)
            if x and x + wide > width:
                row, x = row + 1, 0
            last_row = row == MOST_ROWS - 1
            if last_row and left > 1 and x + wide + room_for_count > width:
                words = f"and {left} more"
                cells.append(_Cell(row, x, metrics.horizontalAdvance(words), words, None))
                break
            cells.append(_Cell(row, x, wide, text, category))
            x += wide + GAP
            left -= 1
        return cells

    def _paint_classes(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for cell in self._cells(self.width()):
            top = cell.row * self.row_height
            x = cell.x
            if cell.category is not None:
                painter.save()
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(cell.category.colour))
                painter.drawEllipse(x, top + (self.row_height - SWATCH) // 2, SWATCH, SWATCH)
                painter.restore()
                x += SWATCH + 5
            box = QRect(x, top, cell.width, self.row_height)
            flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip
            painter.drawText(box, flags, cell.text)

    def _paint_scale(self, painter: QPainter) -> None:
        box = self.rect()
        top = (box.height() - BAR_HEIGHT) // 2
        bar = QRect(0, top, box.width(), BAR_HEIGHT)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(bar, self._bar)
