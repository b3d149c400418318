"""Two states compared: in two colours or side by side, their difference, correlation and FSC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Surface
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.reconstruction.fsc import FSCCurve
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.evidence_fsc import FSCPlot
from napari_cryodrgn.widgets.theme import theme_colours
from napari_cryodrgn.widgets.volume_look import placement_of, plain_colours
from napari_cryodrgn.widgets.volume_mesh import Mesh, layer_data, mesh_of
from napari_cryodrgn.widgets.volume_pins import PinList
from napari_cryodrgn.workflows.map_agreement import reduced

if TYPE_CHECKING:
    from napari.components import ViewerModel

LIVE = "live volume"
MORE_NAME, LESS_NAME = "Difference: more", "Difference: less"
MORE_COLOUR, LESS_COLOUR = "#d94a38", "#3f74d8"
CONTOUR_SIGMA = 4.0


@dataclass(frozen=True, eq=False)
class _Compared:
    """What was found of two volumes, and the surfaces of their difference."""

    text: str
    fsc: FSCCurve | None
    volume: ShownVolume
    more: Mesh | None
    less: Mesh | None


class ComparePanel(QWidget):
    """Compares a kept state with another one, or with the live volume as it goes.

    Parameters
    ----------
    viewer : napari viewer
        Where differences are shown.
    session : Session
        Whose live volume it is.
    pins : PinList
        The kept states.
    """

    def __init__(self, viewer: ViewerModel, session: Session, pins: PinList) -> None:
        super().__init__()
        self._viewer, self._session, self._pins = viewer, session, pins
        self._latest: Latest[_Compared] = Latest(self._take, "compare")
        self.first_box, self.second_box = QComboBox(), QComboBox()
        self.beside_box = QCheckBox("Side by side")
        self.difference_box = QCheckBox("Difference, beyond")
        self.sigma_box = QDoubleSpinBox()
        self.text = QLabel()
        self.plot = FSCPlot()
        self._lay_out()
        self.first_box.activated.connect(self.compare)
        self.second_box.activated.connect(self.compare)
        self.beside_box.toggled.connect(pins.set_beside)
        self.difference_box.toggled.connect(self.compare)
        self.sigma_box.valueChanged.connect(self.compare)
        pins.changed.connect(self._offer)
        viewer.events.theme.connect(self._follow_theme)
        self._follow_theme()
        self._offer()

    def compare(self, _: object = None) -> None:
        """Compare what is chosen, in a worker thread."""
        self.sigma_box.setEnabled(self.difference_box.isChecked())
        one, other = self._volume(self.first_box), self._volume(self.second_box)
        if one is None or other is None:
            self._latest.cancel()
            self._clear()
            return
        sigma = self.sigma_box.value() if self.difference_box.isChecked() else None
        self._latest.request(partial(_compared, one, other, sigma))

    def follow(self, shown: ShownVolume) -> None:
        """After another live volume is shown: compare it, once it rests."""
        chosen = (self.first_box.currentText(), self.second_box.currentText())
        if LIVE in chosen and shown.last and not shown.moving and self.isVisible():
            self.compare()

    def shutdown(self) -> None:
        """Stop the thread; the layers stay."""
        self._viewer.events.theme.disconnect(self._follow_theme)
        self._latest.stop()

    def _volume(self, box: QComboBox) -> ShownVolume | None:
        if box.currentText() == LIVE:
            return self._session.volume
        pin = next((pin for pin in self._pins.pins if pin.layer is box.currentData()), None)
        return None if pin is None else pin.newest

    def _offer(self) -> None:
        """Offer the states there are now; what was chosen stays chosen."""
        for box, extra in ((self.first_box, []), (self.second_box, [(LIVE, None)])):
            before = box.currentText()
            with QSignalBlocker(box):
                box.clear()
                for name, layer in [*extra, *((p.layer.name, p.layer) for p in self._pins.pins)]:
                    box.addItem(name, layer)
                box.setCurrentIndex(max(0, box.findText(before)))
        self.compare()

    def _take(self, found: _Compared) -> None:
        self.text.setText(found.text)
        self.plot.setVisible(found.fsc is not None)
        self.plot.show_curves({} if found.fsc is None else {"FSC": found.fsc})
        self._show_surface(MORE_NAME, MORE_COLOUR, found.more, found.volume)
        self._show_surface(LESS_NAME, LESS_COLOUR, found.less, found.volume)

    def _clear(self) -> None:
        self.text.setText("Keep a state to compare the live volume, or another one, with it.")
        self.plot.setVisible(False)
        for name in (MORE_NAME, LESS_NAME):
            if name in self._viewer.layers:
                self._viewer.layers.remove(name)

    def _show_surface(self, name: str, colour: str, mesh: Mesh | None, of: ShownVolume) -> None:
        there = next((layer for layer in self._viewer.layers if layer.name == name), None)
        if mesh is None:
            if there is not None:
                self._viewer.layers.remove(there)
            return
        if isinstance(there, Surface):
            there.data = layer_data(mesh)
            return
        layer = Surface(
            layer_data(mesh),
            name=name,
            colormap=plain_colours(colour),
            contrast_limits=(0, 1),
            shading="smooth",
            opacity=0.8,
            **placement_of(of, Surface),
        )
        active = self._viewer.layers.selection.active
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = active

    def _follow_theme(self, _: object = None) -> None:
        colours = theme_colours(self._viewer.theme)
        self.plot.set_colours(background=colours.background, text=colours.text)

    def _lay_out(self) -> None:
        self.first_box.setToolTip("A kept state")
        self.second_box.setToolTip("What it is compared with; the live volume is followed")
        self.beside_box.setToolTip(
            "Put the kept states to the right of the live volume, as the camera is turned now"
        )
        self.difference_box.setToolTip(
            "Second state less the first: red where it has more density, blue where it has less"
        )
        self.sigma_box.setRange(0.5, 30.0)
        self.sigma_box.setSingleStep(0.5)
        self.sigma_box.setDecimals(1)
        self.sigma_box.setSuffix(" σ")
        self.sigma_box.setValue(CONTOUR_SIGMA)
        self.sigma_box.setToolTip("In standard deviations of the difference")
        self.text.setWordWrap(True)
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        for row, (words, box) in enumerate(
            (("First", self.first_box), ("Second", self.second_box))
        ):
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            grid.addWidget(QLabel(words), row, 0)
            grid.addWidget(box, row, 1)
        row = QHBoxLayout()
        row.addWidget(self.beside_box)
        row.addWidget(self.difference_box)
        row.addWidget(self.sigma_box)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(grid)
        layout.addLayout(row)
        layout.addWidget(self.text)
        layout.addWidget(self.plot)


def _compared(one: ShownVolume, other: ShownVolume, sigma: float | None) -> _Compared:
    """In the worker; a preview of the second one is compared at its own box."""
    from napari_cryodrgn.workflows.compare import compare_volumes

    box = min(one.box, other.box)
    first, second = (reduced(volume.data, box) for volume in (one, other))
    pixel_size = min((one, other), key=lambda volume: volume.box).pixel_size
    try:
        comparison = compare_volumes(first, second, pixel_size)
    except InputError as error:
        return _Compared(str(error), None, one, None, None)
    if comparison.rms == 0:
        return _Compared("Both are the same volume.", comparison.fsc, one, None, None)
    more = less = None
    if sigma is not None:
        level = sigma * float(comparison.difference.std())
        scale = one.box / box
        more = _scaled(mesh_of(comparison.difference, level), scale)
        less = _scaled(mesh_of(-comparison.difference, level), scale)
    text = "\n".join(comparison.report)
    if one.epoch != other.epoch:
        text += f"\nOf two epochs: {one.epoch} and {other.epoch}."
    return _Compared(text, comparison.fsc, one, more, less)


def _scaled(mesh: Mesh, scale: float) -> Mesh:
    """In voxels of the box that the layer is placed by."""
    vertices = (mesh.vertices * scale).astype(np.float32)
    return Mesh(vertices, mesh.faces, mesh.level, mesh.normals)
