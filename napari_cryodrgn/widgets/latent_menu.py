"""What else can be done with the latent plot: behind the button *More*."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QFileDialog, QMenu, QToolButton

from napari_cryodrgn.latent.label_file import read_label_column
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.widgets.latent_picture import Picture
from napari_cryodrgn.widgets.opening import tell_failure
from napari_cryodrgn.widgets.placement import units
from napari_cryodrgn.widgets.tasks import start_task

if TYPE_CHECKING:
    from napari_cryodrgn.widgets.latent_dock import LatentDock

MOST_CHOICES = (10_000, 30_000, 100_000, 250_000, 1_000_000)
LABEL_FILES = "Labels (*.pkl *.csv *.npy)"


class LatentMenu(QToolButton):
    """Points drawn, a file of labels, and the points as a layer of the main viewer."""

    def __init__(self, dock: LatentDock) -> None:
        super().__init__()
        self._dock = dock
        self.setText("More…")
        self.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setToolTip("Points drawn, labels from a file, add to the main viewer")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        self._points = menu.addMenu("Points drawn at most")
        self._points.setToolTip("More of them are slower to move; selections always act on all")
        group = QActionGroup(self)
        for most in MOST_CHOICES:
            action = QAction(f"{most:,}", group)
            action.setCheckable(True)
            action.setData(most)
            action.triggered.connect(partial(self._set_most, most))
            self._points.addAction(action)
        self._points.aboutToShow.connect(self._mark_most)
        self.labels_action = menu.addAction("Colour by a file of labels…", self.choose_labels)
        self.layer_action = menu.addAction("Add to main viewer", self.add_layer)
        self.keys_action = menu.addAction("Keyboard and mouse…", dock.show_keys)
        self.setMenu(menu)

    def choose_labels(self) -> None:
        """Ask for a file of labels, and colour by it."""
        run = self._dock.session.run
        start = "" if run is None else str(run.folder.path)
        path, _ = QFileDialog.getOpenFileName(self, "Labels of the particles", start, LABEL_FILES)
        if path:
            self.read_labels(path)

    def read_labels(self, path: str | Path) -> None:
        """Make the values of a file a column of the latent space, and colour by it."""
        latent = self._dock.session.latent
        if latent is None:
            return
        task = start_task(
            partial(_with_labels, latent, Path(path)),
            f"Reading {Path(path).name}",
            done=partial(self._take_labels, latent),
            failed=partial(tell_failure, self._dock.session),
        )
        self._dock.tasks.follow(self._dock.own(task))

    def add_layer(self) -> None:
        """Add the particles to the main viewer, with their table as features."""
        picture = self._dock.plot.picture
        run = self._dock.session.run
        if picture is None or run is None:
            return
        task = start_task(
            partial(_layer_content, picture),
            "Preparing the points",
            done=partial(self._add_layer, f"latent space of {run.folder.path.name}", picture),
            failed=partial(tell_failure, self._dock.session),
        )
        self._dock.tasks.follow(self._dock.own(task))

    def _set_most(self, most: int) -> None:
        self._dock.plot.set_most_points(most)

    def _mark_most(self) -> None:
        for action in self._points.actions():
            action.setChecked(action.data() == self._dock.plot.most_points)

    def _take_labels(self, latent: LatentSpace, found: tuple[str, LatentSpace]) -> None:
        name, renewed = found
        session = self._dock.session
        if session.run is None or session.run.latent is not latent:
            session.say("Another latent space is open by now: the labels were not added.")
            return
        session.set_run(replace(session.run, latent=renewed))
        self._dock.plot.choose_colour(name)

    def _add_layer(self, name: str, picture: Picture, content: tuple) -> None:
        points, features, rgba = content
        span = float((picture.scatter.high - picture.scatter.low).max())
        volume = self._dock.session.volume
        known = volume is not None and volume.pixel_size is not None
        self._dock.viewer.add_points(
            points,
            features=features,
            face_color=rgba,
            border_width=0,
            # A plot of a few units would not be seen with points of napari's size.
            size=max(span, 1e-3) / 150,
            name=name,
            # It has none, but with others than the volume's napari forgets those too.
            units=units(known)[: points.shape[1]],
            metadata={"axes": picture.choice.names[::-1]},
        )


def _with_labels(latent: LatentSpace, path: Path) -> Task[tuple[str, LatentSpace]]:
    yield Progress(0, None, f"Reading {path.name}")
    values = read_label_column(path, latent)
    columns = latent.columns.assign(**{str(values.name): values.to_numpy()})
    if values.dtype == "category":
        columns[str(values.name)] = values
    return str(values.name), replace(latent, columns=columns)


def _layer_content(picture: Picture) -> Task[tuple]:
    yield Progress(0, None, "Preparing the points")
    there = picture.scatter.placed
    features = picture.frame.iloc[there].reset_index(drop=True)
    return picture.scatter.points[there], features, picture.colouring.of(there)
