"""The dialog that asks how a new UMAP is to be made."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.latent.embedding import METRICS, MIN_UMAP_PARTICLES, UmapSettings
from napari_cryodrgn.widgets.theme import dim_label


class NewUmapDialog(QDialog):
    """Of which particles, and with which parameters.

    Parameters
    ----------
    n_particles, n_selected : int
        How many there are, and how many of them are selected.
    """

    def __init__(self, n_particles: int, n_selected: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New UMAP")
        self._counts = (n_particles, n_selected)
        self.of_box = QComboBox()
        self.of_box.addItem(f"All {n_particles:,} particles", False)
        if n_selected >= MIN_UMAP_PARTICLES:
            self.of_box.addItem(f"The {n_selected:,} selected particles", True)
        self.neighbours_box, self.distance_box = QSpinBox(), QDoubleSpinBox()
        self.neighbours_box.setRange(2, 500)
        self.neighbours_box.setValue(15)
        self.neighbours_box.setToolTip("Few show details, many show the whole")
        self.distance_box.setRange(0.0, 1.0)
        self.distance_box.setSingleStep(0.05)
        self.distance_box.setValue(0.1)
        self.distance_box.setToolTip("Small packs clusters tightly")
        self.metric_box = QComboBox()
        self.metric_box.addItems(list(METRICS))
        self.name_edit = QLineEdit()
        self.name_edit.setPlaceholderText("by its parameters")
        self.note = dim_label()
        form = QFormLayout()
        form.addRow("Of", self.of_box)
        form.addRow("Neighbours", self.neighbours_box)
        form.addRow("Least distance", self.distance_box)
        form.addRow("Distance in z", self.metric_box)
        form.addRow("Name", self.name_edit)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Make it")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("It is made in the background; those there are stay."))
        layout.addLayout(form)
        layout.addWidget(self.note)
        layout.addWidget(buttons)
        self.of_box.currentIndexChanged.connect(self._tell)
        self._tell()

    @property
    def of_selection(self) -> bool:
        """Whether only the selected particles are meant."""
        return bool(self.of_box.currentData())

    def settings(self) -> UmapSettings:
        """The parameters."""
        return UmapSettings(
            n_neighbors=self.neighbours_box.value(),
            min_dist=round(self.distance_box.value(), 2),
            metric=self.metric_box.currentText(),
        )

    def _tell(self, *_: object) -> None:
        n = self._counts[1 if self.of_selection else 0]
        landmarks = self.settings().landmarks_of(n)
        self.note.setText(
            ""
            if landmarks is None
            else f"For so many particles, {landmarks:,} landmarks are embedded, and the others "
            "placed between them."
        )
        self.note.setVisible(landmarks is not None)
