"""The latent plot: chooses axes and colours, draws the particles, tells which one is meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.labels import UpwardLabel
from napari_cryodrgn.widgets.latent_axes import (
    CUSTOM_VIEW,
    View,
    axis_columns,
    column_title,
    identity_text,
    plot_frame,
    views,
    with_steady_signs,
)
from napari_cryodrgn.widgets.latent_colours import (
    COLORMAPS,
    Colouring,
    ScaleLegend,
    colour_by,
    default_colormap,
)
from napari_cryodrgn.widgets.latent_legend import LegendView
from napari_cryodrgn.widgets.latent_scatter import Scatter, prepare_scatter
from napari_cryodrgn.widgets.latent_viewer import LatentCanvas

NO_COLOUR = "one colour"


@dataclass(frozen=True, eq=False)
class _Picture:
    """What the background thread has prepared: places and colours of one choice.

    `source` are the columns as they came, `frame` the same with steady signs.
    """

    source: pd.DataFrame
    frame: pd.DataFrame
    axes: tuple[str, str]
    scatter: Scatter
    colouring: Colouring


class LatentPlot(QWidget):
    """Particles over two axes of choice, coloured by a column of choice.

    `picked` carries the position of a clicked particle; `pointed` one line on the particle
    beneath the mouse, "" where there is none; `missed` that a click met no particle.
    """

    picked = Signal(int)
    pointed = Signal(str)
    missed = Signal()
    shown_changed = Signal(str)

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = LatentCanvas(theme)
        self.legend = LegendView()
        self.view_box, self.x_box, self.y_box = QComboBox(), QComboBox(), QComboBox()
        self.colour_box, self.colormap_box = QComboBox(), QComboBox()
        self._x_label, self._y_label = QLabel(), UpwardLabel()
        self._columns: pd.DataFrame | None = None
        self._groups: np.ndarray | None = None
        self._before: pd.DataFrame | None = None
        self._picture: _Picture | None = None
        self._position: int | None = None
        self._wanted_view = ""
        self._wanted_colour: str | None = None
        self._colour_chosen = False
        self._fitted: tuple[object, ...] | None = None
        self._latest: Latest[_Picture] = Latest(self._show, "latent-plot")
        self._lay_out()
        self.view_box.activated.connect(self._choose_view)
        self.x_box.activated.connect(self._choose_axes)
        self.y_box.activated.connect(self._choose_axes)
        self.colour_box.activated.connect(self._choose_colour)
        self.colormap_box.addItems(list(COLORMAPS))
        self.colormap_box.activated.connect(self._prepare)
        self.canvas.clicked.connect(self._click)
        self.canvas.hovered.connect(self._hover)
        self.canvas.resized.connect(self._fit_again)

    @property
    def scatter(self) -> Scatter | None:
        """What is drawn now."""
        return None if self._picture is None else self._picture.scatter

    @property
    def colouring(self) -> Colouring | None:
        """The colours shown now."""
        return None if self._picture is None else self._picture.colouring

    def axes_text(self) -> tuple[str, str]:
        """What stands along the axes of the plot."""
        return str(self._x_label.text()), self._y_label.text

    def set_columns(self, columns: pd.DataFrame | None, *, new_particles: bool = True) -> None:
        """Show these particles.

        Parameters
        ----------
        columns : DataFrame or None
            One row a particle, as in `LatentSpace.columns`.
        new_particles : bool
            False for the same particles at another epoch: axes, colours and view stay.
        """
        known = self._picture
        self._before = None if new_particles or known is None else known.frame
        if columns is None:
            self._columns = self._picture = None
            self._latest.cancel()
            self.canvas.clear()
            self.legend.set_legend(None)
            return
        self._columns = columns
        clusters = next((name for name in columns.columns if str(name).startswith("kmeans")), None)
        self._groups = None if clusters is None else columns[clusters].cat.codes.to_numpy(np.int64)
        if new_particles:
            self._position = None
            self._fitted = None
            self._wanted_view = ""
        self._fill_boxes()
        self._prepare()

    def set_position(self, position: int | None) -> None:
        """Mark this particle as the picked one."""
        self._position = position
        self._mark()

    def fit(self) -> None:
        """Show all points, and keep doing so as they move."""
        self.canvas.fit()
        self._fitted = self._camera()

    def _fit_again(self) -> None:
        """All points were in view, and should be in a larger or smaller one."""
        if self._fitted is not None and self._fitted == self._camera():
            self.fit()

    def shutdown(self) -> None:
        """Stop the background thread and let the canvas go."""
        self._latest.stop()
        self.canvas.shutdown()

    # Choices

    def _choose_view(self) -> None:
        view = self.view_box.currentData()
        self._wanted_view = self.view_box.currentText()
        if isinstance(view, View):
            _select(self.x_box, view.x)
            _select(self.y_box, view.y)
            self._fitted = None
        self._show_axis_boxes()
        self._prepare()

    def _choose_axes(self) -> None:
        axes = (self.x_box.currentData(), self.y_box.currentData())
        there = [view for view in views(self._frame()) if (view.x, view.y) == axes]
        self.view_box.setCurrentText(there[0].name if there else CUSTOM_VIEW)
        self._wanted_view = self.view_box.currentText()
        self._fitted = None
        self._prepare()

    def _choose_colour(self) -> None:
        self._wanted_colour = self.colour_box.currentData()
        self._colour_chosen = True
        self.colormap_box.setCurrentText(default_colormap(self._wanted_colour or ""))
        self._prepare()

    def choose_view(self, name: str) -> None:
        """Show "UMAP", "PCA", "z" or "Columns"."""
        self.view_box.setCurrentText(name)
        self._choose_view()

    def choose_colour(self, column: str | None) -> None:
        """Colour by this column; None for one colour."""
        _select(self.colour_box, column)
        self._choose_colour()

    def _frame(self) -> pd.DataFrame:
        return pd.DataFrame() if self._columns is None else self._columns

    def _fill_boxes(self) -> None:
        """Offer what these columns have; keep what was chosen where it is still there."""
        columns = self._frame()
        axes = (self.x_box.currentData(), self.y_box.currentData())
        offers = views(columns)
        self.view_box.clear()
        for view in offers:
            self.view_box.addItem(view.name, view)
        self.view_box.addItem(CUSTOM_VIEW, None)
        names = axis_columns(columns)
        for box in (self.x_box, self.y_box):
            box.clear()
            for name in names:
                box.addItem(column_title(name), name)
        wanted = self._wanted_view or offers[0].name
        chosen = next((view for view in offers if view.name == wanted), offers[0])
        if wanted == CUSTOM_VIEW and set(axes) <= set(names):
            self.view_box.setCurrentText(CUSTOM_VIEW)
        else:
            self.view_box.setCurrentText(chosen.name)
            if (chosen.x, chosen.y) != axes:
                self._fitted = None
            axes = (chosen.x, chosen.y)
        _select(self.x_box, axes[0])
        _select(self.y_box, axes[1])
        self._show_axis_boxes()
        self._fill_colours(columns)

    def _fill_colours(self, columns: pd.DataFrame) -> None:
        self.colour_box.clear()
        self.colour_box.addItem(NO_COLOUR, None)
        names = [str(name) for name in columns.columns if name != "image_name"]
        clusters = [name for name in names if name.startswith("kmeans")]
        for name in [*clusters, *(name for name in names if name not in clusters)]:
            self.colour_box.addItem(column_title(name), name)
        wanted = self._wanted_colour
        if not self._colour_chosen:
            wanted = clusters[-1] if clusters else None
        _select(self.colour_box, wanted if wanted in names else None)

    def _show_axis_boxes(self) -> None:
        custom = self.view_box.currentData() is None
        for widget in (self.x_box, self.y_box):
            widget.setVisible(custom)

    # Drawing

    def _prepare(self) -> None:
        columns = self._columns
        if columns is None:
            return
        axes = (self.x_box.currentData(), self.y_box.currentData())
        colour, colormap = self.colour_box.currentData(), self.colormap_box.currentText()
        known = self._picture
        if known is not None and known.source is not columns:
            known = None
        self._latest.request(
            partial(_prepare, columns, self._before, known, axes, self._groups, colour, colormap)
        )

    def _show(self, picture: _Picture) -> None:
        follow = self._fitted is None or self._fitted == self._camera()
        before, self._picture = self._picture, picture
        scatter, rgba = picture.scatter, picture.colouring.rgba[picture.scatter.drawn]
        if before is not None and before.scatter is scatter:
            self.canvas.set_colours(rgba)
        else:
            self.canvas.set_point_size(_point_size(len(scatter.drawn)))
            self.canvas.set_density(scatter.density)
            self.canvas.set_points(scatter.points[scatter.drawn], rgba)
        self.legend.set_legend(picture.colouring.legend)
        self.colormap_box.setVisible(isinstance(picture.colouring.legend, ScaleLegend))
        x, y = picture.axes
        self._x_label.setText(column_title(x))
        self._y_label.set_text(column_title(y))
        self._mark()
        if follow:
            self.fit()
        text = scatter.shown_text
        if isinstance(picture.colouring.legend, ScaleLegend) and picture.colouring.legend.missing:
            text += f", {picture.colouring.legend.missing:,} without a colour"
        self.shown_changed.emit(text)

    def _mark(self) -> None:
        scatter = self.scatter
        if scatter is None or self._position is None or self._position >= len(scatter.points):
            self.canvas.set_highlight(None)
            return
        place = scatter.points[self._position]
        self.canvas.set_highlight(place if np.isfinite(place).all() else None)

    def _camera(self) -> tuple[object, ...]:
        camera = self.canvas.model.scene.camera
        return (*camera.center, camera.zoom)

    # The mouse

    def _click(self, place: np.ndarray, radius: float) -> None:
        position = None if self.scatter is None else self.scatter.nearest(place, radius)
        if position is None:
            self.missed.emit()
        else:
            self.picked.emit(position)

    def _hover(self, place: np.ndarray, radius: float) -> None:
        position = None if self.scatter is None else self.scatter.nearest(place, radius)
        self.pointed.emit("" if position is None else self.describe(position))

    def describe(self, position: int) -> str:
        """One line on a particle: what it is, where it lies, and what it is coloured by."""
        axes = [self.x_box.currentData(), self.y_box.currentData()]
        colour = self.colour_box.currentData()
        names = [*([colour] if colour else []), *axes]
        known = self._picture
        frame = self._frame() if known is None or len(known.frame) <= position else known.frame
        return identity_text(frame, position, names)

    # Layout

    def _lay_out(self) -> None:
        for box in (self.view_box, self.x_box, self.y_box, self.colour_box, self.colormap_box):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(7)
        self.view_box.setToolTip("Axes of the plot")
        self.x_box.setToolTip("Column along x")
        self.y_box.setToolTip("Column along y")
        self.colour_box.setToolTip("Column to colour by")
        self.colormap_box.setToolTip("Colormap")
        axes, colours = QHBoxLayout(), QHBoxLayout()
        for widget in (self.view_box, self.x_box, self.y_box):
            axes.addWidget(widget, 1)
        colours.addWidget(self.colour_box, 3)
        colours.addWidget(self.colormap_box, 2)
        self._x_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Axes"), 0, 0)
        grid.addLayout(axes, 0, 1)
        grid.addWidget(QLabel("Colour"), 1, 0)
        grid.addLayout(colours, 1, 1)
        grid.addWidget(self.legend, 2, 0, 1, 2)
        plot = QGridLayout()
        plot.setSpacing(2)
        plot.addWidget(self._y_label, 0, 0)
        plot.addWidget(self.canvas, 0, 1)
        plot.addWidget(self._x_label, 1, 1)
        plot.setColumnStretch(1, 1)
        plot.setRowStretch(0, 1)
        grid.addLayout(plot, 3, 0, 1, 2)
        grid.setRowStretch(3, 1)
        grid.setColumnStretch(1, 1)


def _prepare(
    columns: pd.DataFrame,
    before: pd.DataFrame | None,
    known: _Picture | None,
    axes: tuple[str, str],
    groups: np.ndarray | None,
    colour: str | None,
    colormap: str,
) -> _Picture:
    """On the background thread; what is known of these columns is not worked out again."""
    frame = with_steady_signs(columns, before) if known is None else known.frame
    if known is None or known.axes != axes:
        scatter = prepare_scatter(plot_frame(frame, *axes).points, groups)
    else:
        scatter = known.scatter
    colouring = colour_by(None if colour is None else frame[colour], colormap, len(frame))
    return _Picture(columns, frame, axes, scatter, colouring)


def _point_size(n: int) -> float:
    """Diameter of the points, px: large for few, small for many."""
    return float(np.clip(24.0 * max(n, 1) ** -0.21, 2.0, 10.0))


def _select(box: QComboBox, data: object) -> None:
    box.setCurrentIndex(max(0, box.findData(data)))
