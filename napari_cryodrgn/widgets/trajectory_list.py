"""The named paths of a run: a list, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path import LatentPath
from napari_cryodrgn.latent.path_book import PathBook

LIST_HEIGHT = 62


class PathList(QWidget):
    """Shows a book of paths; `problem` carries what could not be done, `draw` asks to draw."""

    problem = Signal(str)
    draw = Signal()

    def __init__(self, book: PathBook) -> None:
        super().__init__()
        self._book = book
        self.list = QListWidget()
        self.new_button = QPushButton("New")
        self.draw_button = QPushButton("Draw on")
        self.make_button = QPushButton("Make")
        self.edit_button = QPushButton("Edit")
        self.delete_button = QPushButton("Delete")
        self.make_menu = QMenu(self)
        self.make_button.setMenu(self.make_menu)
        self.actions_menu = QMenu(self)
        self.edit_button.setMenu(self.actions_menu)
        self.actions_menu.aboutToShow.connect(self._fill_actions)
        self.list.currentRowChanged.connect(self._activate)
        self.list.itemChanged.connect(self._rename)
        self.new_button.clicked.connect(self.new)
        self.draw_button.clicked.connect(self.draw)
        self.delete_button.clicked.connect(self.delete)
        self._lay_out()
        self.refresh()

    def refresh(self) -> None:
        """Show the book as it is now."""
        self.list.blockSignals(True)
        paths = self._book.paths
        while self.list.count() > len(paths):
            self.list.takeItem(self.list.count() - 1)
        for row, path in enumerate(paths):
            item = self.list.item(row)
            if item is None:
                item = QListWidgetItem()
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                self.list.addItem(item)
            item.setText(path.name)
            item.setIcon(_swatch(path.colour))
            item.setToolTip(_tip(path))
            if path is self._book.active:
                self.list.setCurrentRow(row)
        active = self._book.active
        if active is None:
            self.list.setCurrentRow(-1)
        self.list.blockSignals(False)
        for button in (self.draw_button, self.delete_button):
            button.setEnabled(active is not None)

    def new(self) -> None:
        """An empty path, to be drawn."""
        self._book.add()
        self.draw.emit()

    def delete(self) -> None:
        """Delete the path chosen."""
        active = self._book.active
        if active is not None:
            self._book.remove(active.name)

    def recolour(self) -> None:
        """Ask for another colour of the path chosen."""
        active = self._book.active
        if active is None:
            return
        colour = QColorDialog.getColor(QColor(active.colour), self, "Colour of the path")
        if colour.isValid():
            self._change(colour=colour.name())

    def _change(self, **changes: object) -> None:
        active = self._book.active
        if active is None:
            return
        try:
            self._book.edit(active.name, **changes)
        except InputError as error:
            self.problem.emit(str(error))
            self.refresh()

    def _activate(self, row: int) -> None:
        if 0 <= row < len(self._book.paths):
            self._book.activate(self._book.paths[row].name)

    def _rename(self, item: QListWidgetItem) -> None:
        row = self.list.row(item)
        if not 0 <= row < len(self._book.paths):
            return
        name = self._book.paths[row].name
        if item.text().strip() == name:
            return
        try:
            self._book.rename(name, item.text())
        except InputError as error:
            self.problem.emit(error.problem)
            self.refresh()

    def _reverse(self) -> None:
        active = self._book.active
        if active is not None:
            self._change(waypoints=active.reversed().waypoints)

    def _fill_actions(self) -> None:
        menu, book, active = self.actions_menu, self._book, self._book.active
        menu.clear()

        def add(title: str, call: Callable[[], object], possible: bool) -> None:
            action = menu.addAction(title)
            action.triggered.connect(lambda *_: call())
            action.setEnabled(possible)

        there = active is not None
        add("Rename", lambda: self.list.editItem(self.list.currentItem()), there)
        add("Colour…", self.recolour, there)
        add("Other way round", self._reverse, active is not None and len(active) > 1)
        menu.addSeparator()
        add("Undo", book.undo, book.can_undo)
        add("Redo", book.redo, book.can_redo)
        if active is None or not len(active):
            return
        waypoints = menu.addMenu("Waypoints")
        for index in range(len(active)):
            one = waypoints.addMenu(_waypoint_text(active, index))
            for title, to in (("Earlier", index - 1), ("Later", index + 1)):
                action = one.addAction(title)
                action.setEnabled(0 <= to < len(active))
                action.triggered.connect(partial(self._move_waypoint, index, to))
            one.addAction("Delete").triggered.connect(partial(self._delete_waypoint, index))

    def _move_waypoint(self, index: int, to: int, *_: object) -> None:
        active = self._book.active
        if active is not None:
            self._change(waypoints=active.with_waypoint_moved(index, to).waypoints)

    def _delete_waypoint(self, index: int, *_: object) -> None:
        active = self._book.active
        if active is not None:
            self._change(waypoints=active.without_waypoint(index).waypoints)

    def _lay_out(self) -> None:
        self.list.setFixedHeight(LIST_HEIGHT)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip("Double click a name to change it")
        self.new_button.setToolTip("An empty path: then click its waypoints in the latent plot")
        self.draw_button.setToolTip("Draw on at the end of this path, in the latent plot (D)")
        self.make_button.setToolTip("A path along a principal component, or through clusters")
        self.edit_button.setToolTip("Rename, colour, reverse, undo, waypoints")
        self.delete_button.setToolTip("Delete this path; Undo brings it back")
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (
            self.new_button,
            self.draw_button,
            self.make_button,
            self.edit_button,
            self.delete_button,
        ):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list)
        layout.addLayout(row)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # or Qt tints the chosen one
    return icon


def _tip(path: LatentPath) -> str:
    n = len(path)
    loop = ", a loop" if path.closed else ""
    return f"{n} waypoint{'' if n == 1 else 's'}{loop}" + (f"\n{path.note}" if path.note else "")


def _waypoint_text(path: LatentPath, index: int) -> str:
    one = path.waypoints[index]
    where = (
        f"particle {one.row}"
        if one.row is not None
        else ", ".join(f"{value:.2g}" for value in one.z[:3]) + (" …" if len(one.z) > 3 else "")
    )
    return f"{index + 1}: {where}"
