"""The legend of the latent plot: a colour scale, or the names of the classes."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QScrollArea, QSizePolicy, QToolTip, QWidget

from napari_cryodrgn.widgets.latent_axes import value_text
from napari_cryodrgn.widgets.latent_colours import Category, CategoryLegend, Legend, ScaleLegend

MOST_ROWS = 3
"""Rows of class names shown before the legend scrolls."""

SWATCH = 10
GAP = 12
BAR_HEIGHT = 9


class LegendView(QScrollArea):
    """Shows a legend in as many lines as it needs, up to a few."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._face = _LegendFace()
        self.setWidget(self._face)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.setStyleSheet("QScrollArea, QScrollArea > QWidget > QWidget { background: none; }")
        self.set_legend(None)

    def set_legend(self, legend: Legend | None) -> None:
        """Show this legend, or none."""
        self._face.set_legend(legend)
        self._fit()

    @property
    def legend(self) -> Legend | None:
        """The legend shown."""
        return self._face.legend

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt
        """Lay the names out anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        wanted = self._face.heightForWidth(self.viewport().width())
        self._face.setMinimumHeight(wanted)
        self.setFixedHeight(min(wanted, self._face.row_height * MOST_ROWS + 2))


class _LegendFace(QWidget):
    """Paints a legend."""

    def __init__(self) -> None:
        super().__init__()
        self.legend: Legend | None = None
        self._bar = QImage()
        self.setMouseTracking(True)

    @property
    def row_height(self) -> int:
        return self.fontMetrics().height() + 4

    def set_legend(self, legend: Legend | None) -> None:
        self.legend = legend
        if isinstance(legend, ScaleLegend):
            table = ensure_colormap(legend.colormap).map(np.linspace(0, 1, 256))
            pixels = np.ascontiguousarray((table[None] * 255).astype(np.uint8))
            image = QImage(pixels.data, 256, 1, 4 * 256, QImage.Format.Format_RGBA8888)
            self._bar = image.copy()  # the array behind it goes with this call
        self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt
        if self.legend is None:
            return 0
        if isinstance(self.legend, ScaleLegend):
            return self.row_height
        return max((row for row, _, _ in self._cells(width)), default=0) * self.row_height + (
            self.row_height
        )

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        return QSize(200, self.heightForWidth(self.width()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        painter = QPainter(self)
        painter.setPen(self.palette().text().color())
        if isinstance(self.legend, ScaleLegend):
            self._paint_scale(painter, self.legend)
        elif isinstance(self.legend, CategoryLegend):
            self._paint_classes(painter)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Say how many particles the class beneath the mouse has."""
        place = event.position().toPoint()
        for row, x, category in self._cells(self.width()):
            box = QRect(x, row * self.row_height, self._cell_width(category), self.row_height)
            if box.contains(place):
                words = f"{category.name}: {category.count:,} particles"
                QToolTip.showText(event.globalPosition().toPoint(), words, self)
                return
        QToolTip.hideText()

    def _cells(self, width: int) -> list[tuple[int, int, Category]]:
        """Row and left edge of each class name, flowing like words."""
        if not isinstance(self.legend, CategoryLegend):
            return []
        cells, row, x = [], 0, 0
        for category in self.legend.categories:
            wide = self._cell_width(category)
            if x and x + wide > width:
                row, x = row + 1, 0
            cells.append((row, x, category))
            x += wide + GAP
        return cells

    def _cell_width(self, category: Category) -> int:
        return SWATCH + 5 + self.fontMetrics().horizontalAdvance(self._name(category))

    def _name(self, category: Category) -> str:
        return self.fontMetrics().elidedText(
            category.name, Qt.TextElideMode.ElideMiddle, max(60, self.width() // 2 - GAP)
        )

    def _paint_classes(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, x, category in self._cells(self.width()):
            top = row * self.row_height
            painter.save()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(category.colour))
            painter.drawEllipse(x, top + (self.row_height - SWATCH) // 2, SWATCH, SWATCH)
            painter.restore()
            box = QRect(x + SWATCH + 5, top, self.width(), self.row_height)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self._name(category))

    def _paint_scale(self, painter: QPainter, legend: ScaleLegend) -> None:
        metrics = self.fontMetrics()
        low, high = value_text(legend.low), value_text(legend.high)
        left, right = metrics.horizontalAdvance(low) + 6, metrics.horizontalAdvance(high) + 6
        middle = Qt.AlignmentFlag.AlignVCenter
        box = self.rect()
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, high)
        top = (box.height() - BAR_HEIGHT) // 2
        bar = QRect(left, top, max(10, box.width() - left - right), BAR_HEIGHT)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(bar, self._bar)
