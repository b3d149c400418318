"""What is done to a map before it is shown: resolution, sharpening, mask, hand."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QWidget

from napari_cryodrgn.imaging.volume_filter import VolumeFilter

OFF = "off"
NO_MASK, AT_CONTOUR, SPHERE = "none", "at the contour", "sphere"


class FilterPanel(QWidget):
    """Settings of a `VolumeFilter`; `changed` when a person changes any."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.low_pass = _number(0.0, 200.0, 0.5, " Å", OFF)
        self.b_factor = _number(-1000.0, 1000.0, 10.0, " Å²")
        self.mask = QComboBox()
        self.mask.addItems([NO_MASK, AT_CONTOUR, SPHERE])
        self.extend = _number(0.0, 500.0, 1.0, " Å")
        self.edge = _number(0.0, 500.0, 1.0, " Å")
        self.extend.setValue(6.0)
        self.edge.setValue(10.0)
        self.flip = QCheckBox("Mirror the hand")
        self.save_filtered = QCheckBox("Save what is shown, filtered")
        self.crop = QCheckBox("Crop to the contents when saving")
        self._add_tooltips()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Low-pass", self.low_pass)
        form.addRow("B-factor", self.b_factor)
        form.addRow("Mask", self.mask)
        form.addRow("Extend", self.extend)
        form.addRow("Soft edge", self.edge)
        for box in (self.flip, self.save_filtered, self.crop):
            form.addRow(box)
        for number in (self.low_pass, self.b_factor, self.extend, self.edge):
            number.valueChanged.connect(self._tell)
        self.mask.activated.connect(self._tell)
        self.flip.toggled.connect(self._tell)
        self._enable()

    def value(self, level: float) -> VolumeFilter:
        """The filter that is set.

        Parameters
        ----------
        level : float
            Density of the contour, from which a mask is made.
        """
        kind = self.mask.currentText()
        return VolumeFilter(
            low_pass=self.low_pass.value() or None,
            b_factor=self.b_factor.value(),
            mask_level=level if kind == AT_CONTOUR else None,
            extend=self.extend.value() if kind == AT_CONTOUR else 0.0,
            edge=self.edge.value(),
            sphere=self.extend.value() if kind == SPHERE else None,
            flip_hand=self.flip.isChecked(),
        )

    def _tell(self, _: object = None) -> None:
        self._enable()
        self.changed.emit()

    def _enable(self) -> None:
        kind = self.mask.currentText()
        self.extend.setEnabled(kind != NO_MASK)
        self.edge.setEnabled(kind != NO_MASK)

    def _add_tooltips(self) -> None:
        self.low_pass.setToolTip("Resolution to which the map is limited; 0 shows all there is")
        self.b_factor.setToolTip("Negative sharpens, positive blurs: amplitudes × exp(-B s² / 4)")
        self.mask.setToolTip(
            "A soft mask about the density at the present contour, or about the middle of the box"
        )
        self.extend.setToolTip("How far the mask reaches beyond the contour; radius of the sphere")
        self.edge.setToolTip("Over what distance the mask falls from 1 to 0")
        self.flip.setToolTip("Shows the mirror image, for a map of the wrong hand")
        self.save_filtered.setToolTip(
            "Without this, 'Save as .mrc…' writes the volume as it was decoded"
        )
        self.crop.setToolTip("Writes only the box about the density at the contour, in its place")


def _number(low: float, high: float, step: float, unit: str, at_low: str = "") -> QDoubleSpinBox:
    number = QDoubleSpinBox()
    number.setRange(low, high)
    number.setSingleStep(step)
    number.setDecimals(1)
    number.setSuffix(unit)
    number.setSpecialValueText(at_low)
    number.setKeyboardTracking(False)
    return number
