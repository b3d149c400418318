"""The settings of a training: preset, run folder, and the form of the configuration."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_cryodrgn.config import ParticleConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.form_editors import ChoiceBox, PathRow
from napari_cryodrgn.widgets.forms import LABEL_WIDTH, ConfigForm
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.widgets.train_folder import FolderState, folder_state, suggest_run_folder
from napari_cryodrgn.widgets.train_launch import LaunchChoice
from napari_cryodrgn.widgets.train_presets import (
    CUSTOM,
    PRESETS,
    default_preset,
    device_advice,
    matching_preset,
)
from napari_cryodrgn.workflows.continue_run import FREE_OPTIONS, recorded_config

# Files are chosen in the Particles dock, the run folder above the form, and going on
# with a run is a button.
SET_ELSEWHERE = ("particles", "poses", "ctf", "ind", "datadir", "outdir", "load")


class TrainSettings(QWidget):
    """Everything a training is told, apart from its particles."""

    changed = Signal()
    invert_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset_box = ChoiceBox()
        self.preset_box.addItems([*(preset.name for preset in PRESETS), CUSTOM])
        self.purpose = dim_label()
        self.folder = PathRow(folder=True, caption="Choose a folder for the run")
        self.folder_words = dim_label()
        self.launch = LaunchChoice()
        self.form: ConfigForm[TrainingConfig] = ConfigForm(TrainingConfig, leave_out=SET_ELSEWHERE)
        self.start_words = dim_label()
        self.anew_button = QPushButton("Begin anew instead")
        self.anew_button.setToolTip("Start from random weights, as a training usually does")
        self.advice = NoticeBar()
        self.state = FolderState("none", "")
        self._device = ""
        self._own_values: dict[str, Any] | None = None
        self._suggested: Path | None = None
        self._recorded: TrainingConfig | None = None
        self._start_from: str | None = None
        self._lay_out()
        self.anew_button.clicked.connect(partial(self._begin_with, None))
        self.preset_box.activated.connect(self._use_preset)
        self.folder.edit.textChanged.connect(self.look_at_folder)
        self.form.changed.connect(self._on_change)
        self.form.set_values(PRESETS[0].values)
        self.look_at_folder()

    def set_device(self, device: str) -> None:
        """Say what ``auto`` means on this computer, and begin with what suits it."""
        untouched = not self._device and self.preset_box.currentIndex() == 0
        self._device = device
        if untouched and self._recorded is None:
            self.form.set_values(default_preset(device).values)
        self._advise()

    def set_particles(self, config: ParticleConfig | None) -> None:
        """Follow to another particle set: its contrast, and a run folder beside it."""
        if config is None:
            return
        if self._recorded is None:
            self.form.set_values({"invert_data": config.invert_data})
        if self.folder.path() in (None, self._suggested):
            self.suggest_folder(config.particles)

    def suggest_folder(self, particles: Path) -> None:
        """Name a new folder beside the particles."""
        self._suggested = suggest_run_folder(particles)
        self.folder.set_path(self._suggested)

    def prefill(self, config: TrainingConfig) -> None:
        """Take over the settings of another training, for a new run.

        Parameters
        ----------
        config : TrainingConfig
            With the folder for the new run; `load` names weights to start from, or is None.
        """
        self._own_values = None
        self.folder.set_path(config.outdir)
        self.form.set_values(config.model_dump())
        self._begin_with(config.load)
        self._show_preset()
        self._advise()

    def _begin_with(self, weights: str | None) -> None:
        """Start from weights in a file, or from random ones."""
        self._start_from = weights
        self._start_line.setVisible(weights is not None)
        if weights is not None:
            path = Path(weights)
            self.start_words.setText(f"Starts from {path.name} of {path.parent.name}.")

    def config(self, particles: ParticleConfig | None) -> TrainingConfig | None:
        """What to train, or None with what is wrong shown in the form.

        Parameters
        ----------
        particles : ParticleConfig or None
            The open particle set; a run that is continued brings its own.
        """
        if self._recorded is not None:
            recorded = self._recorded.model_dump(include=set(SET_ELSEWHERE))
            config = self.form.validated(**recorded)
            if config is not None and config.num_epochs <= self.state.finished:
                self.form.show_error(
                    "num_epochs", f"the run has {self.state.finished} already: give more"
                )
                return None
            return config
        if particles is None:
            return None
        files = {name: getattr(particles, name) for name in ("poses", "ctf", "ind", "datadir")}
        return self.form.validated(
            particles=particles.particles,
            **files,
            outdir=self.folder.path(),
            load=self._start_from,
        )

    def look_at_folder(self) -> None:
        """Look at the run folder again: what it holds decides what may be set."""
        path = self.folder.path()
        self.state = folder_state(path)
        recorded = None
        if self.state.kind == "run" and path is not None:
            try:
                recorded = recorded_config(RunFolder(path.absolute()))
            except InputError as error:
                self.state = FolderState("unusable", str(error), self.state.finished)
        self.folder_words.setText(self.state.text)
        if self.state.kind != "training":  # its settings are looked at when it has ended
            self._lock_to(recorded)
        self.changed.emit()

    def _lock_to(self, recorded: TrainingConfig | None) -> None:
        """Show the settings of a run that is continued, or give one's own back."""
        if recorded == self._recorded:
            return  # looked at again: what was typed since stays
        if recorded is not None and self._recorded is None:
            self._own_values = self.form.values()
        self._recorded = recorded
        free = set(self.form.rows) if recorded is None else set(FREE_OPTIONS)
        for name, row in self.form.rows.items():
            row.setEnabled(name in free)
        self.preset_box.setEnabled(recorded is None)
        if recorded is not None:
            self.form.set_values(recorded.model_dump())
        elif self._own_values is not None:
            self.form.set_values(self._own_values)
            self._own_values = None

    def _use_preset(self, index: int) -> None:
        if index < len(PRESETS):
            self.form.set_values(PRESETS[index].values)
        self._show_preset()

    def _on_change(self, name: str) -> None:
        self._show_preset()
        self._advise()
        if name == "invert_data" and self._recorded is None:
            self.invert_changed.emit(bool(self.form.values()["invert_data"]))
        self.changed.emit()

    def _show_preset(self) -> None:
        preset = matching_preset(self.form.values())
        with QSignalBlocker(self.preset_box):
            self.preset_box.setCurrentText(CUSTOM if preset is None else preset.name)
        self.purpose.setText("Settings of your own." if preset is None else preset.purpose)

    def _advise(self) -> None:
        chosen = self.form.values()["device"]
        device = self._device if chosen == "auto" else str(chosen)
        text = device_advice(device, self.form.values())
        if text:
            self.advice.say(text, "warning")
        else:
            self.advice.clear()

    def _lay_out(self) -> None:
        top = QFormLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setHorizontalSpacing(8)
        top.setVerticalSpacing(4)
        top.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, widget, words in (
            ("Run folder", self.folder, self.folder_words),
            ("Preset", self.preset_box, self.purpose),
        ):
            label = QLabel(title)
            label.setFixedWidth(LABEL_WIDTH)
            top.addRow(label, widget)
            words.setIndent(0)
            top.addRow(words)
        self._start_line = QWidget()
        self._start_line.setVisible(False)
        start = QHBoxLayout(self._start_line)
        start.setContentsMargins(0, 0, 0, 0)
        start.addWidget(self.start_words, 1)
        start.addWidget(self.anew_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.launch)
        layout.addWidget(self._start_line)
        layout.addWidget(self.advice)
        layout.addWidget(self.form)
