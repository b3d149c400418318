"""A grid of small pictures of volumes, one for each cluster; a click picks its particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem

from napari_cryodrgn.export.palette import Colour

PICTURE_SIZE = 112


@dataclass(frozen=True, eq=False)
class GalleryPicture:
    """A picture of the volume at one particle.

    Parameters
    ----------
    name : str
        Name of its cluster.
    count : int
        Particles of the cluster.
    position : int
        The particle that stands for it, in the latent space.
    picture : (h, w, 3) uint8 array
    """

    name: str
    count: int
    position: int
    picture: npt.NDArray[np.uint8]


class Gallery(QListWidget):
    """Pictures in rows; `chosen` carries the position of the particle of a clicked one."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(PICTURE_SIZE, PICTURE_SIZE))
        self.setSpacing(4)
        self.setMinimumHeight(PICTURE_SIZE + 40)
        self.itemClicked.connect(self._click)

    def show_pictures(self, pictures: list[GalleryPicture]) -> None:
        """Show these instead of what is there."""
        self.clear()
        for one in pictures:
            item = QListWidgetItem(_icon(one.picture), f"{one.name}  ·  {one.count:,}")
            item.setData(Qt.ItemDataRole.UserRole, one.position)
            item.setToolTip(
                f"Cluster {one.name}: {one.count:,} particles.\n"
                "Decoded at the particle nearest to its centre; click to pick that one."
            )
            self.addItem(item)

    def _click(self, item: QListWidgetItem) -> None:
        self.chosen.emit(int(item.data(Qt.ItemDataRole.UserRole)))


def rgb_of(colour: str) -> Colour:
    """'#rrggbb' as three numbers."""
    tint = QColor(colour)
    return tint.red(), tint.green(), tint.blue()


def _icon(picture: npt.NDArray[np.uint8]) -> QIcon:
    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture).tobytes()
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.copy()))  # Qt does not keep the bytes alive
