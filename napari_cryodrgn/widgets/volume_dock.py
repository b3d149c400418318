"""The *Volume* dock: what the volume in the main canvas is, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.imaging.volume_filter import VolumeFilter, crop_to_contents
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_file import KeptState, VolumeLook
from napari_cryodrgn.session_records import Notice, ShownVolume
from napari_cryodrgn.session_volumes import QUICK_RUNGS
from napari_cryodrgn.widgets.compare_panel import ComparePanel
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.fold import Fold
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.seldom import WORDS_SECONDS, Seldom
from napari_cryodrgn.widgets.sigma_slider import SigmaSlider
from napari_cryodrgn.widgets.software_rendering import software_rendering
from napari_cryodrgn.widgets.tasks import Failure, start_task
from napari_cryodrgn.widgets.volume_colours import SurfaceColours
from napari_cryodrgn.widgets.volume_filters import FilterPanel
from napari_cryodrgn.widgets.volume_layers import STYLES, Mode, VolumeLayers
from napari_cryodrgn.widgets.volume_mesh import Mesh
from napari_cryodrgn.widgets.volume_pins import PinList, meshing
from napari_cryodrgn.widgets.volume_words import (
    details_of,
    facts_text,
    layer_name,
    status_text,
    title_text,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.latent.trust import Trust

EMPTY_TITLE = "No volume yet"
EMPTY_TEXT = (
    "Open a run in the Latent space dock and click a particle there: "
    "its volume appears in the main canvas, and here is what it is."
)


BUSY_MILLISECONDS = 400
"""How long something is awaited before the bar says so."""


class VolumeDock(SessionDock):
    """The live volume of the session."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        mode: Mode = "surface" if software_rendering() else "volume"
        self.layers = VolumeLayers(self.viewer, mode, self.session.volume_given.emit)
        self.notices = NoticeBar()
        self.empty = EmptyState(EMPTY_TITLE, EMPTY_TEXT, "")
        self.surface_button, self.volume_button = QPushButton("Surface"), QPushButton("Volume")
        self.style_box = QComboBox()
        self.contour = SigmaSlider()
        self.colour_button = QPushButton()
        self.keep_button = QPushButton("Keep this state")
        self.save_button = QPushButton("Save as .mrc…")
        self.filters = FilterPanel()
        self.pins = PinList(self.viewer, self.session, self.own)
        self.colours = SurfaceColours(self.session, self.pins.named)
        self.compare = ComparePanel(self.viewer, self.session, self.pins)
        self._busy = QProgressBar()
        self._busy_timer = QTimer(self)
        self._busy_timer.setSingleShot(True)
        self._busy_timer.timeout.connect(partial(self._move_bar, True))
        self._words = Seldom(WORDS_SECONDS)
        self._title, self._facts, self._note = QLabel(), QLabel(), QLabel()
        self._support = QLabel()
        self._lay_out()
        self._connect()
        self.at_end(self.layers.shutdown)
        self._show_style_row()
        self._show_colour()
        if self.session.volume is not None:
            self._show_volume(self.session.volume)
        self._show_support(self.session.support)
        self._show_busy(self.session.busy)

    def _connect(self) -> None:
        self.surface_button.clicked.connect(partial(self.set_mode, "surface"))
        self.volume_button.clicked.connect(partial(self.set_mode, "volume"))
        self.style_box.activated.connect(self._choose_style)
        self.contour.changed.connect(self.layers.set_level)
        self.filters.changed.connect(self._filter)
        self.colours.changed.connect(self._colour)
        self.colour_button.clicked.connect(self._choose_colour)
        self.viewer.layers.events.removed.connect(self._refresh_pins)
        self.at_end(self.pins.let_go)
        self.at_end(self.compare.shutdown)
        self.at_end(partial(self.viewer.layers.events.removed.disconnect, self._refresh_pins))
        self.keep_button.clicked.connect(self.keep)
        self.save_button.clicked.connect(self.save)
        self.listen(self.session.volume_changed, self._show_volume)
        self.listen(self.session.support_changed, self._show_support)
        self.listen(self.session.busy_changed, self._show_busy)
        self.listen(self.session.run_changed, self._forget)
        self.listen(self.session.message, self._show_message)

    def title(self) -> str:
        """Whose volume is shown."""
        return str(self._title.text())

    def facts(self) -> str:
        """What the dock says of it."""
        return str(self._facts.text())

    def note(self) -> str:
        """What has to be said where it is not the particle's own volume."""
        return str(self._note.text())

    # What the buttons do

    def set_mode(self, mode: str) -> None:
        """Show a "surface", or render the "volume"."""
        self.layers.set_mode("surface" if mode == "surface" else "volume")
        self._show_style_row()

    def keep(self) -> None:
        """Copy the state shown into a layer of its own."""
        volume = self.layers.volume
        if volume is None:
            return
        taken = {layer.name for layer in self.viewer.layers}
        colour = self.layers.next_colour
        layer = self.layers.keep(layer_name(volume, taken), details_of(volume))
        if layer is not None:
            self.pins.add(layer, colour, volume, self.layers.level)
            self.viewer.status = f"Kept as layer '{layer.name}'"

    def save(self) -> None:
        """Ask for a file and write the volume shown to it."""
        volume = self.layers.volume
        if volume is None:
            return
        pixel_size = volume.pixel_size
        if pixel_size is None:
            pixel_size, given = QInputDialog.getDouble(
                self,
                "Pixel size",
                "Nothing says the pixel size of this run. Å per voxel:",
                1.0,
                0.01,
                1000.0,
                4,
            )
            if not given:
                return
        suggested = layer_name(volume, set()).replace(" · ", "_").replace(" ", "_") + ".mrc"
        path, _ = QFileDialog.getSaveFileName(self, "Save volume", suggested, "MRC map (*.mrc)")
        if path:
            self.save_to(Path(path), pixel_size)

    def save_to(self, path: Path, pixel_size: float) -> None:
        """Write the volume shown, in full, in a worker thread.

        Of a surrogate or a preview the exact volume is decoded first.
        """
        volume = self.layers.volume
        if volume is None:
            return
        if volume.rung in QUICK_RUNGS or volume.moving:
            self.notices.say(f"Decoding in full for {path.name}…")
            size = pixel_size * volume.box / (volume.full_box or volume.box)
            self.session.decode_aside(
                volume.z, lambda exact: self._write(path, exact, size), volume.pick
            )
        else:
            self._write(path, volume, pixel_size)

    def _write(self, path: Path, volume: ShownVolume, pixel_size: float) -> None:
        self.own(
            start_task(
                partial(_writing, path, volume, pixel_size, self._saved_as()),
                f"Saving {path.name}",
                done=lambda _: self.notices.say(f"Saved {path}"),
                failed=self._show_failure,
            )
        )

    def _saved_as(self) -> _SavedAs:
        """What is done to a volume when it is saved, beside being decoded in full."""
        kept = self.filters.save_filtered.isChecked()
        crop = self.layers.level if self.filters.crop.isChecked() else None
        return _SavedAs(self.layers.filter if kept else VolumeFilter(), crop)

    def _filter(self) -> None:
        self.layers.set_filter(self.filters.value(self.layers.level))

    def _colour(self) -> None:
        colours = self.colours
        self.layers.set_colouring(colours.colouring, colours.colormap, colours.limits)

    def _refresh_pins(self, _: object = None) -> None:
        self.pins.refresh()

    def _choose_style(self) -> None:
        self.layers.set_style(self.style_box.currentData())
        self._show_style_row()

    def _choose_colour(self) -> None:
        colour = QColorDialog.getColor(parent=self, title="Colour of the volume")
        if colour.isValid():
            self.layers.set_colour(colour.name())
            self._show_colour()

    # What is remembered of it

    def look(self) -> VolumeLook | None:
        """How the live volume is shown; None before there is one."""
        layers, scale = self.layers, self.layers.scale
        if scale is None or layers.volume is None:
            return None
        ends = layers.contrast
        contrast = None if ends is None else (scale.in_sigma(ends[0]), scale.in_sigma(ends[1]))
        level = scale.in_sigma(layers.level)
        return VolumeLook.model_validate(
            {
                "mode": layers.mode,
                "style": layers.style,
                "colour": layers.colour,
                "level": round(level, 6),
                "contrast": contrast,
            }
        )

    def set_look(self, look: VolumeLook) -> None:
        """Show the live volume as it was shown once."""
        scale = self.layers.scale
        if scale is None:
            return
        self.layers.set_colour(look.colour)
        self.layers.set_style(look.style)
        self.style_box.setCurrentIndex(self.style_box.findData(look.style))
        if look.contrast is not None:
            self.layers.set_contrast(*map(scale.density, look.contrast))
        self.layers.set_level(scale.density(look.level))
        self.contour.set_scale(scale, self.layers.level)
        self.set_mode(look.mode)
        self._show_colour()

    def keep_again(self, kept: KeptState, volume: ShownVolume) -> None:
        """Add a state that was kept in an earlier session, decoded again."""
        scale = self.layers.scale
        if scale is None:
            return
        level = scale.density(kept.level)
        if kept.mode == "volume":
            self._add_kept(kept, volume, level, None)
            return
        self.own(
            start_task(
                partial(meshing, volume, level),
                f"Surface of {kept.name}",
                done=partial(self._add_kept, kept, volume, level),
                failed=self._show_failure,
            )
        )

    def _add_kept(
        self, kept: KeptState, volume: ShownVolume, level: float, mesh: Mesh | None
    ) -> None:
        layer = self.layers.add_kept(
            volume, mesh, kept.colour, name=kept.name, level=level, visible=kept.visible
        )
        self.pins.add(layer, kept.colour, volume, level)

    # What the session says

    def _show_volume(self, volume: ShownVolume) -> None:
        scale = self.session.scale
        if scale is None:
            return
        rescaled = self.layers.scale is not scale
        self.layers.show(volume, scale)
        self.pins.follow(volume)
        self.compare.follow(volume)
        self.colours.take_shown(volume)
        if rescaled:
            self.contour.set_scale(scale, self.layers.level)
        self._pages.setCurrentIndex(1)
        if self.session.busy and not volume.last:
            self._move_bar(False)  # something is seen: one need not wait
            self._busy_timer.start(BUSY_MILLISECONDS)
        if volume.moving and not volume.last and not self._words.due():
            return
        self._words.said()
        self.viewer.status = status_text(volume)
        self._title.setText(title_text(volume))
        self._facts.setText(facts_text(volume))
        note = ""
        if volume.file is not None and volume.pick is not None:
            note = (
                f"Not decoded: there are no weights. This is {volume.rung}, the volume of the "
                "k-means centre nearest to the particle."
            )
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _show_busy(self, busy: bool) -> None:
        # Only for what takes long: a bar that moves has all of the window painted again.
        if busy:
            self._busy_timer.start(BUSY_MILLISECONDS)
        else:
            self._busy_timer.stop()
            self._move_bar(False)

    def _move_bar(self, moves: bool) -> None:
        # A bar that comes and goes would make everything below it jump.
        if (self._busy.maximum() == 0) != moves:
            self._busy.setRange(0, 0 if moves else 1)
            self._busy.setValue(0)

    def _show_support(self, support: Trust | None) -> None:
        """The verdict of the Evidence dock on this state, where that is open."""
        self._support.setVisible(support is not None)
        self._support.setText("" if support is None else support.short_text)
        self._support.setToolTip("" if support is None else support.text)

    def _forget(self, _: object) -> None:
        self._pages.setCurrentIndex(0)
        self.notices.clear()
        self.layers.begin_anew()
        self.colours.forget()
        self.pins.forget()

    def _show_message(self, notice: Notice) -> None:
        """Only what leaves this dock without a volume; the rest is the latent dock's to say."""
        if self._pages.currentIndex() == 0:
            self.empty.set_text(EMPTY_TITLE, notice.text)

    def _show_failure(self, failure: Failure) -> None:
        self.notices.say(failure.message, "error", failure.details)

    def _show_style_row(self) -> None:
        surface = self.layers.mode == "surface"
        self.surface_button.setChecked(surface)
        self.volume_button.setChecked(not surface)
        self.style_box.setEnabled(not surface)
        self.contour.setEnabled(surface or self.layers.style == "iso")

    def _show_colour(self) -> None:
        self.colour_button.setStyleSheet(
            f"QPushButton {{ background: {self.layers.colour}; border-radius: 2px; }}"
        )

    # Layout

    def _lay_out(self) -> None:
        group = QButtonGroup(self)
        show = QHBoxLayout()
        show.setSpacing(2)
        for button in (self.surface_button, self.volume_button):
            button.setCheckable(True)
            group.addButton(button)
            show.addWidget(button, 1)
        show.addWidget(self.style_box, 1)
        self.surface_button.setToolTip("Surface of constant density; quick on any computer")
        self.volume_button.setToolTip("Volume rendering; wants a graphics card")
        for style, words in STYLES.items():
            self.style_box.addItem(words, style)
        self.style_box.setToolTip("How the volume is rendered")
        self.colour_button.setFixedWidth(44)
        self.colour_button.setToolTip("Colour")
        self.keep_button.setToolTip("Copy this state into a layer of its own, to compare others")
        self._busy.setTextVisible(False)
        self._busy.setFixedHeight(3)
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        for label in (self._title, self._facts, self._support, self._note):
            label.setWordWrap(True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("Show as"), 0, 0)
        grid.addLayout(show, 0, 1)
        grid.addWidget(self.colour_button, 0, 2)
        grid.addWidget(QLabel("Contour"), 1, 0)
        grid.addWidget(self.contour, 1, 1, 1, 2)
        buttons = QHBoxLayout()
        buttons.addWidget(self.keep_button, 1)
        buttons.addWidget(self.save_button, 1)
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(8)
        for widget in (self._title, self._facts, self._support, self._note):
            column.addWidget(widget)
        column.addLayout(grid)
        column.addLayout(buttons)
        column.addWidget(self.pins)
        column.addWidget(Fold("Colours of the surface", self.colours))
        column.addWidget(Fold("Compare", self.compare))
        column.addWidget(Fold("Filters", self.filters))
        column.addStretch(1)
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.empty)
        scroll = QScrollArea()
        scroll.setWidget(shown)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._pages.addWidget(scroll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 2, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self._busy)
        layout.addWidget(self.notices)
        layout.addWidget(pages, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


@dataclass(frozen=True)
class _SavedAs:
    """Filter of a volume that is saved, and the density to whose box it is cropped."""

    volume_filter: VolumeFilter
    crop_level: float | None


def _writing(path: Path, volume: ShownVolume, pixel_size: float, saved_as: _SavedAs) -> Task[Path]:
    from napari_cryodrgn.io.mrc import write_volume

    yield Progress(0, None, f"Saving {path.name}")
    data = saved_as.volume_filter.apply(volume.data, pixel_size)
    corner = (0, 0, 0)
    if saved_as.crop_level is not None:
        data, corner = crop_to_contents(data, saved_as.crop_level)
    write_volume(path, data, pixel_size, [pixel_size * place for place in reversed(corner)])
    return path
