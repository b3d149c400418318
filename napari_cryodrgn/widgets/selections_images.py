"""The images of the selected particles: looked at, picked, and marked as good or bad."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QShowEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.classifier import SCORE_COLUMN
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.form_editors import ChoiceBox
from napari_cryodrgn.widgets.latent_axes import column_title, identity_text
from napari_cryodrgn.widgets.particle_filter import FilterBox
from napari_cryodrgn.widgets.particle_images import grey_picture
from napari_cryodrgn.widgets.particle_tiles import ParticleTiles
from napari_cryodrgn.widgets.selection_marks import BAD_COLOUR, GOOD_COLOUR
from napari_cryodrgn.widgets.theme import dim_label
from napari_cryodrgn.workflows.gallery_images import GalleryLook, gallery_images
from napari_cryodrgn.workflows.outliers import AGREEMENT_COLUMN

HINT = (
    f'Click: its volume  ·  Shift+click or G: <span style="color:{GOOD_COLOUR}">good</span>'
    f'  ·  Alt+click or B: <span style="color:{BAD_COLOUR}">bad</span>  ·  again, or N: no mark'
    "  ·  arrows go on"
)
NO_IMAGES = "The images of this run were not found: what is missing is told above the latent plot."
BY_ROW, AT_RANDOM = "by row", "at random"
ORDER_COLUMNS = (SCORE_COLUMN, AGREEMENT_COLUMN, "z_norm")
KEYS: dict[str, bool | None] = {"G": True, "B": False, "N": None}

Found = tuple[npt.NDArray[np.int64], list[QImage], str]


class SelectedImages(QWidget):
    """The images of the working selection, or of all particles where nothing is selected."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._book = session.selections
        self._stale = True
        self._look = 0
        self.count_label, self.hint = QLabel(), dim_label(HINT)
        self.filter_box, self.order_box = FilterBox(), ChoiceBox()
        self.flip_box = QCheckBox("Flip phases")
        self.tiles = ParticleTiles(self._describe, self._colour)
        self._reading: Latest[tuple[int, Found]] = Latest(self._take, "gallery-images")
        self._lay_out()
        self.tiles.wanted.connect(self._read)
        self.tiles.clicked.connect(self._click)
        self.tiles.key_pressed.connect(self._key)
        self.filter_box.currentIndexChanged.connect(self._look_otherwise)
        self.flip_box.toggled.connect(self._look_otherwise)
        self.order_box.currentIndexChanged.connect(self.refresh)

    def follow(self, *_: object) -> None:
        """Another run, epoch or set of columns."""
        run, latent = self._session.run, self._session.latent
        there = run is not None and run.particles is not None and latent is not None
        for widget in (self.filter_box, self.order_box, self.flip_box, self.tiles):
            widget.setEnabled(there)
        particles = run.particles if run is not None else None
        self.hint.setText(HINT if there else NO_IMAGES)
        self.flip_box.setEnabled(particles is not None and particles.ctf is not None)
        size = None if particles is None else particles.pixel_size
        self.filter_box.offer(None if size is None or particles is None else size * particles.box)
        self._offer_orders()
        self._look_otherwise()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the particles that are selected now."""
        self._stale = True
        if self.isVisible():
            self._show()

    def refresh_marks(self, *_: object) -> None:
        """Other particles are marked."""
        self.tiles.viewport().update()

    def show_pick(self, *_: object) -> None:
        """Bring the image of the picked particle into view."""
        pick = self._session.pick_now
        self.tiles.set_current(None if pick is None else pick.position)

    def mark(self, position: int, good: bool | None) -> None:
        """Mark a particle as good or bad, or take its mark away."""
        self._book.mark(position, good)

    def shutdown(self) -> None:
        """Read no more."""
        self._reading.stop()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt
        """Only what is looked at is read."""
        super().showEvent(event)
        if self._stale:
            self._show()
        self.tiles.ask()

    def _show(self) -> None:
        run, latent = self._session.run, self._session.latent
        self._stale = False
        if run is None or run.particles is None or latent is None:
            self.tiles.show_particles(np.zeros(0, np.int64))
            self.count_label.setText("")
            return
        mask = self._book.mask
        chosen = np.flatnonzero(mask) if self._book.count else np.arange(len(mask))
        of = "selected particles" if self._book.count else "particles: nothing is selected"
        self.count_label.setText(f"{len(chosen):,} {of}")
        self.tiles.show_particles(self._ordered(chosen))
        self.show_pick()

    def _ordered(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        latent, order = self._session.latent, self.order_box.currentData()
        if order == AT_RANDOM:
            return np.random.default_rng().permutation(chosen)
        if latent is None or order not in latent.columns:
            return chosen
        values = latent.columns[order].to_numpy(float)[chosen]
        # What looks like junk comes first: high scores, and low agreement.
        return chosen[np.argsort(values if order == AGREEMENT_COLUMN else -values, kind="stable")]

    def _offer_orders(self) -> None:
        latent, chosen = self._session.latent, self.order_box.currentData()
        columns = () if latent is None else latent.columns.columns
        offered = [BY_ROW, AT_RANDOM, *(name for name in ORDER_COLUMNS if name in columns)]
        if offered == [self.order_box.itemData(n) for n in range(self.order_box.count())]:
            return
        self.order_box.blockSignals(True)
        self.order_box.clear()
        for name in offered:
            self.order_box.addItem(column_title(name), name)
        self.order_box.setCurrentIndex(max(0, self.order_box.findData(chosen)))
        self.order_box.blockSignals(False)

    # Reading

    def _look_otherwise(self, *_: object) -> None:
        self._look += 1
        self.tiles.forget_pictures()

    def _read(self, positions: npt.NDArray[np.int64]) -> None:
        run, latent = self._session.run, self._session.latent
        if run is None or run.particles is None or latent is None:
            return
        inverted = run.config is not None and run.config.invert_data
        look = GalleryLook(inverted, self.flip_box.isChecked(), self.filter_box.cycles())
        self._reading.request(
            partial(_found, self._look, run.particles, latent.rows, positions, look)
        )

    def _take(self, result: tuple[int, Found]) -> None:
        look, (positions, pictures, problem) = result
        if problem:
            self.count_label.setText(problem)
        elif look == self._look:
            self.tiles.put(positions, pictures)

    # Mouse and keys

    def _click(self, position: int, modifiers: Qt.KeyboardModifier) -> None:
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        keys = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier
        alt = bool(modifiers & keys)
        if shift or alt:
            self.mark(position, None if self._good(position) is shift else shift)
        else:
            self.tiles.set_current(position, scroll=False)
            self._session.pick(position, source="image")

    def _key(self, key: str) -> None:
        position = self.tiles.current
        if key in KEYS and position is not None:
            self.mark(position, KEYS[key])
            self.tiles.step(1)

    def _describe(self, position: int) -> str:
        latent = self._session.latent
        if latent is None or position >= len(latent):
            return ""
        return identity_text(latent.columns, position, ORDER_COLUMNS).replace("  ·  ", "\n")

    def _good(self, position: int) -> bool | None:
        marks = self._book.marks
        marked = position < len(marks.good) and (marks.good[position] or marks.bad[position])
        return bool(marks.good[position]) if marked else None

    def _colour(self, position: int) -> str | None:
        good = self._good(position)
        return None if good is None else GOOD_COLOUR if good else BAD_COLOUR

    def _lay_out(self) -> None:
        self.flip_box.setToolTip("Turn over what the microscope's CTF has turned over")
        self.order_box.setToolTip("Which images come first")
        look, order = QHBoxLayout(), QHBoxLayout()
        for layout, widgets in (
            (order, (self.count_label, QLabel("Order"), self.order_box)),
            (look, (QLabel("Low-pass"), self.filter_box, self.flip_box)),
        ):
            for widget in widgets:
                layout.addWidget(widget, 1 if widget in (self.count_label, self.filter_box) else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(order)
        layout.addLayout(look)
        layout.addWidget(self.tiles, 1)
        layout.addWidget(self.hint)


def _found(
    number: int,
    particles: Particles,
    rows: ParticleRows,
    positions: npt.NDArray[np.int64],
    look: GalleryLook,
) -> tuple[int, Found]:
    """Pictures of particles, on a thread beside the window, or why there are none."""
    try:
        images = gallery_images(particles, rows.at(positions), look)
    except InputError as error:
        return number, (positions, [], str(error))
    return number, (positions, [grey_picture(image) for image in images], "")
