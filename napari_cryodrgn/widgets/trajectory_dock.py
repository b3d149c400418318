"""The *Trajectory* dock: paths through the latent space, played and exported as movies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path import MAX_FRAMES, LatentPath
from napari_cryodrgn.latent.path_makers import principal_axis_path, tour_path
from napari_cryodrgn.latent.path_pace import PacedPath, latent_pace
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import VOLUME, find_dock
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.movie_dialog import MovieDialog
from napari_cryodrgn.widgets.path_desk import MeasuredRoute, path_desk, shares_of
from napari_cryodrgn.widgets.path_profile_plot import ProfilePlot
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import TaskHandle, start_task
from napari_cryodrgn.widgets.theme import dim_label, theme_colours
from napari_cryodrgn.widgets.trajectory_form import RouteForm
from napari_cryodrgn.widgets.trajectory_list import PathList
from napari_cryodrgn.widgets.trajectory_player import FramePlayer
from napari_cryodrgn.widgets.volume_dock import VolumeDock
from napari_cryodrgn.workflows.traverse import volume_paced

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.latent.space import LatentSpace

EMPTY_TITLE = "No path yet"
EMPTY_TEXT = (
    "Open a run: then draw a path through its latent space (D, in the latent plot), see the "
    "molecule move along it, and write the movie."
)
HOW_TO = "Draw a path in the latent plot (D), or take one from Make."
MOST_COMPONENTS, MOST_CLASSES = 6, 100
PACE_AFTER = 500
"""Time after the last change until volumes are decoded for an even pace, ms."""


class TrajectoryDock(SessionDock):
    """Named paths, how they go, what lies along them, and the molecule moving."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.desk = path_desk(self.session)
        self.book = self.session.paths
        self.list = PathList(self.book)
        self.form = RouteForm()
        self.profile = ProfilePlot()
        self.player = FramePlayer(self.session)
        self.notices = NoticeBar()
        self.tasks = TaskBar(pausable=False)
        self.export_button = QPushButton("Export…")
        self.widen_button = QPushButton()
        self.dialog: MovieDialog | None = None
        self._words = dim_label()
        self._shares: npt.NDArray[np.float64] = np.zeros(0)
        self._made_of: tuple[object, ...] | None = None
        self._pacing: TaskHandle | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(PACE_AFTER)
        self._wait.timeout.connect(self._pace_by_volume)
        self._lay_out()
        self._connect()
        self._show_latent(self.session.latent)

    # What the buttons do

    def draw_on(self) -> None:
        """Let the mouse draw at the end of the path chosen."""
        self.desk.go_on()

    def export(self) -> None:
        """Open the dialog that writes movies."""
        run, path, z = self.session.run, self.book.active, self.player.frames.z
        if run is None or path is None or z is None:
            return
        if self.dialog is None:
            self.dialog = MovieDialog(self)
            self.dialog.started.connect(self.own)
        self.dialog.show_path(run, path.name, path.colour, z, self._level())
        self.dialog.show()
        self.dialog.raise_()

    def widen(self) -> None:
        """Take the larger graph that has a way."""
        route = self._route()
        if route is not None and route.offered is not None:
            most, average = route.offered
            self._edit({"max_neighbors": most, "avg_neighbors": average})

    def make_component(self, number: int, *_: object) -> None:
        """Add a path along a principal component, from 1."""
        latent = self.session.latent
        if latent is not None:
            self._add(principal_axis_path(latent.components, number))

    def make_tour(self, column: str, *_: object) -> None:
        """Add the shortest path through the particles nearest to the centres of classes."""
        latent = self.session.latent
        if latent is None:
            return
        codes = latent.columns[column].cat.codes.to_numpy()
        positions = class_centres(latent.mu, codes)
        rows = [int(row) for row in latent.rows.rows[positions]]
        name = f"Tour of {column_title(column)}"
        try:
            self._add(tour_path(latent.mu[positions], rows, name=name))
        except InputError as error:
            self.notices.say(str(error), "warning")

    def _add(self, path: LatentPath) -> None:
        name, number = path.name, 2
        while name in self.book.names:
            name, number = f"{path.name} ({number})", number + 1
        values = {**dict(path), "name": name}
        del values["colour"]  # one that the others do not have
        self.book.add(**values)
        self.desk.end()

    def _edit(self, changes: dict[str, Any]) -> None:
        path = self.book.active
        if path is None:
            return
        try:
            self.book.edit(path.name, **changes)
        except InputError as error:
            self.notices.say(str(error), "warning")

    # What has changed

    def _refresh(self, _: object = None) -> None:
        self.list.refresh()
        path, route = self.book.active, self._route()
        self.form.show_path(path)
        self.profile.show_profile(None if route is None else route.profile)
        self._words.setText(_words(path, route))
        offered = None if route is None else route.offered
        self.widen_button.setVisible(offered is not None)
        if offered is not None:
            self.widen_button.setText(f"Take {offered[0]} neighbours, {offered[1]:g} on average")
        self._make_frames(path, route)

    def _route(self) -> MeasuredRoute | None:
        path = self.book.active
        return None if path is None else self.desk.route_of(path)

    def _make_frames(self, path: LatentPath | None, route: MeasuredRoute | None) -> None:
        """Frames at the pace chosen, where path and route are others than before."""
        if path is None or route is None or route.routed is None:
            if path is None or route is not None:
                self._stop_pacing()
                self._set_frames("", None)
                self._made_of = None
            return
        made_of = (id(route), path.pace, path.n_frames)
        if made_of == self._made_of:
            self.player.name = path.name
            return
        self._made_of = made_of
        self._stop_pacing()
        points = route.routed.points
        if path.pace == "points":
            self._set_frames(path.name, points.astype(np.float32)[:MAX_FRAMES])
            return
        self._set_frames(path.name, latent_pace(points, path.n_frames))
        if path.pace == "volume":
            self._wait.start()

    def _pace_by_volume(self) -> None:
        """Decode volumes along the route until frames change it evenly."""
        run, path, route = self.session.run, self.book.active, self._route()
        if run is None or path is None or route is None or route.routed is None:
            return
        make = partial(
            volume_paced, run.folder, run.epoch, route.routed.points, path.n_frames, "auto"
        )
        made_of = self._made_of
        self._pacing = start_task(
            make,
            "Finding an even pace",
            done=lambda paced: self._take_pace(made_of, path.name, paced),
        )
        self.tasks.follow(self.own(self._pacing))

    def _take_pace(self, made_of: object, name: str, paced: PacedPath) -> None:
        if made_of != self._made_of:
            return
        self._set_frames(name, paced.z)
        self._words.setText(
            f"{self._words.text()} Largest step of the volume over the smallest: "
            f"{paced.ratio:.2f} ({paced.latent_ratio:.2f} at equal steps in z)."
        )

    def _stop_pacing(self) -> None:
        self._wait.stop()
        if self._pacing is not None and self._pacing.running:
            self._pacing.cancel()
        self._pacing = None

    def _set_frames(self, name: str, z: npt.NDArray[np.float32] | None) -> None:
        self._shares = np.zeros(0) if z is None else shares_of(z)
        self.player.set_frames(name, z)
        self.export_button.setEnabled(z is not None and self.session.decodable)
        self._show_frame(-1)

    def _show_frame(self, number: int) -> None:
        path, z = self.book.active, self.player.frames.z
        if number < 0 or z is None or path is None:
            self.desk.show_dot(None)
            self.profile.show_share(0.0 if z is not None else None)
            return
        self.desk.show_dot(z[number], path.colour)
        self.profile.show_share(float(self._shares[number]))

    def _scrub(self, share: float) -> None:
        if len(self._shares) > 1:
            nearest = int(np.argmin(np.abs(self._shares - share)))
            self.player.slider.setValue(nearest)

    def _show_latent(self, latent: LatentSpace | None) -> None:
        self._pages.setCurrentIndex(0 if latent is None or not latent.zdim else 1)
        self._stop_pacing()
        self._set_frames("", None)
        self._made_of = None
        menu = self.list.make_menu
        menu.clear()
        if latent is not None:
            for number in range(1, min(latent.zdim, MOST_COMPONENTS) + 1):
                action = menu.addAction(f"Along PC {number}, 5 to 95 %")
                action.triggered.connect(partial(self.make_component, number))
            menu.addSeparator()
            for name in latent.columns.columns:
                values = latent.columns[name]
                if hasattr(values, "cat") and 2 <= len(values.cat.categories) <= MOST_CLASSES:
                    action = menu.addAction(f"Tour of {column_title(str(name))}")
                    action.triggered.connect(partial(self.make_tour, str(name)))
        self._refresh()

    def _level(self) -> float | None:
        """Contour level that volumes are shown with."""
        volumes = find_dock(self.viewer, VOLUME)
        if isinstance(volumes, VolumeDock) and volumes.layers.scale is not None:
            return volumes.layers.level
        return None if self.session.scale is None else self.session.scale.level

    def _follow_theme(self, _: object = None) -> None:
        colours = theme_colours(self.viewer.theme)
        self.profile.set_colours(background=colours.background, text=colours.text)

    def _connect(self) -> None:
        self.list.draw.connect(self.draw_on)
        self.list.problem.connect(lambda words: self.notices.say(words, "warning"))
        self.form.edited.connect(self._edit)
        self.profile.scrubbed.connect(self._scrub)
        self.player.frame_changed.connect(self._show_frame)
        self.export_button.clicked.connect(self.export)
        self.widen_button.clicked.connect(self.widen)
        self.listen(self.desk.changed, self._refresh)
        self.listen(self.session.latent_changed, self._show_latent)
        self.at_end(partial(self.desk.show_dot, None))
        self.at_end(self.player.frames.stop)
        self.viewer.events.theme.connect(self._follow_theme)
        self.at_end(partial(self.viewer.events.theme.disconnect, self._follow_theme))
        self._follow_theme()

    def _lay_out(self) -> None:
        self.export_button.setToolTip(
            "Movie, frames, volumes, z-path.txt, ChimeraX scripts and recipe of this path"
        )
        self.widen_button.setToolTip("A larger graph has a way between these waypoints")
        self.widen_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.empty = EmptyState(EMPTY_TITLE, EMPTY_TEXT, "")
        along = QWidget()
        words = QVBoxLayout(along)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(4)
        words.addWidget(self.profile)
        words.addWidget(self._words)
        words.addWidget(self.widen_button)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(4)
        column.addWidget(self.list)
        for title, content in (
            ("Along the path", along),
            ("Route and pace", self.form),
        ):
            column.addWidget(Fold(title, content, expanded=True))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Played while something above is scrolled to: it always stays in view.
        self.player.row.addWidget(self.export_button)
        whole = QWidget()
        parts = QVBoxLayout(whole)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.setSpacing(4)
        parts.addWidget(scroll, 1)
        parts.addWidget(self.player)
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(whole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self.notices)
        layout.addWidget(self.tasks)
        layout.addWidget(pages, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


def class_centres(
    mu: npt.NDArray[np.float32], codes: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Positions of the particles nearest to the mean of each class.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    codes : (N,) int array
        Class of each particle, from 0; negative for none.

    Returns
    -------
    (K,) int64 array
        For the classes that have particles.
    """
    found = []
    for code in np.unique(codes[codes >= 0]):
        members = np.flatnonzero(codes == code)
        away = np.square(mu[members] - mu[members].mean(axis=0)).sum(axis=1)
        found.append(int(members[np.argmin(away)]))
    return np.array(found, dtype=np.int64)


def _words(path: LatentPath | None, route: MeasuredRoute | None) -> str:
    """What is to be said of a path."""
    if path is None:
        return HOW_TO
    if len(path) < 2:
        return f"{path.name} has {len(path) or 'no'} waypoint{'' if len(path) == 1 else 's'} yet."
    if route is None:
        return "Finding the route …"
    if route.problem or route.profile is None or route.routed is None:
        return f"No route: {route.problem}."
    far = route.profile.far_share
    words = f"Length {route.routed.length:.3g} in z, mean log density "
    words += f"{route.profile.mean_log_density:.2f}."
    if far > 0:
        words += f" {far:.0%} of it is far from particles: what is decoded there is a guess."
    return " ".join([words, *(f"{remark}." for remark in route.routed.remarks)])
