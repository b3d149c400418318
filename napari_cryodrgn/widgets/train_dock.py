"""The *Train* dock: set up a training, follow it, pause, stop and continue it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session import Session
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.labels import ElidedLabel
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.opening import follow_training, open_run_in
from napari_cryodrgn.widgets.tasks import Failure, TaskHandle, start_task
from napari_cryodrgn.widgets.theme import theme_colours
from napari_cryodrgn.widgets.train_launch import (
    asking_to_stop,
    following,
    training_here,
    training_in_background,
    training_on_slurm,
)
from napari_cryodrgn.widgets.train_settings import TrainSettings
from napari_cryodrgn.widgets.train_status import TrainStatus
from napari_cryodrgn.workflows.launch import under_way

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.workflows.follow_status import When
    from napari_cryodrgn.workflows.open_run import OpenRun

NO_PARTICLES = "No particles are open."
NO_POSES = "The open particles have no poses, and training needs them."


class TrainDock(SessionDock):
    """Trains a model on the open particles, in a worker thread or beside the window.

    A training that runs elsewhere, whoever started it, is followed through its run folder.
    """

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.particles_line = ElidedLabel()
        self.particles_button = QPushButton("Particles…")
        self.settings = TrainSettings()
        self.settings_fold = Fold("Settings", self.settings, expanded=True)
        self.start_button = QPushButton("Start training")
        self.pause_button = QPushButton("Pause")
        self.last_epoch_button = QPushButton("Stop after epoch")
        self.stop_button = QPushButton("Stop")
        self.notices = NoticeBar()
        self.status = TrainStatus()
        self.task: TaskHandle | None = None
        self.run: RunFolder | None = None
        self.attached = False
        self._stopping = False
        self._reading: TaskHandle | None = None
        self._newer_epoch = False
        self._followed: int | None = None
        self._lay_out()
        self.particles_button.clicked.connect(self.show_particles_dock)
        self.start_button.clicked.connect(self.start)
        self.pause_button.clicked.connect(self.toggle_pause)
        self.stop_button.clicked.connect(self.stop)
        self.last_epoch_button.clicked.connect(self.stop_after_epoch)
        self.settings.changed.connect(self._show_state)
        self.settings.invert_changed.connect(self.session.set_invert_data)
        self.listen(self.session.particles_changed, self._show_particles)
        self.listen(self.session.particle_config_changed, self._show_particle_config)
        self.listen(self.session.run_changed, self._show_run)
        self.viewer.events.theme.connect(self._follow_theme)
        self.at_end(partial(self.viewer.events.theme.disconnect, self._follow_theme))
        self._follow_theme()
        self._show_particles(self.session.particles)
        self._show_particle_config(self.session.particle_config)
        self._show_run(self.session.run)
        self.own(start_task(_device_here, "Looking for a GPU", done=self.settings.set_device))

    # What the buttons do

    def show_particles_dock(self) -> None:
        """Open the Particles dock, or bring it to the front."""
        from napari_cryodrgn.widgets.docks import PARTICLES, open_dock

        open_dock(self.viewer, PARTICLES)

    def start(self) -> None:
        """Train, continue the run that the folder holds, or follow the training there."""
        if self.task is not None:
            return
        self.notices.clear()
        self.settings.look_at_folder()
        folder = self.settings.folder.path()
        if self.settings.state.kind == "training" and folder is not None:
            self.follow(folder)
            return
        config = self.settings.config(self.session.particle_config)
        if config is None:
            self.settings_fold.open()
            return
        launch = self.settings.launch
        make = {"window": training_here, "background": training_in_background}.get(launch.kind)
        if make is None:
            options = launch.slurm.validated()
            if options is None:
                self.settings_fold.open()
                return
            make = partial(training_on_slurm, options)
        words = "Continuing" if config.load else "Training into"
        run = RunFolder(config.outdir.expanduser().absolute())
        self._begin(run, words, attached=launch.kind != "window")
        self._take_task(start_task(partial(make, config), "Training"))

    def follow(self, folder: Path) -> None:
        """Follow the training that runs in a folder, here or on another computer."""
        if self.task is not None:
            return
        self._begin(RunFolder(folder.expanduser().absolute()), "Following", attached=True)
        self._take_task(start_task(partial(following, folder), "Following the training"))
        self._renew_latents()

    def _begin(self, run: RunFolder, words: str, *, attached: bool) -> None:
        self.run = run
        self.attached = attached
        self._stopping = False
        self._followed = None
        self.status.begin(run)
        self.status.setVisible(True)
        self.status.write(f"{words} {run.path}")

    def _take_task(self, task: TaskHandle) -> None:
        self.task = self.own(task)
        task.progressed.connect(self._show_progress)
        task.done.connect(self._finish)
        task.failed.connect(self._fail)
        task.cancelled.connect(self._show_stopped)
        task.paused_changed.connect(self._show_pause)
        self.settings_fold.close_up()
        self._show_state()

    def toggle_pause(self) -> None:
        """Pause the training after the present step, or let it go on."""
        if self.task is None:
            return
        self.pause_button.setEnabled(False)  # until the worker has come to its next report
        if self.task.paused:
            self.task.resume()
        else:
            self.task.pause()

    def stop(self) -> None:
        """Stop the training after the present step; finished epochs stay."""
        if self.task is None:
            return
        self._stopping = True
        self.stop_button.setEnabled(False)
        self.last_epoch_button.setEnabled(False)
        self.pause_button.setEnabled(False)
        self.status.words.setText("Stopping …")
        if self.attached:
            self._ask_to_stop("now")
        else:
            self.task.cancel()

    def stop_after_epoch(self) -> None:
        """Stop the training when the epoch under way is finished and saved."""
        if self.task is None:
            return
        self.last_epoch_button.setEnabled(False)
        self.status.write("Stops when this epoch is finished")
        self._ask_to_stop("epoch")

    def _ask_to_stop(self, when: When) -> None:
        if self.run is not None:
            asking = start_task(
                partial(asking_to_stop, self.run, when),
                "Asking the training to stop",
                failed=self._show_failure,
            )
            self.own(asking)

    # What the training says

    def _show_progress(self, progress: Progress) -> None:
        if not self._stopping:
            self.status.show_progress(progress)
        if isinstance(progress, TrainingProgress) and progress.finished_epoch is not None:
            self._take_epoch()

    def _take_epoch(self) -> None:
        """An epoch is finished: its losses go into the plot and the log, its latents to all."""
        if self.run is None:
            return
        epochs = self.status.show_history(self.run)
        if epochs:
            last = epochs[-1]
            self.status.write(f"epoch {last.epoch}  loss {last.loss:.4f}  KL {last.kld:.3g}")
        self._renew_latents()

    def _renew_latents(self) -> None:
        """Have the session read the newest epoch; where it still reads one, once more after it."""
        if self.run is None:
            return
        if self._reading is not None and self._reading.running:
            self._newer_epoch = True
            return
        self._newer_epoch = False
        # While an epoch was read others may have been finished: what is shown is then not
        # the newest one, and yet nobody has asked for an older one.
        shown = self.session.run
        if shown is not None and shown.folder == self.run and shown.epoch == self._followed:
            self._reading = open_run_in(self.session, self.run.path, before=shown)
        else:
            self._reading = follow_training(self.session, self.run.path)
        if self._reading is not None:
            self.own(self._reading)
            self._reading.done.connect(self._take_followed)
            self._reading.finished.connect(self._renew_if_newer)

    def _take_followed(self, run: OpenRun) -> None:
        self._followed = run.epoch

    def _renew_if_newer(self) -> None:
        if self._newer_epoch:
            self._renew_latents()

    def _finish(self, result: object) -> None:
        """The training is over: one in this window done, one followed however it ended."""
        state, text = getattr(result, "state", "finished"), getattr(result, "text", "")
        if state == "stopped":
            self._show_stopped()
        elif state in ("failed", "died"):
            self._fail(Failure(text, getattr(result, "details", "")))
        elif state == "none":
            self._end(f"{text}.")
        else:
            self._end("Training complete.")
            self.status.bar.setValue(self.status.bar.maximum())

    def _show_failure(self, failure: Failure) -> None:
        self.notices.say(failure.message, "error", failure.details)

    def _fail(self, failure: Failure) -> None:
        self._show_failure(failure)
        self._end("Training failed: see the message above.")

    def _show_stopped(self) -> None:
        finished = 0 if self.run is None else max(self.run.weight_epochs(), default=0)
        if self.run is None or not self.run.config.is_file():
            self._end("Stopped before anything was written.")
        elif finished:
            self._end(f"Stopped. Epoch {finished} is the last finished one.")
        else:
            self._end("Stopped before the first epoch was finished.")

    def _end(self, words: str) -> None:
        self.task = None
        self.attached = False
        if self.run is not None:
            self.status.show_history(self.run)
        self.status.end(words)
        self.settings.look_at_folder()
        self._show_state()

    def _show_pause(self, paused: bool) -> None:
        self.pause_button.setEnabled(True)
        self.pause_button.setText("Resume" if paused else "Pause")
        if paused:
            self.status.pace.setText("paused")

    # What the session says

    def _show_particles(self, particles: Particles | None) -> None:
        if particles is None:
            self.particles_line.setText(NO_PARTICLES)
        else:
            size = "? Å" if particles.pixel_size is None else f"{particles.pixel_size:.4g} Å"
            self.particles_line.setText(
                f"{particles.source.path.name} · {len(particles):,} particles · "
                f"{particles.box} px · {size}/px"
            )
        self._show_state()

    def _show_particle_config(self, config: ParticleConfig | None) -> None:
        if self.task is None:
            self.settings.set_particles(config)
        self._show_state()

    def _show_run(self, run: OpenRun | None) -> None:
        """A run was opened: follow it where it is being trained, else offer to continue it.

        Where particles are open too, a folder of one's own stays chosen.
        """
        if run is None or self.task is not None:
            return
        if under_way(run.folder):
            self.settings.folder.set_path(run.folder.path)
            self.follow(run.folder.path)
        elif self.session.particles is None:
            self.settings.folder.set_path(run.folder.path)

    def _show_state(self) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        training = self.task is not None
        kind = self.settings.state.kind
        continuing, running = kind == "run", kind == "training" and not training
        particles = self.session.particles
        reason = ""
        if kind in ("none", "unusable"):
            reason = self.settings.state.text
        elif running:
            reason = ""
        elif not continuing and particles is None:
            reason = NO_PARTICLES
        elif not continuing and particles is not None and particles.poses is None:
            reason = NO_POSES
        self.settings.setEnabled(not training)
        self.start_button.setText(
            "Follow training" if running else "Continue run" if continuing else "Start training"
        )
        self.start_button.setEnabled(not training and not reason)
        self.start_button.setToolTip(reason or self._start_help(continuing, running))
        self.pause_button.setEnabled(training and not self.attached)
        self.pause_button.setVisible(not self.attached)
        self.stop_button.setEnabled(training)
        self.last_epoch_button.setEnabled(training)
        if not training:
            self.pause_button.setText("Pause")

    def _start_help(self, continuing: bool, running: bool) -> str:
        if running:
            return "Show how the training in this folder goes on, wherever it runs"
        if continuing:
            return f"Go on after epoch {self.settings.state.finished}"
        return "Train in the background; napari stays usable"

    def _follow_theme(self) -> None:
        colours = theme_colours(self.viewer.theme)
        self.status.plot.set_colours(background=colours.background, text=colours.text)

    # Layout

    def _lay_out(self) -> None:
        self.particles_button.setToolTip("Choose and check particles in the Particles dock")
        self.pause_button.setToolTip("Wait after the present step, until resumed")
        self.stop_button.setToolTip(
            "Stop after the present step. Finished epochs stay; “Continue run” goes on after "
            "the last of them."
        )
        self.last_epoch_button.setToolTip(
            "Stop when the epoch under way is finished and saved, so that none of it is lost"
        )
        self.status.setVisible(False)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        column.addWidget(self.settings_fold)
        column.addWidget(self.status, 1)
        column.addStretch(0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        head = QHBoxLayout()
        head.addWidget(self.particles_line, 1)
        head.addWidget(self.particles_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button, 2)
        buttons.addWidget(self.pause_button, 1)
        buttons.addWidget(self.last_epoch_button, 1)
        buttons.addWidget(self.stop_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(head)
        layout.addWidget(self.notices)
        layout.addWidget(scroll, 1)
        layout.addLayout(buttons)


def _device_here() -> Task[str]:
    """Which device 'auto' means on this computer."""
    yield Progress(0, None, "Looking for a GPU")
    from napari_cryodrgn.training.device import choose_device

    return choose_device("auto").type
