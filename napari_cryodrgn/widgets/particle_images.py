"""A grid of particle images as the data have them: contrast untouched, filtered for the eye."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_cryodrgn.widgets.particle_filter import FilterBox
from napari_cryodrgn.workflows.sample_images import ImageSample, low_pass

COLUMNS = 4
N_IMAGES = 12
GAP = 3

CONTRAST_SPAN = (1.0, 99.0)
"""Percentiles of an image that are shown black and white."""


class ImageGrid(QWidget):
    """Paints square grey images in rows of `COLUMNS`, each with a tip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures: list[QImage] = []
        self._names: list[str] = []
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_images(self, images: npt.NDArray[np.float32], names: list[str]) -> None:
        """Show these images, each in its own range of grey.

        Parameters
        ----------
        images : (n, side, side) float32 array
        names : list of str
            What each one is.
        """
        self._pictures = [grey_picture(image) for image in images]
        self._names = names
        self.updateGeometry()
        self.update()

    def n_shown(self) -> int:
        """Images in the grid."""
        return len(self._pictures)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Room for the grid in a dock."""
        return QSize(320, self.heightForWidth(320))

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt
        """Height that the rows take at a width."""
        rows = -(-max(1, len(self._pictures)) // COLUMNS)
        return int(rows * (self._tile(width) + GAP))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint the images."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        tile = self._tile(self.width())
        for number, picture in enumerate(self._pictures):
            row, column = divmod(number, COLUMNS)
            x, y = int(column * (tile + GAP)), int(row * (tile + GAP))
            scaled = picture.scaled(
                int(tile),
                int(tile),
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            painter.drawImage(x, y, scaled)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Say which particle is under the mouse."""
        place = event.position()
        step = self._tile(self.width()) + GAP
        number = int(place.y() // step) * COLUMNS + int(place.x() // step)
        self.setToolTip(self._names[number] if 0 <= number < len(self._names) else "")

    @staticmethod
    def _tile(width: int) -> float:
        return max(16.0, (width - GAP * (COLUMNS - 1)) / COLUMNS)


class ParticleImages(QWidget):
    """A handful of random images, with a filter and a button for others."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = ImageGrid()
        self.filter_box = FilterBox()
        self.more_button = QPushButton("Another handful")
        self._sample: ImageSample | None = None
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(QLabel("Low-pass"))
        line.addWidget(self.filter_box, 1)
        line.addWidget(self.more_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(line)
        layout.addWidget(self.grid)
        self.filter_box.currentIndexChanged.connect(self._paint)

    def show_sample(self, sample: ImageSample) -> None:
        """Show these images."""
        self._sample = sample
        self.filter_box.offer(sample.field_of_view)
        self._paint()

    def clear(self) -> None:
        """Show nothing."""
        self._sample = None
        self.grid.show_images(np.empty((0, 1, 1), np.float32), [])

    def _paint(self) -> None:
        sample = self._sample
        if sample is None:
            return
        rows = sample.particles.rows
        names = [f"particle {row:,} (row of the table, counted from 0)" for row in rows]
        self.grid.show_images(low_pass(sample.images, self.filter_box.cycles()), names)


def grey_picture(image: npt.NDArray[np.float32]) -> QImage:
    """An image in grey, high values bright.

    Parameters
    ----------
    image : (side, side) float32 array
    """
    low, high = np.percentile(image, CONTRAST_SPAN)
    scaled = (image - low) * (255 / (high - low) if high > low else 0.0)
    levels = np.ascontiguousarray(np.clip(scaled, 0, 255).astype(np.uint8))
    side = levels.shape[1]
    picture = QImage(levels.tobytes(), side, levels.shape[0], side, QImage.Format.Format_Grayscale8)
    return picture.copy()  # Qt does not keep the bytes alive
