"""Where the parts of the latent plot stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel

from napari_cryodrgn.widgets.labels import UpwardLabel

if TYPE_CHECKING:
    from napari_cryodrgn.widgets.latent_plot import LatentPlot


def lay_out_plot(plot: LatentPlot) -> tuple[QLabel, UpwardLabel]:
    """Choices above, the canvas below with the names of its axes, which are given back."""
    x_label, y_label = QLabel(), UpwardLabel()
    x_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    grid = QGridLayout(plot)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(4)
    grid.addWidget(plot.choices, 0, 0)
    inner = QGridLayout()
    inner.setSpacing(2)
    inner.addWidget(y_label, 0, 0)
    inner.addWidget(plot.canvas, 0, 1)
    inner.addWidget(x_label, 1, 1)
    inner.setColumnStretch(1, 1)
    inner.setRowStretch(0, 1)
    grid.addLayout(inner, 1, 0)
    grid.setRowStretch(1, 1)
    return x_label, y_label
