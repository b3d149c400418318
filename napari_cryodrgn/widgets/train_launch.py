"""Where a training runs: in the window or beside it; and the tasks that start and follow it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.form_editors import ChoiceBox
from napari_cryodrgn.widgets.forms import LABEL_WIDTH, ConfigForm
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.workflows.launch_options import SlurmOptions

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.follow import Ending
    from napari_cryodrgn.workflows.follow_status import When

PLACES = {
    "window": ("In this window", "Ends when napari is closed; can be paused."),
    "background": (
        "In the background",
        "Goes on when napari is closed. Open its folder again to follow it.",
    ),
    "slurm": (
        "On a cluster (SLURM)",
        "As a job in the queue. The run folder must be on a disk that the cluster sees.",
    ),
}


class LaunchChoice(QWidget):
    """Choice of where the training runs, with what that means."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = ChoiceBox()
        for kind, (title, words) in PLACES.items():
            self.box.addItem(title, kind)
            self.box.setItemData(self.box.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.words = dim_label()
        self.slurm: ConfigForm[SlurmOptions] = ConfigForm(SlurmOptions, headings=False)
        label = QLabel("Train")
        label.setFixedWidth(LABEL_WIDTH)
        label.setBuddy(self.box)
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setHorizontalSpacing(8)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(label, self.box)
        rows.addRow(self.words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.slurm)
        self.box.currentIndexChanged.connect(self._on_choice)
        self._on_choice()

    @property
    def kind(self) -> str:
        """The key in `PLACES` that is chosen."""
        return str(self.box.currentData())

    def choose(self, kind: str) -> None:
        """Choose one of `PLACES`."""
        self.box.setCurrentIndex(list(PLACES).index(kind))

    def _on_choice(self) -> None:
        self.words.setText(PLACES[self.kind][1])
        self.slurm.setVisible(self.kind == "slurm")
        self.changed.emit()


def training_here(config: TrainingConfig) -> Task[RunFolder]:
    """Train in this process. What trains is imported only in the worker: it brings torch."""
    from napari_cryodrgn.workflows.follow_status import forget_past
    from napari_cryodrgn.workflows.launch import under_way
    from napari_cryodrgn.workflows.train import train

    run = RunFolder(config.outdir.expanduser().absolute())
    if not under_way(run):
        forget_past(run)  # one that was killed may have left a request to stop
    return (yield from train(config))


def training_in_background(config: TrainingConfig) -> Task[Ending]:
    """Start a training that outlives the window, and follow it."""
    from napari_cryodrgn.workflows.follow import follow_run
    from napari_cryodrgn.workflows.launch import launch_in_background

    yield Progress(0, None, "Starting …")
    launch_in_background(config)
    return (yield from follow_run(config.outdir))


def training_on_slurm(options: SlurmOptions, config: TrainingConfig) -> Task[Ending]:
    """Queue a training on a cluster, and follow it."""
    from napari_cryodrgn.workflows.follow import follow_run
    from napari_cryodrgn.workflows.launch_slurm import launch_on_slurm

    yield Progress(0, None, "Handing the training over to SLURM …")
    launch_on_slurm(config, options)
    return (yield from follow_run(config.outdir))


def following(folder: Path) -> Task[Ending]:
    """Follow a training that runs already."""
    from napari_cryodrgn.workflows.follow import follow_run

    return (yield from follow_run(folder))


def asking_to_stop(run: RunFolder, when: When) -> Task[None]:
    """Ask the training in a folder to stop; on a shared disk that may take a moment."""
    from napari_cryodrgn.workflows.launch_slurm import stop_training

    yield Progress(0, None, "Asking the training to stop")
    stop_training(run, when)
