"""How a path goes between its waypoints, at what pace, and in how many frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from napari_cryodrgn.latent.path import MAX_FRAMES, PACE_TITLES, ROUTE_TITLES, LatentPath

ROUTE_TIPS = {
    "direct": "In straight lines, linear in z",
    "spline": "In a smooth curve through all waypoints",
    "nearest": "Through the particles nearest to straight lines",
    "graph": "The shortest way from particle to neighbouring particle (cryoDRGN's graph_traversal)",
    "density": "The way on which most particles lie, by the string method",
}
PACE_TIPS = {
    "points": "As the route has them: its particles, or ten points a leg",
    "latent": "Equal steps in z",
    "volume": "Each frame changes the volume by as much as every other: volumes are decoded for it",
}


class RouteForm(QWidget):
    """Edits a path; `edited` carries the fields that were changed."""

    edited = Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self.route_box, self.pace_box = QComboBox(), QComboBox()
        self.frames_box = QSpinBox()
        self.loop_box = QCheckBox("Close into a loop")
        self.most_box, self.average_box = QSpinBox(), QDoubleSpinBox()
        _fill(self.route_box, ROUTE_TITLES, ROUTE_TIPS)
        _fill(self.pace_box, PACE_TITLES, PACE_TIPS)
        self.frames_box.setRange(2, MAX_FRAMES)
        self.frames_box.setKeyboardTracking(False)
        self.frames_box.setSuffix(" frames")
        self.most_box.setRange(2, 1000)
        self.most_box.setKeyboardTracking(False)
        self.most_box.setToolTip("Neighbours of each particle at most, itself counted")
        self.average_box.setRange(0.5, 1000)
        self.average_box.setKeyboardTracking(False)
        self.average_box.setToolTip("Neighbours on average: the longest steps are left out")
        self.loop_box.setToolTip("Go back to the first waypoint at the end")
        self.route_box.activated.connect(
            lambda *_: self.edited.emit({"route": self.route_box.currentData()})
        )
        self.pace_box.activated.connect(
            lambda *_: self.edited.emit({"pace": self.pace_box.currentData()})
        )
        self.frames_box.valueChanged.connect(lambda n: self.edited.emit({"n_frames": n}))
        self.loop_box.toggled.connect(lambda on: self.edited.emit({"closed": on}))
        self.most_box.valueChanged.connect(lambda n: self.edited.emit({"max_neighbors": n}))
        self.average_box.valueChanged.connect(lambda n: self.edited.emit({"avg_neighbors": n}))
        self._lay_out()
        self.show_path(None)

    def show_path(self, path: LatentPath | None) -> None:
        """Show how a path is meant."""
        self.setEnabled(path is not None)
        if path is None:
            return
        boxes = (
            self.route_box,
            self.pace_box,
            self.frames_box,
            self.loop_box,
            self.most_box,
            self.average_box,
        )
        blockers = [QSignalBlocker(box) for box in boxes]
        self.route_box.setCurrentIndex(self.route_box.findData(path.route))
        self.pace_box.setCurrentIndex(self.pace_box.findData(path.pace))
        self.frames_box.setValue(path.n_frames)
        self.frames_box.setEnabled(path.pace != "points")
        self.loop_box.setChecked(path.closed)
        self.most_box.setValue(path.max_neighbors)
        self.average_box.setValue(path.avg_neighbors)
        self._graph.setVisible(path.route == "graph")
        for blocker in blockers:
            blocker.unblock()

    def _lay_out(self) -> None:
        self._graph = QWidget()
        graph = QHBoxLayout(self._graph)
        graph.setContentsMargins(0, 0, 0, 0)
        graph.addWidget(QLabel("Neighbours: at most"))
        graph.addWidget(self.most_box)
        graph.addWidget(QLabel("on average"))
        graph.addWidget(self.average_box)
        graph.addStretch(1)
        line = QHBoxLayout()
        line.addWidget(self.frames_box)
        line.addWidget(self.loop_box)
        line.addStretch(1)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addRow("Route", self.route_box)
        layout.addRow(self._graph)
        layout.addRow("Pace", self.pace_box)
        layout.addRow("In all", line)


def _fill(box: QComboBox, titles: Mapping[Any, str], tips: Mapping[str, str]) -> None:
    for value, title in titles.items():
        box.addItem(title, value)
    box.setToolTip("\n".join(f"{title}: {tips[value]}" for value, title in titles.items()))
