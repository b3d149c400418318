"""What the *Explore* dock looks like: facts, buttons, sliders, and what it says without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_cryodrgn.session import Session
from napari_cryodrgn.widgets.empty import EmptyState
from napari_cryodrgn.widgets.explore_history import HistoryButtons
from napari_cryodrgn.widgets.explore_point import PointField
from napari_cryodrgn.widgets.explore_sliders import LatentSliders
from napari_cryodrgn.widgets.labels import ElidedLabel
from napari_cryodrgn.widgets.messages import NoticeBar
from napari_cryodrgn.widgets.theme import WARNING_COLOUR, ThemeColours

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.workflows.open_run import OpenRun

NO_RUN = (
    "Nothing to explore yet",
    "Open a run in the Latent space dock: here is then a slider for each latent coordinate, "
    "with the particles' distribution behind it.",
)
NO_SPACE = (
    "This run has no latent space",
    "It was trained without latent dimensions (zdim 0): all its particles share one volume, so "
    "there are no states to go to.",
)
NO_LATENTS = (
    "The latents of this run are missing",
    "Without them there is no telling where its particles lie.",
)
NO_WEIGHTS = "This epoch has no weights: only particles can be shown, no other latent point."

SLOWEST, QUICKEST = 60.0, 4.0
"""Points of a random walk from particle to particle."""

Page = Literal["z", "PC"]


class ExplorePanel(QWidget):
    """The dock's widgets, and what they say; what they do is the dock's."""

    page_changed = Signal()
    frames_changed = Signal(float)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notices = NoticeBar()
        self.empty = EmptyState(*NO_RUN, "")
        self.history = HistoryButtons(session)
        self.title = ElidedLabel()
        self.distance = ElidedLabel()
        self.point = PointField()
        self.nearest_button = QPushButton("Nearest particle")
        self.mean_button = QPushButton("Mean of selection")
        self.walk_button = QPushButton("Random walk")
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.z_button, self.pc_button = QPushButton("z"), QPushButton("PC")
        self.preview = QCheckBox("Preview under the mouse")
        self.sliders = LatentSliders()
        self._lay_out()
        self.point.wrong.connect(self._show_wrong)
        self.z_button.clicked.connect(self.page_changed)
        self.pc_button.clicked.connect(self.page_changed)
        self.speed.valueChanged.connect(self._tell_frames)

    @property
    def page(self) -> Page:
        """Whose sliders are shown: those of z, or of the principal components."""
        return "PC" if self.pc_button.isChecked() else "z"

    @property
    def frames(self) -> float:
        """Points of a random walk from particle to particle, by the speed chosen."""
        return float(SLOWEST * (QUICKEST / SLOWEST) ** (self.speed.value() / 100))

    # What is said

    def show_emptiness(self, run: OpenRun | None, latent: LatentSpace | None) -> None:
        """Say why there is nothing to explore, or show the sliders."""
        has_states = latent is not None and latent.zdim > 0 and len(latent) > 0
        self._pages.setCurrentIndex(1 if has_states else 0)
        if run is None:
            self.empty.set_text(*NO_RUN)
        elif run.config is not None and run.config.model.zdim == 0:
            self.empty.set_text(*NO_SPACE)
        elif not has_states:
            self.empty.set_text(*NO_LATENTS)

    def show_z(self, zdim: int) -> None:
        """Have a slider for each latent coordinate."""
        names = [f"z{index}" for index in range(zdim)]
        tip = "Latent coordinate {}. Grey: how many particles have which value."
        self.sliders.set_coordinates(names, [tip.format(name) for name in names])

    def show_components(self, explained: npt.NDArray[np.float64]) -> None:
        """Have a slider for each principal component."""
        names = [f"PC {index + 1}" for index in range(len(explained))]
        tips = [
            f"Principal component {index + 1} of z, {share:.1%} of the particles' variance. "
            "Grey: how many particles have which value."
            for index, share in enumerate(explained)
        ]
        self.sliders.set_coordinates(names, tips)

    def show_distance(self, text: str, tip: str, *, far: bool) -> None:
        """Say how far the nearest particle is."""
        self.distance.setText(text)
        self.distance.setToolTip(f"{text}\n{tip}")
        self.distance.setStyleSheet(f"QLabel {{ color: {WARNING_COLOUR}; }}" if far else "")

    def show_walking(self, on: bool) -> None:
        """Offer to stop, or to begin."""
        self.walk_button.blockSignals(True)
        self.walk_button.setChecked(on)
        self.walk_button.blockSignals(False)
        self.walk_button.setText("Stop walking" if on else "Random walk")

    def show_preview(self, on: bool) -> None:
        """Show whether the particle under the mouse is previewed."""
        self.preview.setChecked(on)

    def set_choices(
        self, *, decodable: bool, can_snap: bool, n_selected: int, indexed: bool
    ) -> None:
        """Enable what can be done now, and say of the rest why it cannot."""
        free = (self.sliders, self.point)
        for widget in free:
            widget.setEnabled(decodable)
        self._weightless.setVisible(not decodable)
        self.nearest_button.setEnabled(can_snap)
        self.nearest_button.setToolTip(
            "Go to the particle nearest to this point"
            if can_snap
            else "The present state is a particle already"
        )
        self.mean_button.setEnabled(decodable and n_selected > 0)
        if not decodable:
            reason = NO_WEIGHTS
        elif not n_selected:
            reason = "No particles are selected: draw around some in the latent plot first"
        else:
            reason = f"Go to the mean z of the {n_selected:,} selected particles"
        self.mean_button.setToolTip(reason)
        self.walk_button.setEnabled(decodable and indexed)
        self.walk_button.setToolTip(
            "Wander through the latent space from particle to particle, only where there are "
            "particles. Any other choice of a state ends the walk."
            if decodable
            else NO_WEIGHTS
        )

    def set_colours(self, colours: ThemeColours) -> None:
        """Follow the theme."""
        self.sliders.set_colours(colours)

    def _show_wrong(self, text: str) -> None:
        if text:
            self.notices.say(text, "error")
        else:
            self.notices.clear()

    def _tell_frames(self) -> None:
        self.frames_changed.emit(self.frames)

    # Layout

    def _lay_out(self) -> None:
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self._weightless = QLabel(NO_WEIGHTS)
        self._weightless.setWordWrap(True)
        self._weightless.setVisible(False)
        self.walk_button.setCheckable(True)
        self.speed.setRange(0, 100)
        self.speed.setValue(50)
        self.speed.setMaximumWidth(90)
        self.speed.setToolTip("Pace of the walk: slow on the left, quick on the right")
        self.preview.setToolTip(
            "Show the particle under the mouse in the latent plot without a click; "
            "away from it, the state chosen last comes back"
        )
        group = QButtonGroup(self)
        for button, tip in (
            (self.z_button, "Sliders of the latent coordinates themselves"),
            (self.pc_button, "Sliders along the principal components of the particles"),
        ):
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setFixedWidth(52)
            group.addButton(button)
        self.z_button.setChecked(True)
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(_row(self.history, self.title, stretch=self.title))
        column.addWidget(self.distance)
        column.addWidget(self._weightless)
        column.addWidget(self.point)
        column.addLayout(_row(self.nearest_button, self.mean_button, self.walk_button, self.speed))
        switch = _row(self.z_button, self.pc_button)
        switch.addStretch(1)
        switch.addWidget(self.preview)
        column.addLayout(switch)
        column.addWidget(self.sliders, 1)
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(shown)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.notices)
        layout.addWidget(pages, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


def _row(*widgets: QWidget, stretch: QWidget | None = None) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1 if widget is stretch else 0)
    return row
