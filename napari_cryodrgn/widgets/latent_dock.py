"""The *Latent space* dock: open a run, see where its particles lie, click one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.progress import Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import Notice, Pick, ShownVolume, State
from napari_cryodrgn.widgets.collector import QUIET
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.docks import frame_of
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.labels import ElidedLabel, TwoLines
from napari_cryodrgn.widgets.latent_menu import LatentMenu
from napari_cryodrgn.widgets.latent_plot import LatentPlot
from napari_cryodrgn.widgets.latent_toolbar import LatentToolBar, load_tools
from napari_cryodrgn.widgets.layout_once import lay_out_later
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.opening import open_run_in, reload_run
from napari_cryodrgn.widgets.seldom import WORDS_SECONDS, Seldom
from napari_cryodrgn.widgets.selection_on_plot import SelectionsOnPlot, add_undo_keys
from napari_cryodrgn.widgets.shared_contexts import steady
from napari_cryodrgn.widgets.shortcuts import show_shortcuts
from napari_cryodrgn.widgets.start_page import StartPage, reading_recent
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import start_task
from napari_cryodrgn.widgets.theme import dim_label

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.run import AnalysisFolder
    from napari_cryodrgn.widgets.latent_tool import LatentTool
    from napari_cryodrgn.workflows.open_run import OpenRun

PLOT_HINT = (
    "Click a particle, or drag through them, to see volumes. "
    "Right drag moves the plot, the wheel zooms."
)


class LatentDock(SessionDock):
    """Latent space of the open run."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.plot = LatentPlot(self.session, self.viewer.theme)
        self.tools = LatentToolBar(load_tools(self.plot), self.viewer.theme)
        self.selections = SelectionsOnPlot(self.plot, self.session)
        self.notices = NoticeBar()
        self.tasks = TaskBar()
        self.start_page = StartPage()
        self.epoch_box = QComboBox()
        self.analyze_button = QPushButton("Analyze")
        self.open_button = QPushButton()
        self.missing_button = QToolButton()
        self.fit_button = QPushButton()
        self.menu = LatentMenu(self)
        self._words = Seldom(WORDS_SECONDS)
        self._run_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self._no_analysis = QLabel()
        self._shown = dim_label(wrap=False)
        self._line, self._hint = TwoLines(PLOT_HINT), TwoLines()
        self._lay_out()
        self.start_page.run_button.clicked.connect(self.choose_run)
        self.start_page.particles_button.clicked.connect(self.choose_particles)
        self.start_page.sample_button.clicked.connect(self.open_sample)
        self.start_page.recent_chosen.connect(self.open_run)
        self.start_page.keys_button.clicked.connect(self.show_keys)
        self.open_button.clicked.connect(self.choose_run)
        self.epoch_box.activated.connect(self._choose_epoch)
        self.analyze_button.clicked.connect(self.analyze)
        self.missing_button.clicked.connect(self._tell_problems)
        self.fit_button.clicked.connect(self.plot.fit)
        self.tools.chosen.connect(self._use_tool)
        self.plot.canvas.input.key_pressed.connect(self._take_key)
        self.plot.legend_clicked.connect(self._choose_class)
        self.plot.picked.connect(self.session.pick)
        self.plot.pointed.connect(self._point)
        self.plot.missed.connect(partial(self._point, "No particle lies there: click nearer."))
        self.plot.shown_changed.connect(self._show_count)
        self.listen(self.session.run_changed, self._show_run)
        self.listen(self.session.epochs_changed, self._show_epochs)
        self.listen(self.session.latent_changed, self._show_latent)
        self.listen(self.session.picked, self._show_pick)
        self.listen(self.session.state_changed, self._show_state)
        self.listen(self.session.volume_given, self._mark_moving)
        self.listen(self.session.message, self._show_message)
        self.viewer.events.theme.connect(self._follow_theme)
        self.at_end(partial(self.viewer.events.theme.disconnect, self._follow_theme))
        self.at_end(self.plot.shutdown)
        QUIET.hold()
        self.at_end(QUIET.let_go)
        self.at_end(self.selections.shutdown)
        add_undo_keys(self, self.session.selections)
        self._shown_run: object = None
        self._warmed_up = False
        self._start()

    def _start(self) -> None:
        """Show what the session has open already."""
        for tool in self.tools.tools.values():
            tool.hinted.connect(self._hint.setText)
        first = next(iter(self.tools.tools), None)
        if first is not None:
            self.tools.choose(first)
        run = self.session.run
        self._show_run(run)
        if run is not None:
            self._show_epochs(self.session.refresh_epochs())
            self._show_latent(run.latent)
            if self.session.pick_now is not None:
                self._show_pick(self.session.pick_now)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt
        """Make the plot ready once the window has shown the dock."""
        super().showEvent(event)
        if not self._warmed_up:
            self._warmed_up = True
            frame = frame_of(self)
            if frame is not None:
                steady(frame)
            QTimer.singleShot(0, self, self.plot.warm_up)

    # What the buttons do

    def choose_run(self) -> None:
        """Ask for a run folder and open it."""
        start = "" if self.session.run is None else str(self.session.run.folder.path.parent)
        folder = QFileDialog.getExistingDirectory(self, "Open a run folder", start)
        if folder:
            self.open_run(folder)

    def choose_particles(self) -> None:
        """Bring the Particles dock to the front, and ask for a file there."""
        from napari_cryodrgn.widgets.docks import PARTICLES, open_dock

        dock = open_dock(self.viewer, PARTICLES)
        dock.choose_file()

    def show_keys(self) -> None:
        """Show what keys and mouse do."""
        show_shortcuts(self)

    def open_sample(self) -> None:
        """Make the sample run, unless it is there, and open it."""
        from napari_cryodrgn.widgets.samples import open_sample_run

        self.start_page.sample_button.setEnabled(False)
        task = open_sample_run(self.viewer)
        task.finished.connect(partial(self.start_page.sample_button.setEnabled, True))

    def open_run(self, path: str | Path, epoch: int | None = None) -> None:
        """Open a run folder in a worker thread."""
        task = self.own(open_run_in(self.session, path, epoch))
        self.tasks.follow(task, tells_failure=False)  # the session tells it

    def analyze(self) -> None:
        """Make UMAP, clusters and volumes of the epoch shown, then show them."""
        run = self.session.run
        if run is None or run.epoch is None:
            return
        task = start_task(
            partial(_analysis_of, run, run.epoch, with_volumes=self.session.decodable),
            f"Analyzing epoch {run.epoch}",
            done=lambda _: self.own(reload_run(self.session, run)),
        )
        self.tasks.follow(self.own(task))
        self.analyze_button.setEnabled(False)
        task.finished.connect(partial(self.analyze_button.setEnabled, True))

    def _choose_epoch(self) -> None:
        run, epoch = self.session.run, self.epoch_box.currentData()
        if run is not None and epoch != run.epoch:
            self.open_run(run.folder.path, epoch)

    def line_text(self) -> str:
        """What the line below the plot says."""
        return str(self._line.text())

    def _tell_problems(self) -> None:
        run = self.session.run
        if run is None:
            return
        if self.notices.isVisible() and self.notices.text().startswith("•"):
            self.notices.clear()
            return
        words = "\n".join(f"• {problem.what}" for problem in run.problems)
        places = "\n\n".join(
            f"{problem.what}; looked at\n  " + "\n  ".join(problem.tried)
            for problem in run.problems
            if problem.tried
        )
        self.notices.say(words, "warning", places)

    def _use_tool(self, tool: LatentTool) -> None:
        self.plot.canvas.input.set_tool(tool)
        self._hint.setText(tool.modifiers_text)

    def _take_key(self, key: str, modifiers: frozenset[str]) -> None:
        if not modifiers:
            self.tools.choose_by_key(key)

    def _choose_class(self, value: str, modifiers: frozenset[str]) -> None:
        column = self.plot.colour_column
        if column is not None:
            self.selections.choose_class(column, value, modifiers)

    # What the session says

    def _show_run(self, run: OpenRun | None) -> None:
        lay_out_later(self, self._opened, self._plot_area, self.plot)
        self.notices.clear()
        self._pages.setCurrentIndex(0 if run is None else 1)
        if run is None:
            self.plot.set_latent(None)
            self.own(start_task(reading_recent, "Recent runs", done=self.start_page.show_recent))
            return
        self._run_label.setText(run.folder.path.name)
        self._run_label.setToolTip(str(run.folder.path))

    def _show_epochs(self, epochs: list[int]) -> None:
        shown = None if self.session.run is None else self.session.run.epoch
        analysed = [] if self.session.run is None else self.session.run.folder.analysis_epochs()
        self.epoch_box.clear()
        for epoch in epochs:
            mark = "  · analyzed" if epoch in analysed else ""
            self.epoch_box.addItem(f"epoch {epoch}{mark}", epoch)
        self.epoch_box.setCurrentIndex(self.epoch_box.findData(shown))
        self.epoch_box.setVisible(bool(epochs))

    def _show_latent(self, latent: LatentSpace | None) -> None:
        run = self.session.run
        if run is None:
            return
        lay_out_later(self, self._opened, self._plot_area, self.plot)
        self._show_epochs(run.folder.latent_epochs())
        n = len(run.problems)
        self.missing_button.setVisible(bool(n))
        self.missing_button.setText(f"⚠ {n} missing")
        same = run.folder.path == self._shown_run and latent is not None
        self._shown_run = run.folder.path
        self._plot_area.setVisible(latent is not None)
        self._no_latent.setVisible(latent is None)
        self._no_latent.set_text(*_why_no_latent(run))
        if latent is None:
            self.plot.set_latent(None)
            self._analysis_row.setVisible(False)
            return
        self.plot.set_latent(latent, new_particles=not same)
        self.selections.draw()
        lacking = run.analysis is None or (latent.zdim > 2 and "UMAP" not in latent.embeddings)
        self._analysis_row.setVisible(lacking and run.epoch is not None)
        self._no_analysis.setText(f"Epoch {run.epoch} has no UMAP and no clusters yet.")

    def _show_pick(self, pick: Pick) -> None:
        self.plot.set_position(pick.position)
        self._show_line()

    def _show_state(self, state: State) -> None:
        self.plot.set_state(state)
        self._show_line()

    def _mark_moving(self, volume: ShownVolume) -> None:
        self.plot.mark_moving()
        if volume.last or self._words.due():
            self._words.said()
            self._line.setText(self._rest_text())

    def _show_line(self) -> None:
        """At once, but for what moves: then with the next volume."""
        state = self.session.state_now
        if state is None or not state.moving:
            self._line.setText(self._rest_text())

    def _show_count(self, text: str) -> None:
        self._shown.setText(text)
        self._line.setText(self._rest_text())  # which names what the plot is coloured by

    def _show_message(self, notice: Notice) -> None:
        lay_out_later(self)
        self.notices.show_notice(notice)

    def _point(self, text: str) -> None:
        self._line.setText(text or self._rest_text())
        if text:
            self.viewer.status = text

    def _rest_text(self) -> str:
        """What the line says while the mouse is nowhere: the picked particle."""
        pick, state = self.session.pick_now, self.session.state_now
        if self.session.latent is None:
            return PLOT_HINT
        if state is not None and state.pick is None:
            values = "  ·  ".join(f"z{axis}: {value:.3g}" for axis, value in enumerate(state.z))
            return f"Between the particles: {values}"
        if pick is None:
            return PLOT_HINT
        return f"Picked: {self.plot.describe(pick.position)}"

    def _follow_theme(self) -> None:
        self.plot.canvas.set_theme(self.viewer.theme)
        self.tools.set_theme(self.viewer.theme)

    # Layout

    def _lay_out(self) -> None:
        self.open_button.setText("Open…")
        self.open_button.setToolTip("Open another run folder")
        self.missing_button.setToolTip("What this run lacks, and where it was looked for")
        self.missing_button.setAutoRaise(True)
        self.fit_button.setText("Fit")
        self.fit_button.setToolTip("Show all points")
        self.epoch_box.setToolTip("Epoch of the training")
        self.epoch_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._no_analysis.setWordWrap(True)
        self._no_latent = EmptyState("", "", "")
        head = QHBoxLayout()
        head.addWidget(self._run_label, 1)
        head.addWidget(self.missing_button)
        head.addWidget(self.epoch_box)
        head.addWidget(self.open_button)
        self._analysis_row = QWidget()
        row = QHBoxLayout(self._analysis_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._no_analysis, 1)
        row.addWidget(self.analyze_button)
        tools = QHBoxLayout()
        tools.addWidget(self.tools, 1)
        tools.addWidget(self.fit_button)
        tools.addWidget(self.menu)
        self._plot_area = QWidget()
        area = QVBoxLayout(self._plot_area)
        area.setContentsMargins(0, 0, 0, 0)
        area.setSpacing(4)
        area.addLayout(tools)
        area.addWidget(self.plot, 1)
        area.addWidget(self._hint)
        area.addWidget(self._shown)
        area.addWidget(self._line)
        self._opened = QWidget()
        column = QVBoxLayout(self._opened)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self._analysis_row)
        column.addWidget(self._plot_area, 1)
        column.addWidget(self._no_latent, 1)
        # What is not shown yet must not ask for room either.
        self._analysis_row.hide()
        self._no_latent.hide()
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.start_page)
        self._pages.addWidget(self._opened)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self.notices)
        layout.addWidget(pages, 1)
        layout.addWidget(self.tasks)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


def _analysis_of(run: OpenRun, epoch: int, *, with_volumes: bool) -> Task[AnalysisFolder]:
    """Import what analyses only in the worker thread: it brings torch."""
    from napari_cryodrgn.workflows.analyze import analyze

    result = yield from analyze(run.folder, epoch, skip_vol=not with_volumes)
    return result


def _why_no_latent(run: OpenRun) -> tuple[str, str]:
    if run.config is not None and run.config.model.zdim == 0:
        return (
            "This run has no latent space",
            "It was trained without latent dimensions: all its particles share one volume, "
            "which the main canvas shows.",
        )
    lacks = "\n\n".join(str(problem) for problem in run.problems)
    return "The latents of this run are missing", lacks
