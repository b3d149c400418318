"""A slider for a density, in sigma above the mean."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from napari_cryodrgn.session_records import IntensityScale

STEPS = 1000


class SigmaSlider(QWidget):
    """Slider and number; `changed` carries the density when a person moves either."""

    changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.number = QDoubleSpinBox()
        self.number.setDecimals(2)
        self.number.setSingleStep(0.1)
        self.number.setSuffix(" σ")
        self.number.setKeyboardTracking(False)
        self._scale: IntensityScale | None = None
        self._low, self._high = 0.0, 1.0
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        self.slider.valueChanged.connect(self._slide)
        self.number.valueChanged.connect(self._type)

    def set_scale(self, scale: IntensityScale, density: float) -> None:
        """Range and value by the statistics of an epoch's volumes; announces nothing.

        The slider reaches to the densest thousandth, the number as far as there is density.
        """
        self._scale = scale
        value = scale.in_sigma(density)
        self._low = min(0.0, value)
        self._high = max(scale.in_sigma(scale.top) * 1.2, value, 0.1)
        self.number.blockSignals(True)
        self.number.setRange(
            min(scale.in_sigma(scale.lowest), self._low),
            max(scale.in_sigma(scale.highest), self._high),
        )
        self.number.setValue(value)
        self.number.blockSignals(False)
        self._show(value)

    def density(self) -> float:
        """The density chosen."""
        return 0.0 if self._scale is None else self._scale.density(self.number.value())

    def _slide(self, step: int) -> None:
        self.number.blockSignals(True)
        self.number.setValue(self._low + (self._high - self._low) * step / STEPS)
        self.number.blockSignals(False)
        self._tell()

    def _type(self, value: float) -> None:
        self._show(value)
        self._tell()

    def _show(self, value: float) -> None:
        self.slider.blockSignals(True)
        share = (value - self._low) / (self._high - self._low)
        self.slider.setValue(round(min(max(share, 0.0), 1.0) * STEPS))
        self.slider.blockSignals(False)
        self._tip()

    def _tell(self) -> None:
        self._tip()
        if self._scale is not None:
            self.changed.emit(self.density())

    def _tip(self) -> None:
        self.setToolTip(f"Density {self.density():.4g}, in σ above the mean of the epoch's volumes")
