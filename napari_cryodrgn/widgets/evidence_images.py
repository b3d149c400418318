"""Particle images beside the projections of their decoded volumes, and what is left over."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.widgets.particle_images import grey_picture
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.workflows.particle_evidence import ParticleEvidence
from napari_cryodrgn.workflows.sample_images import low_pass

COLUMNS = 6
GAP = 3
HEADING = 15
LOW_PASS_CYCLES = 10.0
"""Cycles across an image up to which detail is shown: for the eye; the score sees all."""

ORDERS = {"worst": "worst agreement first", "best": "best agreement first", "row": "by row"}


class ProjectionGrid(QWidget):
    """One column a particle: its image, the projection, the difference, and the score."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[tuple[list[QImage], str, int]] = []
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_evidence(self, evidence: ParticleEvidence, order: np.ndarray) -> None:
        """Show particles in this order."""
        self._columns = []
        parts = [evidence.images, evidence.projections, evidence.residuals]
        filtered = [low_pass(part[order], LOW_PASS_CYCLES) for part in parts]
        rows, scores = evidence.particles.rows[order], evidence.scores[order]
        for number in range(len(order)):
            pictures = [grey_picture(part[number]) for part in filtered]
            self._columns.append((pictures, f"{scores[number]:.2f}", int(rows[number])))
        self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._columns = []
        self.updateGeometry()
        self.update()

    def n_shown(self) -> int:
        """Particles in the grid."""
        return len(self._columns)

    def rows_shown(self) -> list[int]:
        """Rows of the source table, in the order shown."""
        return [row for _, _, row in self._columns]

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Room for the grid in a dock."""
        return QSize(320, self.heightForWidth(320))

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt
        """Height that the rows of particles take at a width."""
        blocks = -(-len(self._columns) // COLUMNS)
        return int(blocks * (3 * (self._tile(width) + GAP) + HEADING + GAP))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt
        """Paint the particles."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(self.palette().text().color())
        tile = int(self._tile(self.width()))
        for number, (pictures, score, _) in enumerate(self._columns):
            x, y = self._corner(number)
            for part, picture in enumerate(pictures):
                painter.drawImage(QRect(x, y + part * (tile + GAP), tile, tile), picture)
            below = QRect(x, y + 3 * (tile + GAP) - GAP, tile, HEADING)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, score)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Say which particle is under the mouse."""
        number = self._at(event)
        if number is None:
            self.setToolTip("")
            return
        _, score, row = self._columns[number]
        self.setToolTip(
            f"particle {row:,} (row of the table, counted from 0)\n"
            f"image, projection of its decoded volume, and difference; agreement {score}\n"
            "Click to show its volume"
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt
        """Choose the particle under the mouse."""
        number = self._at(event)
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self._columns[number][2])

    def _at(self, event: QMouseEvent) -> int | None:
        place = event.position()
        tile = self._tile(self.width())
        column = int(place.x() // (tile + GAP))
        block = int(place.y() // (3 * (tile + GAP) + HEADING + GAP))
        number = block * COLUMNS + column
        return number if column < COLUMNS and number < len(self._columns) else None

    def _corner(self, number: int) -> tuple[int, int]:
        tile = self._tile(self.width())
        block, column = divmod(number, COLUMNS)
        return int(column * (tile + GAP)), int(block * (3 * (tile + GAP) + HEADING + GAP))

    @staticmethod
    def _tile(width: int) -> float:
        return max(16.0, (width - GAP * (COLUMNS - 1)) / COLUMNS)


class ImageEvidence(QWidget):
    """The grid with its buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = dim_label(
            "An image that shows the molecule in its state agrees with the projection of its "
            "decoded volume. Ice, aggregates and wrong poses do not."
        )
        self.compare_button = QPushButton("Compare some")
        self.compare_button.setToolTip(
            "Particles of the selection, or of the whole run where nothing is selected"
        )
        self.score_button = QPushButton("Score all")
        self.score_button.setToolTip(
            "Agreement of every particle with the projection of its decoded volume, as a column\n"
            "to colour the latent space by and to select by: junk agrees badly"
        )
        self.order_box = QComboBox()
        for key, words in ORDERS.items():
            self.order_box.addItem(words, key)
        self.grid = ProjectionGrid()
        self._evidence: ParticleEvidence | None = None
        self.order_box.currentIndexChanged.connect(self._paint)
        line = QHBoxLayout()
        line.addWidget(self.compare_button)
        line.addWidget(self.score_button)
        line.addStretch(1)
        line.addWidget(QLabel("Order"))
        line.addWidget(self.order_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.words)
        layout.addLayout(line)
        layout.addWidget(self.grid)

    def show_evidence(self, evidence: ParticleEvidence | None) -> None:
        """Show these particles, or none."""
        self._evidence = evidence
        self._paint()

    def _paint(self) -> None:
        evidence = self._evidence
        if evidence is None:
            self.grid.clear()
            return
        key = self.order_box.currentData()
        if key == "row":
            order = np.argsort(evidence.particles.rows)
        else:
            order = np.argsort(evidence.scores if key == "worst" else -evidence.scores)
        self.grid.show_evidence(evidence, order)
