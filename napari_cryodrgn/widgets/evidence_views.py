"""From which sides particles were seen: those of the selection beside all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

COLUMNS, ROWS = 24, 12
GAP = 10
HEADING = 16
# From few to many particles, told apart on dark and light grounds (viridis, five of its colours).
RAMP = np.array(
    [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=float
)


class ViewPlot(QWidget):
    """Two maps of view directions, equal in area: rotation across, tilt down.

    A molecule seen from all sides evenly gives an even map. Top views are at the upper and lower
    edge, side views in the middle.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maps: list[tuple[str, QImage]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Where views are many (bright) and few (dark); rotation across, tilt down, in cells "
            "of\nequal area: top views at the upper and lower edge, side views in the middle"
        )

    def show_views(
        self,
        rot: npt.NDArray[np.floating],
        tilt: npt.NDArray[np.floating],
        mask: npt.NDArray[np.bool_],
    ) -> None:
        """Show the views of all particles, and of those in the mask.

        Parameters
        ----------
        rot, tilt : (N,) arrays
            RELION's angles, degrees.
        mask : (N,) bool array
            The selection; where it is empty, all are shown alone.
        """
        self._maps = [("all particles", _picture(view_counts(rot, tilt)))]
        if mask.any():
            counts = view_counts(rot[mask], tilt[mask])
            self._maps.insert(0, ("the selection", _picture(counts)))
        self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._maps = []
        self.updateGeometry()
        self.update()

    def maps_shown(self) -> int:
        """How many maps there are."""
        return len(self._maps)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Half as high as wide for each map, two beside each other."""
        return QSize(320, 100 if self._maps else 0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint the maps beside each other."""
        painter = QPainter(self)
        painter.setPen(self.palette().text().color())
        width = (self.width() - GAP) // 2
        height = min(width // 2, self.height() - HEADING)
        for number, (name, picture) in enumerate(self._maps):
            left = number * (width + GAP)
            painter.drawText(QRect(left, 0, width, HEADING), Qt.AlignmentFlag.AlignLeft, name)
            painter.drawImage(QRect(left, HEADING, width, height), picture)
        painter.end()


def view_counts(
    rot: npt.NDArray[np.floating], tilt: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """Particles in each cell, (12, 24): cells are even in rotation and in the cosine of tilt."""
    known = np.isfinite(rot) & np.isfinite(tilt)
    column = np.floor(np.mod(rot[known] + 180, 360) * (COLUMNS / 360)).astype(np.int64)
    row = np.floor((1 - np.cos(np.radians(tilt[known]))) * (ROWS / 2)).astype(np.int64)
    flat = np.clip(row, 0, ROWS - 1) * COLUMNS + np.clip(column, 0, COLUMNS - 1)
    return np.bincount(flat, minlength=ROWS * COLUMNS).reshape(ROWS, COLUMNS)


def _picture(counts: npt.NDArray[np.int64]) -> QImage:
    """Counts as colours, from none to the 99th percentile."""
    most = max(float(np.percentile(counts, 99)), 1.0)
    share = np.clip(counts / most, 0, 1) * (len(RAMP) - 1)
    rgb = np.stack([np.interp(share, range(len(RAMP)), RAMP[:, part]) for part in range(3)], axis=2)
    levels = np.ascontiguousarray(rgb.astype(np.uint8))
    image = QImage(levels.tobytes(), COLUMNS, ROWS, 3 * COLUMNS, QImage.Format.Format_RGB888)
    return image.copy()  # Qt does not keep the bytes alive
