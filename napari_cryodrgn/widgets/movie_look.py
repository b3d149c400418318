"""How a movie looks: layout, size, camera, colours, contour."""

from __future__ import annotations

from functools import partial

from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_cryodrgn.workflows.movie_recipe import DEFAULT_SIZES, MovieRecipe

FIELDS = MovieRecipe.model_fields
LAYOUTS = (("Volume, latent path and density", "composite"), ("Volume alone", "volume"))
PLAYS = (("Once", "once"), ("Loop", "loop"), ("Back and forth", "ping-pong"))


class MovieLook(QWidget):
    """Settings of a movie that are no matter of the path."""

    def __init__(self) -> None:
        super().__init__()
        self.layout_box, self.play_box = QComboBox(), QComboBox()
        for title, value in LAYOUTS:
            self.layout_box.addItem(title, value)
        for title, value in PLAYS:
            self.play_box.addItem(title, value)
        self.play_box.setCurrentIndex(1)
        self.width_box, self.height_box = QSpinBox(), QSpinBox()
        for box in (self.width_box, self.height_box):
            box.setRange(64, 7680)
            box.setSingleStep(2)
            box.setSuffix(" px")
        self.fps = _number(FIELDS["frames_per_second"].default, 0.5, 120, " frames/s", 0)
        self.azimuth = _number(FIELDS["azimuth"].default, -360, 360, "°", 0)
        self.elevation = _number(FIELDS["elevation"].default, -90, 90, "°", 0)
        self.orbit = _number(0, -3600, 3600, "°", 0)
        self.swing = _number(0, -180, 180, "°", 0)
        self.zoom = _number(1, 0.2, 20, " ×", 2)
        self.auto_level = QCheckBox("Automatic")
        self.auto_level.setChecked(True)
        self.level = QDoubleSpinBox()
        self.level.setDecimals(5)
        self.level.setRange(-1e9, 1e9)
        self.level.setEnabled(False)
        self.auto_level.toggled.connect(lambda on: self.level.setEnabled(not on))
        self.scale_bar = QCheckBox("Scale bar")
        self.scale_bar.setChecked(True)
        self.difference = QCheckBox("Colour by the difference from the first frame")
        self.colours = {"colour": QPushButton("Molecule"), "background": QPushButton("Ground")}
        self._chosen: dict[str, str] = {name: FIELDS[name].default for name in self.colours}
        for name, button in self.colours.items():
            button.clicked.connect(partial(self._ask_colour, name))
        self.layout_box.activated.connect(self._default_size)
        self._lay_out()
        self._default_size()
        self._show_colours()

    @property
    def settings(self) -> dict[str, object]:
        """Fields of a recipe."""
        return {
            "layout": self.layout_box.currentData(),
            "play": self.play_box.currentData(),
            "size": (self.width_box.value(), self.height_box.value()),
            "frames_per_second": self.fps.value(),
            "azimuth": self.azimuth.value(),
            "elevation": self.elevation.value(),
            "orbit": self.orbit.value(),
            "swing": self.swing.value(),
            "zoom": self.zoom.value(),
            "level": None if self.auto_level.isChecked() else self.level.value(),
            "scale_bar": self.scale_bar.isChecked(),
            "difference": self.difference.isChecked(),
            **self._chosen,
        }

    def set_level(self, level: float | None) -> None:
        """Offer the contour level of the window, in case it is not to be chosen by itself."""
        if level is not None and self.auto_level.isChecked():
            self.level.setValue(level)
            self.level.setSingleStep(abs(level) / 20 or 0.01)

    def _default_size(self, _: int = 0) -> None:
        width, height = DEFAULT_SIZES[self.layout_box.currentData()]
        self.width_box.setValue(width)
        self.height_box.setValue(height)

    def _ask_colour(self, name: str, *_: object) -> None:
        colour = QColorDialog.getColor(QColor(self._chosen[name]), self, "Colour")
        if colour.isValid():
            self._chosen[name] = colour.name()
            self._show_colours()

    def _show_colours(self) -> None:
        for name, button in self.colours.items():
            ground = QColor(self._chosen[name])
            ink = "#000000" if ground.lightness() > 128 else "#ffffff"
            button.setStyleSheet(f"background: {ground.name()}; color: {ink};")

    def _lay_out(self) -> None:
        for widget, tip in (
            (self.layout_box, "The molecule alone, or beside the path and the density along it"),
            (self.azimuth, "From where the molecule is seen, around the z axis"),
            (self.elevation, "From how far above the xy plane it is seen"),
            (self.orbit, "How far the camera turns about the z axis over the movie"),
            (self.swing, "How far the camera turns to and fro"),
            (self.zoom, "2 shows the molecule twice as large"),
            (self.level, "Density at which the surface lies, the same in all frames"),
            (self.auto_level, "A level that suits the beginning, the middle and the end"),
            (self.difference, "Blue: density that has come since; red: density that has gone"),
        ):
            widget.setToolTip(tip)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(5)
        rows = (
            ("Layout", (self.layout_box,)),
            ("Size", (self.width_box, QLabel("×"), self.height_box)),
            ("Speed", (self.fps, self.play_box)),
            ("View", (QLabel("azimuth"), self.azimuth, QLabel("elevation"), self.elevation)),
            ("Camera", (QLabel("orbit"), self.orbit, QLabel("swing"), self.swing)),
            ("Zoom", (self.zoom,)),
            ("Contour", (self.auto_level, self.level)),
            ("Colours", (*self.colours.values(), self.scale_bar)),
            ("", (self.difference,)),
        )
        for number, (title, widgets) in enumerate(rows):
            grid.addWidget(QLabel(title), number, 0)
            line = QHBoxLayout()
            for widget in widgets:
                line.addWidget(widget)
            line.addStretch(1)
            grid.addLayout(line, number, 1)
        grid.setColumnStretch(1, 1)


def _number(value: float, low: float, high: float, suffix: str, decimals: int) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(decimals)
    box.setRange(low, high)
    box.setSuffix(suffix)
    box.setValue(value)
    return box
