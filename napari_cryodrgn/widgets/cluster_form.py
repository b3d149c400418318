"""How clusters are to be made: method, space and number, on one line of the dock."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from napari_cryodrgn.latent.cluster_settings import (
    LATENT_SPACE,
    METHOD_TITLES,
    METHODS,
    ClusterSettings,
)
from napari_cryodrgn.latent.space import LatentSpace

METHOD_TIPS = {
    "kmeans": "Round clusters of about one size; quick",
    "gmm": "Gaussian mixture: clusters that may be long, and differ in size",
    "hdbscan": "Finds how many clusters there are, and leaves particles between them out",
}


class ClusterForm(QWidget):
    """Method, space, number of clusters, and the button that begins."""

    wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.method_box, self.space_box = QComboBox(), QComboBox()
        for number, method in enumerate(METHODS):
            self.method_box.addItem(METHOD_TITLES[method], method)
            self.method_box.setItemData(number, METHOD_TIPS[method], 3)  # Qt.ToolTipRole
        self.number_label = QLabel()
        self.number_box, self.smallest_box = QSpinBox(), QSpinBox()
        self.number_box.setRange(1, 500)
        self.number_box.setValue(8)
        self.smallest_box.setRange(2, 1_000_000)
        self.smallest_box.setValue(100)
        self.smallest_box.setGroupSeparatorShown(True)
        self.button = QPushButton("Cluster")
        self.button.setToolTip("Labels become a column, by which the plot is then coloured")
        self.method_box.currentIndexChanged.connect(self._show_number)
        self.button.clicked.connect(self._want)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.method_box, 2)
        line.addWidget(QLabel("on"))
        line.addWidget(self.space_box, 1)
        line.addWidget(self.number_label)
        line.addWidget(self.number_box)
        line.addWidget(self.smallest_box)
        line.addWidget(self.button)
        self._show_number()

    def set_latent(self, latent: LatentSpace) -> None:
        """Offer the spaces that there are; the chosen one stays."""
        chosen = self.space_box.currentText()
        self.space_box.clear()
        self.space_box.addItems([LATENT_SPACE, *latent.embeddings])
        self.space_box.setToolTip("z: all latent dimensions, as a rule the best choice")
        self.space_box.setCurrentIndex(max(0, self.space_box.findText(chosen)))

    def settings(self) -> ClusterSettings:
        """What is asked for."""
        return ClusterSettings(
            method=self.method_box.currentData(),
            n_clusters=self.number_box.value(),
            min_cluster_size=self.smallest_box.value(),
            space=self.space_box.currentText(),
        )

    def _show_number(self, *_: object) -> None:
        by_size = self.method_box.currentData() == "hdbscan"
        self.number_label.setText("at least" if by_size else "into")
        self.number_box.setVisible(not by_size)
        self.smallest_box.setVisible(by_size)
        self.smallest_box.setToolTip("Particles of a cluster at least")
        self.number_box.setToolTip("Number of clusters")
        self.method_box.setToolTip(METHOD_TIPS[self.method_box.currentData()])

    def _want(self, *_: object) -> None:
        self.wanted.emit()
