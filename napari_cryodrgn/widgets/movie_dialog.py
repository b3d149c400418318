"""The dialog that writes a path as a movie, frames, volumes, or text."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.movie import movie_ending
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.movie_look import MovieLook
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import start_task
from napari_cryodrgn.widgets.window_words import input_message
from napari_cryodrgn.workflows.movie import MovieFiles, make_movie
from napari_cryodrgn.workflows.movie_recipe import MovieRecipe, make_recipe
from napari_cryodrgn.workflows.z_values import write_z_values

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.open_run import OpenRun

WIDTH = 520


class Target(QWidget):
    """One thing to write: a tick, a place, and a button that asks for the place."""

    def __init__(self, title: str, tip: str, *, folder: bool, filters: str = "") -> None:
        super().__init__()
        self._folder, self._filters = folder, filters
        self.box = QCheckBox(title)
        self.box.setToolTip(tip)
        self.edit = QLineEdit()
        self.edit.setToolTip(tip)
        self.button = QPushButton("…")
        self.button.setMaximumWidth(32)
        self.button.setToolTip("Choose the folder" if folder else "Choose the file")
        self.button.clicked.connect(self._ask)
        self.box.toggled.connect(self.edit.setEnabled)
        self.edit.setEnabled(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.box.setMinimumWidth(150)
        row.addWidget(self.box)
        row.addWidget(self.edit, 1)
        row.addWidget(self.button)

    @property
    def path(self) -> Path | None:
        """Where to write it; None where it is not to be written."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if self.box.isChecked() and text else None

    def _ask(self) -> None:
        start = self.edit.text()
        if self._folder:
            found = QFileDialog.getExistingDirectory(self, "Folder", str(Path(start).parent))
        else:
            found, _ = QFileDialog.getSaveFileName(self, "File", start, self._filters)
        if found:
            self.edit.setText(found)
            self.box.setChecked(True)


