"""Kept states: a layer each, decoded again at every new epoch while a training goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Surface
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import Pick, ShownVolume
from napari_cryodrgn.session_volumes import QUICK_RUNGS
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.volume_look import placement_of
from napari_cryodrgn.widgets.volume_mesh import Mesh, layer_data, mesh_of
from napari_cryodrgn.widgets.volume_words import details_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

MOST_EPOCHS = 8
"""Epochs of a kept state that stay to be looked at."""

ROW_HEIGHT, MOST_ROWS = 22, 5

SPACING = 0.8
"""Distance between states that stand side by side, in boxes: their corners are empty."""


@dataclass(eq=False)
class Pin:
    """A kept state: its layer, and its volumes of several epochs."""

    layer: Layer
    colour: str
    level_in_sigma: float
    volumes: dict[int, ShownVolume] = field(default_factory=dict)

    @property
    def newest(self) -> ShownVolume:
        """Its volume of the last epoch it was decoded at."""
        return self.volumes[max(self.volumes)]


class PinList(QWidget):
    """The kept states of a session, in a list: to see, go to, follow and delete.

    Parameters
    ----------
    viewer : napari viewer
        Where their layers are.
    session : Session
        Decodes them again; its dock calls `follow` with each volume shown.
    own : callable
        Takes the tasks begun here, to end them with the dock.
    """

    changed = Signal()

    def __init__(
        self, viewer: ViewerModel, session: Session, own: Callable[[TaskHandle], object]
    ) -> None:
        super().__init__()
        self._viewer, self._session, self._own = viewer, session, own
        self._pins: list[Pin] = []
        self._asked: set[tuple[int, int]] = set()
        self._right: npt.NDArray[np.float64] | None = None
        self.list = QListWidget()
        self.follow_box = QCheckBox("Follow training")
        self.follow_box.setChecked(True)
        self.epoch_box = QComboBox()
        self.go_button, self.delete_button = QPushButton("Go to"), QPushButton("Delete")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self._lay_out()
        self.list.itemChanged.connect(self._show_or_hide)
        self.list.currentRowChanged.connect(self._show_chosen)
        self.go_button.clicked.connect(self.go_to)
        self.delete_button.clicked.connect(self.delete)
        self.epoch_box.activated.connect(self._choose_epoch)
        self.setVisible(False)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Those whose layers are still there."""
        return tuple(pin for pin in self._pins if pin.layer in self._viewer.layers)

    def named(self) -> list[tuple[str, ShownVolume]]:
        """Name and newest volume of each."""
        return [(pin.layer.name, pin.newest) for pin in self.pins]

    def add(self, layer: Layer, colour: str, volume: ShownVolume, level: float) -> None:
        """Take in a state that has just been kept as a layer."""
        scale = self._session.scale
        sigma = 0.0 if scale is None else scale.in_sigma(level)
        pin = Pin(layer, colour, sigma, {volume.epoch: volume})
        self._pins.append(pin)
        if self._right is not None:
            self._place(pin, volume)
        layer.events.visible.connect(self._show_ticks)
        if volume.rung in QUICK_RUNGS:
            self._session.decode_aside(volume.z, partial(self._take, pin), volume.pick)
        self._refresh(len(self._pins) - 1)

    def follow(self, shown: ShownVolume) -> None:
        """After a volume of another epoch has been shown: decode the kept states at it."""
        if not self.follow_box.isChecked() or not shown.last or shown.file is not None:
            return
        for pin in self.pins:
            key = (id(pin), shown.epoch)
            if shown.epoch in pin.volumes or key in self._asked:
                continue
            self._asked.add(key)
            z, pick = self._z_now(pin.newest)
            if z is not None:
                self._session.decode_aside(z, partial(self._take, pin), pick)

    def go_to(self) -> None:
        """Show the chosen state in the live layer."""
        pin = self._chosen()
        if pin is None:
            return
        z, pick = self._z_now(pin.newest)
        if pick is not None:
            self._session.pick(pick.position, source="kept state")
        elif z is not None:
            self._session.request_z(z, source="kept state")

    def delete(self) -> None:
        """Take the chosen state and its layer away."""
        pin = self._chosen()
        if pin is not None:
            self._let_go(pin)
            self._pins.remove(pin)
            if pin.layer in self._viewer.layers:
                self._viewer.layers.remove(pin.layer)
            self._refresh()

    def refresh(self) -> None:
        """Drop those whose layers somebody has deleted from the layer list."""
        there = list(self.pins)
        if there != self._pins:
            for pin in set(self._pins) - set(there):
                self._let_go(pin)
            self._pins = there
            self._refresh()

    def forget(self) -> None:
        """Of another run they could not be decoded: only their layers stay."""
        for pin in self._pins:
            self._let_go(pin)
        self._pins, self._asked = [], set()
        self._refresh()

    def let_go(self) -> None:
        """At the end of the dock: hear of no layer any more."""
        for pin in self._pins:
            self._let_go(pin)

    def set_beside(self, beside: bool) -> None:
        """Put the kept states in a row to the right of the live volume, or back over it.

        To the right is meant on the screen, as the camera is turned now.
        """
        camera = self._viewer.scene.camera
        right = np.cross(camera.view_direction, camera.up_direction)
        self._right = right / np.linalg.norm(right) if beside else None
        for pin in self.pins:
            self._place(pin, pin.newest)
        self._viewer.reset_view(reset_camera_angle=False)

    def _place(self, pin: Pin, volume: ShownVolume) -> None:
        """Where it belongs, or beside it."""
        place = placement_of(volume, type(pin.layer))
        if self._right is not None:
            across = SPACING * len(volume.data) * (volume.pixel_size or 1.0)
            step = across * (1 + self._pins.index(pin))
            place["translate"] = place["translate"] + step * self._right
        for name, value in place.items():
            setattr(pin.layer, name, value)

    def _let_go(self, pin: Pin) -> None:
        pin.layer.events.visible.disconnect(self._show_ticks)

    def _z_now(self, volume: ShownVolume) -> tuple[npt.NDArray[np.float32] | None, Pick | None]:
        """Where its particle lies at the epoch shown; a free point stays where it is."""
        latent = self._session.latent
        if latent is None or volume.z.size != latent.mu.shape[1]:
            return None, None
        if volume.pick is None:
            return volume.z, None
        there = (latent.rows.rows == volume.pick.row).nonzero()[0]
        if not len(there):
            return None, None
        position = int(there[0])
        z = latent.mu[position]
        return z, Pick(position, volume.pick.particle, z, volume.pick.name)

    def _take(self, pin: Pin, volume: ShownVolume) -> None:
        self._asked.discard((id(pin), volume.epoch))
        if pin not in self._pins:
            return
        pin.volumes[volume.epoch] = volume
        self.changed.emit()
        for epoch in sorted(pin.volumes)[:-MOST_EPOCHS]:
            del pin.volumes[epoch]
        self._fill(pin, volume)
        self._show_chosen()

    def _fill(self, pin: Pin, volume: ShownVolume) -> None:
        """Show one of its volumes in its layer, at the contour it was kept with in sigma."""
        scale = self._session.scale
        if pin.layer not in self._viewer.layers or scale is None:
            return
        level = scale.density(pin.level_in_sigma)
        details = {**details_of(volume), "level": level}
        self._place(pin, volume)
        if isinstance(pin.layer, Image):
            pin.layer.data = volume.data
            pin.layer.iso_threshold = level
            pin.layer.metadata = details
        elif isinstance(pin.layer, Surface):

            def done(mesh: Mesh) -> None:
                if pin.layer in self._viewer.layers:
                    pin.layer.data = layer_data(mesh)
                    pin.layer.metadata = details

            title = f"Surface of {pin.layer.name}"
            self._own(start_task(partial(meshing, volume, level), title, done=done))

    def _chosen(self) -> Pin | None:
        row = self.list.currentRow()
        return self._pins[row] if 0 <= row < len(self._pins) else None

    def _choose_epoch(self) -> None:
        pin = self._chosen()
        if pin is not None and self.epoch_box.currentData() in pin.volumes:
            self._fill(pin, pin.volumes[self.epoch_box.currentData()])

    def _show_or_hide(self, item: QListWidgetItem) -> None:
        pin = self._pins[self.list.row(item)]
        pin.layer.visible = item.checkState() == Qt.CheckState.Checked

    def _show_ticks(self, _: object = None) -> None:
        """Layers are shown and hidden in napari's list too."""
        self.list.blockSignals(True)
        for row, pin in enumerate(self._pins):
            seen = Qt.CheckState.Checked if pin.layer.visible else Qt.CheckState.Unchecked
            self.list.item(row).setCheckState(seen)
        self.list.blockSignals(False)

    def _show_chosen(self, _: int = -1) -> None:
        pin = self._chosen()
        self.epoch_box.clear()
        self.note.setText("")
        for button in (self.go_button, self.delete_button, self.epoch_box):
            button.setEnabled(pin is not None)
        if pin is None:
            return
        for epoch in sorted(pin.volumes, reverse=True):
            self.epoch_box.addItem(f"epoch {epoch}", epoch)
        if pin.newest.pick is None:
            text = "A free latent point: at another epoch the same z is another state."
        else:
            text = f"Follows particle {pin.newest.pick.row:,}: its z changes with each epoch."
        self.note.setText(text)

    def _refresh(self, row: int = -1) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for pin in self._pins:
            pixmap = QPixmap(12, 12)
            pixmap.fill(QColor(pin.colour))
            item = QListWidgetItem(QIcon(pixmap), pin.layer.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            seen = Qt.CheckState.Checked if pin.layer.visible else Qt.CheckState.Unchecked
            item.setCheckState(seen)
            self.list.addItem(item)
        self.list.setCurrentRow(row)
        self.list.setFixedHeight(ROW_HEIGHT * min(max(len(self._pins), 1), MOST_ROWS) + 6)
        self.list.blockSignals(False)
        self.setVisible(bool(self._pins))
        self._show_chosen()
        self.changed.emit()

    def _lay_out(self) -> None:
        self.list.setToolTip("Kept states; the tick shows or hides one")
        self.follow_box.setToolTip(
            "Decodes every kept state again at each new epoch: one watches it sharpen"
        )
        self.epoch_box.setToolTip("Which epoch of this kept state to show")
        row = QHBoxLayout()
        row.addWidget(self.go_button)
        row.addWidget(self.delete_button)
        row.addWidget(self.epoch_box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        heading = QLabel("Kept states")
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        layout.addWidget(heading)
        layout.addWidget(self.list)
        layout.addLayout(row)
        layout.addWidget(self.note)
        layout.addWidget(self.follow_box)


def meshing(volume: ShownVolume, level: float) -> Task[Mesh]:
    """The surface of a volume at a density, in a worker."""
    yield Progress(0, None, "Surface")
    return mesh_of(volume.data, level)
