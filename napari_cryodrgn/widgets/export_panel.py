"""What to do with a selection: export it for other programs, train again on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.form_editors import PathRow
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.widgets.window_words import input_message
from napari_cryodrgn.workflows.export_particles import export_particles, inverse_name
from napari_cryodrgn.workflows.retrain import retrain_config

if TYPE_CHECKING:
    from napari_cryodrgn.config import TrainingConfig
    from napari_cryodrgn.run import RunFolder
    from napari_cryodrgn.workflows.export_particles import ParticleExport

WORKING = "The working selection"
FORMATS = {
    "star": "RELION table (.star)",
    "cs": "cryoSPARC table (.cs)",
    "pkl": "cryoDRGN indices (.pkl)",
}
WORDS = (
    "Writes the selected rows of the particles' own table, everything else in it as it is.\n"
    "The file is read again and counted before it counts as done."
)


class ExportPanel(QWidget):
    """Which selection, to what, and the button; below it, training again.

    Parameters
    ----------
    session : Session
        The session.
    own : callable
        Has a task stopped when the dock ends.
    """

    training_wanted = Signal(object)

    def __init__(self, session: Session, own: Callable[[TaskHandle], TaskHandle]) -> None:
        super().__init__()
        self._session, self._own = session, own
        self._folder: RunFolder | None = None
        self.which_box, self.format_box, self.by_box = QComboBox(), QComboBox(), QComboBox()
        self.table = PathRow(folder=False, caption="The original particle table")
        self.inverse_box = QCheckBox("and the others")
        self.inverse_box.setChecked(True)
        self.export_button = QPushButton("Export…")
        self.weights_box = QCheckBox("from the weights of this epoch")
        self.train_button = QPushButton("Train on these…")
        self.tasks = TaskBar()
        self.notices = NoticeBar()
        self._lay_out()
        self.export_button.clicked.connect(self.ask_and_export)
        self.train_button.clicked.connect(self.ask_and_train)
        self.which_box.currentIndexChanged.connect(self._show_count)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Offer the selections there are, and the formats that the run's table allows."""
        book, chosen = self._session.selections, self.which_box.currentText()
        names = [WORKING, *(one.name for one in book.named)]
        if names != [self.which_box.itemText(i) for i in range(self.which_box.count())]:
            self.which_box.blockSignals(True)
            self.which_box.clear()
            self.which_box.addItems(names)
            self.which_box.setCurrentText(chosen if chosen in names else WORKING)
            self.which_box.blockSignals(False)
        run = self._session.run
        tilts = run is not None and run.config is not None and run.config.tilt_series
        self._form.setRowVisible(self.by_box, tilts)
        self._show_count()

    def follow(self) -> None:
        """Another latent space: begin with the format of its run's own table."""
        run = self._session.run
        folder = None if run is None else run.folder
        if folder == self._folder:
            self.refresh()
            return
        self._folder = folder
        self.notices.clear()
        self.table.set_path(None)
        path = None if run is None else run.files.get("particles")
        kind = "" if path is None else path.suffix.lower().removeprefix(".")
        self.format_box.setCurrentIndex(
            max(0, self.format_box.findData(kind if kind in FORMATS else "pkl"))
        )
        self.refresh()

    def rows(self) -> ParticleRows | None:
        """The particles of the selection chosen; None where it is empty."""
        latent, book = self._session.latent, self._session.selections
        if latent is None or len(book.mask) != len(latent):
            return None
        mask = book.mask
        if self.which_box.currentIndex() > 0:
            named = {one.name: one.mask for one in book.named}
            mask = named.get(self.which_box.currentText(), np.zeros(len(latent), bool))
        return latent.rows.at(np.flatnonzero(mask)) if mask.any() else None

    def ask_and_export(self) -> None:
        """Ask for the file, and export to it."""
        kind = self.format_box.currentData()
        name = self.which_box.currentText() if self.which_box.currentIndex() > 0 else "selection"
        suggested = f"{name.replace(' ', '_')}.{kind}"
        path, _ = QFileDialog.getSaveFileName(
            self, "Export particles", suggested, f"{FORMATS[kind]} (*.{kind})"
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> TaskHandle | None:
        """Export the selection chosen to a file."""
        run, rows = self._session.run, self.rows()
        if run is None or rows is None or self._busy():
            return None
        if not path.suffix:
            path = path.with_suffix(f".{self.format_box.currentData()}")
        self.notices.clear()
        make = partial(
            export_particles,
            run,
            rows,
            path,
            inverse=inverse_name(path) if self.inverse_box.isChecked() else None,
            table=self.table.path(),
            by=self.by_box.currentData(),
            made=self._made(),
        )
        handle = self._own(start_task(make, f"Exporting {path.name}", done=self._tell))
        return self.tasks.follow(handle)

    def ask_and_train(self) -> None:
        """Ask for a folder for the new run, and prepare a training on the selection."""
        run = self._session.run
        if run is None:
            return
        suggested = run.folder.path.with_name(f"{run.folder.path.name}_kept")
        path, _ = QFileDialog.getSaveFileName(
            self, "Folder for the new run", str(suggested), options=_FOLDER_OPTIONS
        )
        if path:
            self.train_in(Path(path))

    def train_in(self, folder: Path) -> TrainingConfig | None:
        """Prepare a training on the selection into a folder; the Train dock takes it from there."""
        run, rows = self._session.run, self.rows()
        if run is None or rows is None:
            return None
        try:
            config = retrain_config(run, rows, folder, from_weights=self.weights_box.isChecked())
        except InputError as error:
            message, details = input_message(error)
            self.notices.say(message, "error", details)
            return None
        self.training_wanted.emit(config)
        return config

    def _made(self) -> str:
        book = self._session.selections
        if self.which_box.currentIndex() <= 0:
            return book.made
        name = self.which_box.currentText()
        made = next((one.made for one in book.named if one.name == name), "")
        return f"{name}: {made}" if made else name

    def _tell(self, done: ParticleExport) -> None:
        lines = [
            f"{file.n_particles:,} particles in {file.path.name}, read again and counted."
            for file in done.files
        ]
        lines.append(f"How it was made: {done.recipe.name}.")
        notes = [f"{note[0].upper()}{note[1:]}." for note in done.notes]
        self.notices.say("\n".join(lines + notes), "warning" if notes else "info")

    def _busy(self) -> bool:
        return self.tasks.task is not None and self.tasks.task.running

    def _show_count(self, *_: object) -> None:
        rows, run = self.rows(), self._session.run
        n = 0 if rows is None else len(rows)
        total = 0 if self._session.latent is None else len(self._session.latent)
        self.count.setText(f"{n:,} of {total:,} particles" if n else "Nothing is selected")
        self.export_button.setEnabled(n > 0)
        self.train_button.setEnabled(n > 0)
        self.weights_box.setEnabled(run is not None and run.weights is not None)

    def _lay_out(self) -> None:
        for kind, words in FORMATS.items():
            self.format_box.addItem(words, kind)
        for key, words in (("particle", "particles"), ("tilt", "tilt images")):
            self.by_box.addItem(words, key)
        self.by_box.setToolTip("What the indices count; tables keep all tilts of a particle")
        self.table.setToolTip(
            "Only where the run was trained on downsampled images, or its table has moved:\n"
            "the rows are then taken from this table, after comparing what both say"
        )
        self.train_button.setToolTip(
            "Choose a folder for a new run on these particles; the Train dock opens with the\n"
            "settings of this run"
        )
        self.export_button.setToolTip(WORDS)
        self.inverse_box.setToolTip("In a second file, <name>_inverse")
        self.count = dim_label("", wrap=False)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Particles", self.which_box)
        self._form.addRow("As", self.format_box)
        self._form.addRow("Indices count", self.by_box)
        export_line, train_line = QHBoxLayout(), QHBoxLayout()
        for line, widgets in (
            (export_line, (self.export_button, self.inverse_box)),
            (train_line, (self.train_button, self.weights_box)),
        ):
            for widget in widgets:
                line.addWidget(widget)
            line.addStretch(1)
        export_line.addWidget(self.count)
        further = QFormLayout()
        further.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        further.addRow("Original table", self.table)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._form)
        layout.addLayout(export_line)
        layout.addWidget(self.tasks)
        layout.addWidget(self.notices)
        layout.addLayout(train_line)
        layout.addLayout(further)
        layout.addStretch(1)
        layout.setAlignment(Qt.AlignmentFlag.AlignTop)


_FOLDER_OPTIONS = QFileDialog.Option.ShowDirsOnly
