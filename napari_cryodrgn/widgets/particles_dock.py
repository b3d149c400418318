"""The *Particles* dock: choose particles, check them, and see what they look like."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.io.image_stack import check_images
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.session import Session, particle_config, reading_particles
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.forms import field_help, heading
from napari_cryodrgn.widgets.image_layers import LazyImages, stack_layer
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.particle_files import (
    FILE_FILTER,
    ParticleFiles,
    dropped_particle_file,
)
from napari_cryodrgn.widgets.particle_images import N_IMAGES, ParticleImages
from napari_cryodrgn.widgets.particle_summary import SummaryTable, summary_lines
from napari_cryodrgn.widgets.task_bar import TaskBar
from napari_cryodrgn.widgets.tasks import Failure, start_task
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.workflows.contrast_sign import ContrastSign, measure_contrast
from napari_cryodrgn.workflows.sample_images import ImageSample, sample_images

if TYPE_CHECKING:
    from napari.components import ViewerModel

HINT = (
    "Choose a particle set, or drop one here.\n\n"
    "A .star file of RELION or a .cs file of cryoSPARC brings its poses and CTF. An image stack "
    "(.mrcs, .txt) needs cryoDRGN's poses.pkl and ctf.pkl beside it."
)

NO_POSES = (
    "These particles have no poses, and training needs them. Name cryoDRGN's poses.pkl, and "
    "ctf.pkl unless the images have no CTF, and open the particles again."
)


class ParticlesDock(SessionDock):
    """Chooses the particle set that training works on."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.files = ParticleFiles()
        self.open_button = QPushButton("Open particles")
        self.notices = NoticeBar()
        self.hint = dim_label(HINT)
        self.tasks = TaskBar(pausable=False)
        self.summary = SummaryTable()
        self.check_button = QPushButton("Check every image")
        self.layer_button = QPushButton("Show as layer")
        self.images = ParticleImages()
        self.verdict = NoticeBar()
        self.invert_box = QCheckBox()
        self.sign: ContrastSign | None = None
        self._handful = 0
        self._lay_out()
        self.files.dropped.connect(self.open_path)
        self.files.form.changed.connect(self._show_openable)
        self.open_button.clicked.connect(self.open)
        self.check_button.clicked.connect(self.check_all)
        self.layer_button.clicked.connect(self.show_as_layer)
        self.images.more_button.clicked.connect(self.another_handful)
        self.invert_box.toggled.connect(self.session.set_invert_data)
        self.listen(self.session.particles_changed, self._show_particles)
        self.listen(self.session.particle_config_changed, self._show_config)
        self._show_config(self.session.particle_config)
        self._show_particles(self.session.particles)
        self._show_openable()

    # What the buttons do

    def open_path(self, path: str | Path) -> None:
        """Name a file and open it."""
        self.files.set_path(path)
        self.open()

    def choose_file(self) -> None:
        """Ask for a particle file and open it."""
        path, _ = QFileDialog.getOpenFileName(self, "Choose particles", "", FILE_FILTER)
        if path:
            self.open_path(path)

    def open(self) -> None:
        """Read and check the files named, in a worker thread."""
        self.notices.clear()
        options = self.files.options()
        if options is None:
            return
        path = options.pop("path")
        task = start_task(
            partial(reading_particles, path, **options),
            f"Reading {path.name}",
            done=partial(self.session.set_particles, config=particle_config(path, options)),
        )
        self.open_button.setEnabled(False)
        task.finished.connect(self._show_openable)
        self.tasks.follow(self.own(task))

    def check_all(self) -> None:
        """Read every image and make sure that all pixels are numbers."""
        particles = self.session.particles
        if particles is None:
            return
        self.notices.clear()
        words = f"All {len(particles):,} images can be read; all pixels are numbers."
        task = start_task(
            partial(check_images, particles.images),
            "Checking images",
            done=lambda _: self.notices.say(words),
        )
        self.check_button.setEnabled(False)
        task.finished.connect(partial(self.check_button.setEnabled, True))
        self.tasks.follow(self.own(task))

    def another_handful(self) -> None:
        """Show other images."""
        self._handful += 1
        self._read_images()

    def show_as_layer(self) -> None:
        """Put the images into the viewer, one after the other, read when they are shown."""
        particles = self.session.particles
        if particles is None:
            return
        data, options, _ = stack_layer(
            LazyImages(particles.images), particles.source.path.name, particles.pixel_size
        )
        # In 3D napari would read the whole stack as one volume.
        self.viewer.dims.ndisplay = 2
        self.viewer.add_image(data, **options)
        self.viewer.reset_view()

    # What the session says

    def _show_config(self, config: ParticleConfig | None) -> None:
        if config is None:
            return
        if config.particles != self.files.path:
            self.files.set_config(config)
        with QSignalBlocker(self.invert_box):
            self.invert_box.setChecked(config.invert_data)
        self._show_verdict()

    def _show_particles(self, particles: Particles | None) -> None:
        self.sign = None
        self._handful = 0
        self.verdict.clear()
        self.images.clear()
        self._found.setVisible(particles is not None)
        self.hint.setVisible(particles is None)
        if particles is None:
            return
        self.summary.show_lines(summary_lines(particles))
        if particles.poses is None:
            self.notices.say(NO_POSES, "warning")
        self._read_images()
        self.own(
            start_task(
                partial(measure_contrast, particles.images),
                "Looking at the contrast",
                done=partial(self._take_sign, particles),
                failed=self._show_failure,
            )
        )

    def _read_images(self) -> None:
        particles = self.session.particles
        if particles is not None:
            self.own(
                start_task(
                    partial(sample_images, particles, N_IMAGES, self._handful),
                    "Reading images",
                    done=partial(self._take_images, particles),
                    failed=self._show_failure,
                )
            )

    def _take_images(self, particles: Particles, sample: ImageSample) -> None:
        if particles is self.session.particles:  # else another set was opened meanwhile
            self.images.show_sample(sample)

    def _take_sign(self, particles: Particles, sign: ContrastSign) -> None:
        if particles is self.session.particles:
            self.sign = sign
            self._show_verdict()

    def _show_verdict(self) -> None:
        particles, config = self.session.particles, self.session.particle_config
        if self.sign is None or particles is None or config is None:
            self.verdict.clear()
            return
        has_ctf = particles.ctf is not None
        text = verdict_text(self.sign, has_ctf=has_ctf, inverted=config.invert_data)
        wanted = self.sign.suggested_inversion(has_ctf=has_ctf)
        wrong = wanted is not None and wanted != config.invert_data
        self.verdict.say(text, "warning" if wrong else "info")

    def _show_failure(self, failure: Failure) -> None:
        self.notices.say(failure.message, "error", failure.details)

    def _show_openable(self, *_: object) -> None:
        busy = self.tasks.task is not None and self.tasks.task.running
        self.open_button.setEnabled(self.files.path is not None and not busy)

    # Dropping a file anywhere on the dock

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt
        """Take a particle file."""
        if dropped_particle_file(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt
        """Open the file dropped."""
        path = dropped_particle_file(event)
        if path is not None:
            event.acceptProposedAction()
            self.open_path(path)

    # Layout

    def _lay_out(self) -> None:
        field = ParticleConfig.model_fields["invert_data"]
        self.invert_box.setText(field.title or "")
        self.invert_box.setToolTip(field_help(field))
        self.check_button.setToolTip("Read all images and look for pixels that are no numbers")
        self.layer_button.setToolTip("Add the image stack to the viewer; images are read lazily")
        self.open_button.setToolTip("Read the table, and the headers of its image files")
        self.setAcceptDrops(True)
        self._found = QWidget()
        found = QVBoxLayout(self._found)
        found.setContentsMargins(0, 0, 0, 0)
        found.setSpacing(6)
        found.addWidget(heading("Now open"))
        found.addWidget(self.summary)
        found.addLayout(_row(self.check_button, self.layer_button))
        found.addWidget(heading("Images, as the files have them"))
        found.addWidget(self.images)
        found.addWidget(self.verdict)
        found.addWidget(self.invert_box)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        column.addWidget(self.files)
        column.addWidget(self.open_button)
        column.addWidget(self.hint)
        column.addWidget(self._found)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self.notices)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.tasks)


def verdict_text(sign: ContrastSign, *, has_ctf: bool, inverted: bool) -> str:
    """What the contrast of the images means for 'Invert contrast', in plain words.

    Parameters
    ----------
    sign : ContrastSign
        As measured.
    has_ctf : bool
        Whether the particles have a CTF.
    inverted : bool
        The present setting.
    """
    wanted = sign.suggested_inversion(has_ctf=has_ctf)
    measured = f"({sign.n_images} images, {abs(sign.significance):.0f} σ)"
    if wanted is None:
        return (
            f"Whether the particles are bright or dark cannot be told {measured}: look at the "
            "images. With a CTF, bright particles need “Invert contrast” on."
        )
    grounds = "bright on dark" if sign.looks == "bright" else "dark on bright"
    without = "" if has_ctf else " and have no CTF"
    state = "on" if wanted else "off"
    advice = (
        f"keep “Invert contrast” {state}"
        if wanted == inverted
        else (f"turn “Invert contrast” {state}, or the volumes will have negative density")
    )
    return f"Particles look {grounds} {measured}{without}: {advice}."


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget, 1)
    return row
