"""What lies along a path: density and distance from particles, and where the frame is."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cryodrgn.latent.path_profile import PathProfile
from napari_cryodrgn.widgets.theme import PICK_COLOUR, WARNING_COLOUR

DENSITY_COLOUR = "#56b4e9"
DISTANCE_COLOUR = "#cc79a7"
HEIGHT = 176


class ProfilePlot(QWidget):
    """Two curves over the share of the path; `scrubbed` carries the share of a click or drag."""

    scrubbed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.canvas = pg.GraphicsLayoutWidget()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.density = self._plot(0, "log<br>density", DENSITY_COLOUR)
        self.distance = self._plot(1, "distance", DISTANCE_COLOUR)
        self.distance.setLabel("bottom", "share of the path", **{"font-size": "8pt"})
        self.distance.getAxis("bottom").setHeight(32)
        self.density.getAxis("bottom").setStyle(showValues=False)
        self.density.getAxis("bottom").setHeight(4)
        self.distance.setXLink(self.density)
        self.curves = {
            "density": self.density.plot(pen=pg.mkPen(DENSITY_COLOUR, width=2)),
            "distance": self.distance.plot(pen=pg.mkPen(DISTANCE_COLOUR, width=2)),
        }
        self.lines = []
        self.regions: list[tuple[pg.PlotItem, pg.LinearRegionItem]] = []
        for plot in (self.density, self.distance):
            line = pg.InfiniteLine(
                0.0, movable=True, bounds=(0, 1), pen=pg.mkPen(PICK_COLOUR, width=2)
            )
            line.setCursor(Qt.CursorShape.SizeHorCursor)
            line.sigDragged.connect(self._scrub)
            line.setVisible(False)
            plot.addItem(line)
            self.lines.append(line)
        self.canvas.scene().sigMouseClicked.connect(self._click)
        self.setToolTip(
            "Above: how many particles are near. Below: distance to the nearest one, in typical "
            "distances between neighbours.\nShaded: farther from particles than 99 % of them are "
            "from each other. Drag the line to go along the path."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Low and broad."""
        return QSize(320, HEIGHT)

    def show_profile(self, profile: PathProfile | None) -> None:
        """Show what lies along a path, or nothing."""
        for plot, region in self.regions:
            plot.removeItem(region)
        self.regions = []
        if profile is None:
            for curve in self.curves.values():
                curve.setData([], [])
            self.show_share(None)
            return
        self.curves["density"].setData(profile.share, profile.log_density)
        self.curves["distance"].setData(profile.share, profile.distance)
        shade = QColor(WARNING_COLOUR)
        shade.setAlpha(70)
        for begin, end in profile.stretches:
            for plot in (self.density, self.distance):
                region = pg.LinearRegionItem(
                    (begin, max(end, begin + 0.004)), movable=False, brush=shade, pen=None
                )
                region.setZValue(-10)
                plot.addItem(region)
                self.regions.append((plot, region))

    def show_share(self, share: float | None) -> None:
        """Mark how far along the path the frame is; none where none is shown."""
        for line in self.lines:
            line.setVisible(share is not None)
            if share is not None:
                line.setValue(share)

    def set_colours(self, *, background: str, text: str) -> None:
        """Follow a theme."""
        self.canvas.setBackground(background)
        for plot in (self.density, self.distance):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(QColor(text))
                plot.getAxis(side).setTextPen(QColor(text))

    def _plot(self, row: int, title: str, colour: str) -> pg.PlotItem:
        plot = self.canvas.addPlot(row=row, col=0)
        plot.setLabel("left", title, **{"color": colour, "font-size": "8pt"})
        plot.getAxis("left").setWidth(52)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        plot.setXRange(0, 1, padding=0.01)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.showGrid(x=False, y=True, alpha=0.15)
        return plot

    def _scrub(self, line: pg.InfiniteLine) -> None:
        self.show_share(float(line.value()))
        self.scrubbed.emit(float(line.value()))

    def _click(self, event: object) -> None:
        view = self.distance.vb
        place = view.mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        if self.lines[0].isVisible() and -0.02 <= place.x() <= 1.02:
            share = min(max(float(place.x()), 0.0), 1.0)
            self.show_share(share)
            self.scrubbed.emit(share)
