"""The choices above the latent plot: its axes, its colours, and their legend."""

from __future__ import annotations

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtGui import QDoubleValidator
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_cryodrgn.widgets.latent_axes import (
    CUSTOM_VIEW,
    View,
    axis_columns,
    column_title,
    views,
)
from napari_cryodrgn.widgets.latent_colours import (
    COLORMAPS,
    Legend,
    ScaleLegend,
    default_colormap,
)
from napari_cryodrgn.widgets.latent_legend import LegendView
from napari_cryodrgn.widgets.latent_picture import DENSITY_COLOUR

NO_COLOUR = "one colour"
FLAT = "no third axis"
LIMIT_WIDTH = 74


class PlotChoices(QWidget):
    """What the plot shows, as chosen.

    `axes_chosen` and `colour_chosen` tell of a choice by the user.
    """

    axes_chosen = Signal()
    colour_chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.legend = LegendView()
        self.view_box, self.colour_box, self.colormap_box = QComboBox(), QComboBox(), QComboBox()
        self.x_box, self.y_box, self.third_box = QComboBox(), QComboBox(), QComboBox()
        self.low_edit, self.high_edit = QLineEdit(), QLineEdit()
        self.limits: tuple[float, float] | None = None
        self._wanted_view = ""
        self._wanted_colour: str | None = None
        self._colour_chosen = False
        self.colormap_box.addItems(list(COLORMAPS))
        self._lay_out()
        self.view_box.activated.connect(self._take_view)
        for box in (self.x_box, self.y_box, self.third_box):
            box.activated.connect(self._take_axes)
        self.colour_box.activated.connect(self._take_colour)
        self.colormap_box.activated.connect(lambda _: self.colour_chosen.emit())
        for edit in (self.low_edit, self.high_edit):
            edit.editingFinished.connect(self._take_limits)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns along x, y and, in 3D, the third axis."""
        third = self.third_box.currentData()
        flat = (str(self.x_box.currentData()), str(self.y_box.currentData()))
        return (*flat, str(third)) if third else flat

    @property
    def colour(self) -> str | None:
        """Column to colour by; None for one colour."""
        chosen = self.colour_box.currentData()
        return None if chosen is None else str(chosen)

    @property
    def colormap(self) -> str:
        """Colormap of quantities."""
        return str(self.colormap_box.currentText())

    def choose_view(self, name: str) -> None:
        """Show the axes of this name."""
        self.view_box.setCurrentText(name)
        self._take_view()

    def choose_colour(self, column: str | None) -> None:
        """Colour by this column; None for one colour."""
        _select(self.colour_box, column)
        self._take_colour()

    def restore(
        self,
        view: str,
        axes: tuple[str, ...],
        colour: str | None,
        colormap: str,
        limits: tuple[float, float] | None,
    ) -> None:
        """Choose what was chosen once, as far as the columns are still there."""
        boxes = (self.x_box, self.y_box, self.third_box)
        if all(box.findData(name) >= 0 for box, name in zip(boxes, axes, strict=False)):
            if self.view_box.findText(view) >= 0:
                self.view_box.setCurrentText(view)
                self._wanted_view = view
            if self.view_box.currentData() is None:
                self._set_axes(axes)
            self._take_view()
        if colour is None or self.colour_box.findData(colour) >= 0:
            self.choose_colour(colour)
            self.colormap_box.setCurrentText(colormap)
            self.limits = limits if limits is None or limits[0] < limits[1] else None
            self.colour_chosen.emit()

    def offer(self, columns: pd.DataFrame, *, anew: bool) -> bool:
        """Offer what these columns have; keep what was chosen where it is still there.

        Returns
        -------
        bool
            Whether the axes are other ones now.
        """
        if anew:
            self._wanted_view = ""
            self.limits = None
        before = self.names
        offers = views(columns)
        self.view_box.clear()
        for view in offers:
            self.view_box.addItem(view.name, view)
        self.view_box.addItem(CUSTOM_VIEW, None)
        columns_there = axis_columns(columns)
        self.third_box.clear()
        self.third_box.addItem(FLAT, "")
        for box in (self.x_box, self.y_box):
            box.clear()
        for box in (self.x_box, self.y_box, self.third_box):
            for name in columns_there:
                box.addItem(column_title(name), name)
        wanted = self._wanted_view or offers[0].name
        chosen = next((view for view in offers if view.name == wanted), offers[0])
        if wanted == CUSTOM_VIEW and set(before) <= set(columns_there):
            self.view_box.setCurrentText(CUSTOM_VIEW)
            self._set_axes(before)
        else:
            self.view_box.setCurrentText(chosen.name)
            self._set_axes(chosen.names)
        self._show_axis_boxes()
        self._offer_colours(columns)
        return self.names != before

    def show_legend(self, legend: Legend | None) -> None:
        """Show what the colours mean."""
        self.legend.set_legend(legend)
        scale = isinstance(legend, ScaleLegend)
        for widget in (self.colormap_box, self.low_edit, self.high_edit):
            widget.setVisible(scale)
        if isinstance(legend, ScaleLegend):
            for edit, value in ((self.low_edit, legend.low), (self.high_edit, legend.high)):
                if not edit.hasFocus():
                    edit.setText(f"{value:.4g}")
                edit.setModified(False)

    def _offer_colours(self, columns: pd.DataFrame) -> None:
        self.colour_box.clear()
        self.colour_box.addItem(NO_COLOUR, None)
        names = [str(name) for name in columns.columns if name != "image_name"]
        clusters = [name for name in names if name.startswith("kmeans")]
        for name in [*clusters, *(name for name in names if name not in clusters)]:
            self.colour_box.addItem(column_title(name), name)
        self.colour_box.insertItem(1 + len(clusters), "Density in the plot", DENSITY_COLOUR)
        wanted = self._wanted_colour
        if not self._colour_chosen:
            wanted = clusters[-1] if clusters else None
        _select(self.colour_box, wanted if wanted in (*names, DENSITY_COLOUR) else None)

    def _set_axes(self, names: tuple[str, ...]) -> None:
        _select(self.x_box, names[0])
        _select(self.y_box, names[1])
        _select(self.third_box, names[2] if len(names) > 2 else "")

    def _show_axis_boxes(self) -> None:
        custom = self.view_box.currentData() is None
        for widget in (self.x_box, self.y_box, self.third_box):
            widget.setVisible(custom)

    def _take_view(self) -> None:
        view = self.view_box.currentData()
        self._wanted_view = self.view_box.currentText()
        if isinstance(view, View):
            self._set_axes(view.names)
        self._show_axis_boxes()
        self.axes_chosen.emit()

    def _take_axes(self) -> None:
        offers = (self.view_box.itemData(row) for row in range(self.view_box.count()))
        fitting = [view for view in offers if isinstance(view, View) and view.names == self.names]
        self.view_box.setCurrentText(fitting[0].name if fitting else CUSTOM_VIEW)
        self._wanted_view = self.view_box.currentText()
        self.axes_chosen.emit()

    def _take_colour(self) -> None:
        self._wanted_colour = self.colour
        self._colour_chosen = True
        self.limits = None
        self.colormap_box.setCurrentText(default_colormap(self.colour or ""))
        self.colour_chosen.emit()

    def _take_limits(self) -> None:
        """The ends of the colormap as typed; nothing typed gives the percentiles back."""
        if not (self.low_edit.isModified() or self.high_edit.isModified()):
            return
        texts = self.low_edit.text().strip(), self.high_edit.text().strip()
        try:
            low, high = (float(text) for text in texts)
        except ValueError:
            self.limits = None
        else:
            self.limits = (low, high) if low < high else None
        self.low_edit.setModified(False)
        self.high_edit.setModified(False)
        self.colour_chosen.emit()

    def _lay_out(self) -> None:
        boxes = (self.view_box, self.x_box, self.y_box, self.third_box)
        for box in (*boxes, self.colour_box, self.colormap_box):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(6)
        self.view_box.setToolTip("Axes of the plot; three of them are turned with the mouse")
        self.x_box.setToolTip("Column along x")
        self.y_box.setToolTip("Column along y")
        self.third_box.setToolTip("Column along a third axis, for a plot in 3D")
        self.colour_box.setToolTip("Column to colour by")
        self.colormap_box.setToolTip("Colormap")
        for edit, which in ((self.low_edit, "lower"), (self.high_edit, "upper")):
            edit.setValidator(QDoubleValidator(edit))
            edit.setFixedWidth(LIMIT_WIDTH)
            edit.setToolTip(
                f"Value at the {which} end of the colours. "
                "Empty: the 1st and 99th percentile of all particles"
            )
            edit.hide()
        choices, columns, legend = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        choices.setSpacing(6)
        choices.addWidget(QLabel("Axes"))
        choices.addWidget(self.view_box, 3)
        choices.addWidget(QLabel("Colour"))
        choices.addWidget(self.colour_box, 3)
        choices.addWidget(self.colormap_box, 2)
        for box in boxes[1:]:
            columns.addWidget(box, 1)
        legend.setSpacing(6)
        legend.addWidget(self.low_edit)
        legend.addWidget(self.legend, 1)
        legend.addWidget(self.high_edit)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        for row in (choices, columns, legend):
            rows.addLayout(row)
        self._show_axis_boxes()


def _select(box: QComboBox, data: object) -> None:
    box.setCurrentIndex(max(0, box.findData(data)))
