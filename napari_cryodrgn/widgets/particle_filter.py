"""How far particle images are smoothed for the eye: a choice of low-pass filters."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker

from napari_cryodrgn.widgets.form_editors import ChoiceBox

# Å where the pixel size is known, else parts of the box.
RESOLUTIONS = (10, 20, 30, 50)
DEFAULT_RESOLUTION = 30
FRACTIONS = (4, 8, 16)
DEFAULT_FRACTION = 8


class FilterBox(ChoiceBox):
    """Offers filters in Å, or in parts of the box where lengths are not known."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("Only for showing: training sees the images as they are")
        self._offered: bool | None = None
        self._view: float | None = None

    def offer(self, field_of_view: float | None) -> None:
        """Offer filters for images of so many Å; a choice stays where it can.

        Parameters
        ----------
        field_of_view : float or None
            Side of an image, Å; None where that is not known.
        """
        self._view, known = field_of_view, field_of_view is not None
        if known == self._offered:
            return
        self._offered = known
        with QSignalBlocker(self):
            self.clear()
            self.addItem("off", None)
            for number in RESOLUTIONS if known else FRACTIONS:
                self.addItem(f"{number} Å" if known else f"1/{number} of the box", number)
            self.setCurrentIndex(self.findData(DEFAULT_RESOLUTION if known else DEFAULT_FRACTION))

    def cycles(self) -> float | None:
        """Cycles across the image at which the chosen filter is 1/e; None for no filter."""
        number = self.currentData()
        if number is None:
            return None
        return float(number) if self._view is None else self._view / float(number)