class MovieDialog(QDialog):
    """Everything that a path can be written as; `started` carries the task that writes."""

    started = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export a trajectory")
        self.setMinimumWidth(WIDTH)
        self._run: OpenRun | None = None
        self._z: npt.NDArray[np.float32] = np.zeros((0, 1), np.float32)
        self._known: tuple[object, ...] = ()
        self.movie = Target(
            "Movie",
            "MP4 (H.264) or GIF, by the ending of the name",
            folder=False,
            filters="Movies (*.mp4 *.gif)",
        )
        self.recipe = QCheckBox("and its recipe, which makes the same movie again (.json)")
        self.frames = Target("Frames as PNG", "frame_0001.png, … in a folder", folder=True)
        self.volumes = Target(
            "Volumes for ChimeraX",
            "vol_001.mrc, … with true pixel size, z-path.txt, series.cxc and morph.cxc",
            folder=True,
        )
        self.text = Target(
            "z-path.txt",
            "Latent points of the frames as cryoDRGN writes and reads them",
            folder=False,
            filters="Text (*.txt)",
        )
        self.look = MovieLook()
        self.notices = NoticeBar()
        self.tasks = TaskBar(pausable=False)
        self.summary = QLabel()
        self.write_button = QPushButton("Write")
        self.close_button = QPushButton("Close")
        self.write_button.clicked.connect(self.write)
        self.close_button.clicked.connect(self.close)
        self._lay_out()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that can be written."""
        return (self.movie, self.frames, self.volumes, self.text)

    def show_path(
        self,
        run: OpenRun,
        name: str,
        colour: str,
        z: npt.NDArray[np.float32],
        level: float | None,
    ) -> None:
        """Offer to write these frames (n, zdim) of a path of a run.

        Parameters
        ----------
        run : OpenRun
        name, colour : str
            Of the path.
        z : (n, zdim) float32 array
        level : float or None
            Contour level that the window uses.
        """
        self._run, self._z = run, z
        self.summary.setText(f"{name}: {len(z)} frames, epoch {run.epoch}")
        self.look.set_level(level)
        known = (run.folder.path, name)
        if known == self._known:
            return
        self._known = known
        stem = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_") or "path"
        folder = run.folder.path.parent / f"{run.folder.path.name}_movies"
        folder = folder if folder.is_dir() else run.folder.path.parent
        self.movie.edit.setText(str(folder / f"{stem}{movie_ending()}"))
        self.frames.edit.setText(str(folder / f"{stem}_frames"))
        self.volumes.edit.setText(str(folder / f"{stem}_volumes"))
        self.text.edit.setText(str(folder / f"{stem}-z-path.txt"))

    def made_recipe(self) -> MovieRecipe:
        """The recipe of what is chosen.

        Raises
        ------
        InputError
            Where a setting does not do.
        """
        if self._run is None:
            raise InputError("no run is open")
        return make_recipe(
            self._run.folder.path, self._z, epoch=self._run.epoch, **self.look.settings
        )

    def write(self) -> None:
        """Write what is ticked, in a worker thread."""
        self.notices.clear()
        paths = {target: target.path for target in self.targets}
        if not any(paths.values()):
            self.notices.say("Tick what is to be written.", "warning")
            return
        try:
            recipe = self.made_recipe()
        except InputError as error:
            self.notices.say(*_told(error))
            return
        movie = paths[self.movie]
        wants_recipe = movie is not None and self.recipe.isChecked()
        make = partial(
            _writing,
            recipe,
            movie,
            paths[self.frames],
            paths[self.volumes],
            movie.with_suffix(".json") if movie is not None and wants_recipe else None,
            paths[self.text],
        )
        task = start_task(make, "Writing", done=self._done)
        task.cancelled.connect(partial(self.notices.say, "Cancelled: nothing was left half-made."))
        task.finished.connect(partial(self.write_button.setEnabled, True))
        self.write_button.setEnabled(False)
        self.tasks.follow(task)
        self.started.emit(task)

    def _done(self, made: MovieFiles) -> None:
        written = [str(file) for file in (made.movie, made.recipe) if file is not None]
        for files, what in ((made.frames, "frames"), (made.volumes, "volumes and scripts")):
            if files:
                written.append(f"{len(files)} {what} in {files[0].parent}")
        written += [str(file) for file in made.scripts if file == self.text.path]
        self.notices.say("Written: " + "; ".join(written))

    def _lay_out(self) -> None:
        self.recipe.setChecked(True)
        self.recipe.setToolTip("napari-cryodrgn movie --recipe FILE -o MOVIE repeats it exactly")
        self.movie.box.setChecked(True)
        form = QFormLayout()
        form.setSpacing(5)
        form.addRow(self.summary)
        for target in self.targets:
            form.addRow(target)
            if target is self.movie:
                form.addRow(self.recipe)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.write_button)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(form)
        layout.addWidget(self.look)
        layout.addWidget(self.notices)
        layout.addWidget(self.tasks)
        layout.addLayout(buttons)


def _told(error: InputError) -> tuple[str, Any, str]:
    message, details = input_message(error)
    return message, "warning", details


def _writing(
    recipe: MovieRecipe,
    movie: Path | None,
    frames: Path | None,
    volumes: Path | None,
    recipe_file: Path | None,
    text: Path | None,
) -> Task[MovieFiles]:
    """What the command line's ``movie`` does, and the path as text."""
    made = MovieFiles()
    if movie is not None or frames is not None or volumes is not None:
        made = yield from make_movie(
            recipe, movie, frames_folder=frames, volumes_folder=volumes, recipe_file=recipe_file
        )
    if text is not None:
        yield Progress(0, None, "Writing the path")
        if not text.absolute().parent.is_dir():
            raise InputError("its folder does not exist", file=text)
        write_z_values(text, recipe.points)
        made = MovieFiles(made.movie, made.recipe, made.frames, made.volumes, (*made.scripts, text))
    return made
