"""Any number of particle images in rows that scroll: only those in view are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QRect, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from qtpy.QtWidgets import QAbstractScrollArea, QToolTip

from napari_cryodrgn.widgets.theme import PICK_COLOUR

TILE, GAP, FRAME = 88, 6, 3
KEPT_PICTURES = 2_000
STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


KEYS_HELP = (("←  →  ↑  ↓", "Go on to another particle image, and show its volume"),)


class ParticleTiles(QAbstractScrollArea):
    """Shows particles by their position in the latent space.

    `wanted` carries the positions, (n,) int64, whose images are in view and not there yet;
    `clicked` a position and the keys held; `key_pressed` a letter. `describe` says what a
    particle is, `frame` gives the colour of the frame round its image, or none.
    """

    keys_help = KEYS_HELP
    wanted = Signal(object)
    clicked = Signal(int, object)
    key_pressed = Signal(str)

    def __init__(self, describe: Callable[[int], str], frame: Callable[[int], str | None]) -> None:
        super().__init__()
        self._describe, self._frame = describe, frame
        self._positions = np.zeros(0, np.int64)
        self._pictures: OrderedDict[int, QImage] = OrderedDict()
        self._asked: frozenset[int] = frozenset()
        self.current: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(TILE + 2 * GAP)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """Positions of the particles, in the order shown."""
        return self._positions

    def show_particles(self, positions: npt.NDArray[np.int64]) -> None:
        """Show these particles, from the first."""
        self._positions = positions
        self._lay_out()
        self.verticalScrollBar().setValue(0)
        self.ask()

    def forget_pictures(self) -> None:
        """The images look otherwise from now on."""
        self._pictures.clear()
        self._asked = frozenset()
        self.ask()

    def put(self, positions: npt.NDArray[np.int64], pictures: list[QImage]) -> None:
        """Show these images of these particles."""
        for position, picture in zip(positions.tolist(), pictures, strict=True):
            self._pictures[position] = picture
            self._pictures.move_to_end(position)
        while len(self._pictures) > KEPT_PICTURES:
            self._pictures.popitem(last=False)
        self._asked = frozenset()
        self.ask()

    def has_picture(self, position: int) -> bool:
        """Whether the image of a particle is there."""
        return position in self._pictures

    def set_current(self, position: int | None, *, scroll: bool = True) -> bool:
        """Mark a particle as the picked one; whether it is among those shown."""
        self.current = position
        found = np.flatnonzero(self._positions == (-1 if position is None else position))
        if len(found) and scroll:
            self._bring_into_view(int(found[0]) // self._across())
        self.viewport().update()
        return bool(len(found))

    def in_view(self) -> npt.NDArray[np.int64]:
        """Positions of the particles in view."""
        first = self.verticalScrollBar().value() // (TILE + GAP)
        rows = self.viewport().height() // (TILE + GAP) + 2
        across = self._across()
        return self._positions[first * across : (first + rows) * across]

    def centre_of(self, position: int) -> tuple[int, int]:
        """Middle of a particle's tile in the viewport, px."""
        number = int(np.flatnonzero(self._positions == position)[0])
        tile = self._tile(number).center()
        return tile.x(), tile.y()

    def ask(self) -> None:
        """Ask for what is in view and not there."""
        self.viewport().update()
        if not self.isVisible():
            return
        missing = [p for p in self.in_view().tolist() if p not in self._pictures]
        if missing and frozenset(missing) != self._asked:
            self._asked = frozenset(missing)
            self.wanted.emit(np.array(missing, np.int64))

    # Qt

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint what is in view, with frames round the marked and the picked ones."""
        painter = QPainter(self.viewport())
        first = self.verticalScrollBar().value() // (TILE + GAP) * self._across()
        ground = self.palette().mid().color()
        for number, position in enumerate(self.in_view().tolist(), start=first):
            tile = self._tile(number)
            picture = self._pictures.get(position)
            if picture is None:
                painter.fillRect(tile, ground)
            else:
                painter.drawImage(tile, picture)
            self._paint_frame(painter, tile, self._frame(position), FRAME, 0)
            if position == self.current:
                self._paint_frame(painter, tile, PICK_COLOUR, 2, FRAME)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt
        """Other rows."""
        super().resizeEvent(event)
        self._lay_out()
        self.ask()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Say which particle was clicked."""
        position = self._at(event.position().x(), event.position().y())
        if position is not None and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(position, event.modifiers())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt
        """The arrows go on to another particle; letters are told."""
        step = STEPS.get(Qt.Key(event.key()))
        if step is not None and len(self._positions):
            self.step(step[0] * self._across() + step[1])
        elif event.text().isalpha() and not event.modifiers():
            self.key_pressed.emit(event.text().upper())
        else:
            super().keyPressEvent(event)

    def step(self, places: int) -> None:
        """Click the particle so many places after the current one."""
        found = np.flatnonzero(self._positions == self.current)
        number = int(found[0]) + places if len(found) else 0
        if 0 <= number < len(self._positions):
            self._bring_into_view(number // self._across())
            self.clicked.emit(int(self._positions[number]), Qt.KeyboardModifier.NoModifier)

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Say which particle is under the mouse."""
        if isinstance(event, QHelpEvent):
            position = self._at(event.pos().x(), event.pos().y())
            QToolTip.showText(
                event.globalPos(), "" if position is None else self._describe(position)
            )
            return True
        return bool(super().viewportEvent(event))

    def _scrolled(self, _: int) -> None:
        self.ask()

    def _lay_out(self) -> None:
        rows = -(-len(self._positions) // self._across())
        bar = self.verticalScrollBar()
        bar.setSingleStep(TILE // 2)
        bar.setPageStep(max(self.viewport().height() - TILE // 2, TILE))
        bar.setRange(0, max(0, rows * (TILE + GAP) + GAP - self.viewport().height()))

    def _across(self) -> int:
        return max(1, (self.viewport().width() - GAP) // (TILE + GAP))

    def _tile(self, number: int) -> QRect:
        row, column = divmod(number, self._across())
        top = GAP + row * (TILE + GAP) - self.verticalScrollBar().value()
        return QRect(GAP + column * (TILE + GAP), top, TILE, TILE)

    def _at(self, x: float, y: float) -> int | None:
        column = int((x - GAP) // (TILE + GAP))
        row = int((y - GAP + self.verticalScrollBar().value()) // (TILE + GAP))
        number = row * self._across() + column
        inside = 0 <= column < self._across() and 0 <= number < len(self._positions)
        return int(self._positions[number]) if inside else None

    def _bring_into_view(self, row: int) -> None:
        bar, top = self.verticalScrollBar(), row * (TILE + GAP)
        if not bar.value() <= top <= bar.value() + self.viewport().height() - TILE - 2 * GAP:
            bar.setValue(top - max(0, (self.viewport().height() - TILE) // 2))

    @staticmethod
    def _paint_frame(
        painter: QPainter, tile: QRect, colour: str | None, width: int, inset: int
    ) -> None:
        if colour is not None:
            pen = QPen(QColor(colour), width)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            edge = inset + width // 2
            painter.drawRect(tile.adjusted(edge, edge, -edge - 1, -edge - 1))
