"""A heading that shows or hides what stands beneath it."""

from __future__ import annotations

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

ARROW_SIZE = 16
ARROW_COLOUR = "#8f949c"  # stands out on dark and light grounds

# napari paints pressed buttons in its accent colour, which would shout here.
STYLE = """
QPushButton, QPushButton:checked, QPushButton:hover {
    background: transparent; border: none; text-align: left; font-weight: bold; padding: 4px 0px;
}
"""


class Fold(QCollapsible):
    """superqt's collapsible in the look of the docks: no frame, no animation, arrows in view.

    Parameters
    ----------
    title : str
        The heading.
    content : QWidget
        What is shown or hidden.
    expanded : bool
        Whether it is shown to begin with.
    """

    def __init__(self, title: str, content: QWidget, *, expanded: bool = False) -> None:
        super().__init__(title)
        self.setDuration(0)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.content().layout().setContentsMargins(0, 0, 0, 0)
        self.content().setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.toggleButton().setStyleSheet(STYLE)
        self.addWidget(content)
        self.setCollapsedIcon(_arrow(down=False))
        self.setExpandedIcon(_arrow(down=True))
        if expanded:
            self.open()

    def open(self) -> None:
        """Show the content."""
        self.expand(animate=False)

    def close_up(self) -> None:
        """Hide the content."""
        self.collapse(animate=False)


def _arrow(*, down: bool) -> QIcon:
    """A small triangle that points down or to the right."""
    pixmap = QPixmap(ARROW_SIZE, ARROW_SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    corners = [(3.0, 5.0), (13.0, 5.0), (8.0, 11.0)]
    if not down:
        corners = [(y, x) for x, y in corners]
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ARROW_COLOUR))
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
    painter.end()
    return QIcon(pixmap)
