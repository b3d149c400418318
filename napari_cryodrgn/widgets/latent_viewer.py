"""The latent plot's canvas: a napari viewer of its own within a dock.

The only module that touches the embedded ``QtViewer``, which napari exports
but does not promise to keep: each release needs the smoke tests of this file.
What it takes to embed one:

- its layer list and layer controls must exist before a layer is added;
- it follows neither theme nor status of the main viewer;
- it must be built once and never be moved to another parent.

Markers have the same size on screen at every zoom: they are given a size larger than
the plot, and an upper limit in pixels. A lower limit would do too, but draws a border
around each marker even where none is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Points
from napari.qt import QtViewer
from napari.utils.colormaps import Colormap
from qtpy.QtCore import QEvent, QObject, QSize, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cryodrgn.widgets.latent_scatter import Density
from napari_cryodrgn.widgets.theme import PICK_COLOUR, theme_colours

PICK_RADIUS = 14.0
"""Distance of a click from a particle at most, px."""

STILL = 4.0
"""A press that moves less than this many px before its release is a click."""

HOVER_SECONDS = 0.05

RING_SIZE = 20

OVERSIZE, MOST_OVERSIZE = 4.0, 1e4
"""Size of the markers in plot widths, before it is limited in pixels: any in this range does,
and the one that is there is kept, since each change costs as much as drawing anew."""

DENSITY_COLOURS = ((0.55, 0.57, 0.62, 0.0), (0.55, 0.57, 0.62, 0.55))

MARGIN = 16.0
"""Room left around the points, px."""


class LatentCanvas(QWidget):
    """Points over a density, and a mark on the picked one; says where it is clicked.

    `clicked` and `hovered` carry the place (y, x) and the radius around it, both in plot
    units.
    """

    clicked = Signal(object, float)
    hovered = Signal(object, float)
    resized = Signal()

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ViewerModel(title="Latent space")
        self.model.theme = theme
        self.model.scene.camera.orientation2d = ("up", "right")
        # In a plot a double click is two clicks, and not a zoom.
        self.model.mouse_double_click_callbacks.clear()
        self.model.mouse_drag_callbacks.append(self._on_press)
        self.model.mouse_move_callbacks.append(self._on_move)
        self.model.canvas.events.size.connect(self._tell_resize)
        self._qt_viewer = QtViewer(self.model)
        self._qt_viewer.controls  # noqa: B018 - see the top of this file
        self._qt_viewer.layers  # noqa: B018
        self.native.installEventFilter(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._qt_viewer)
        self._density: Image | None = None
        self._points: Points | None = None
        self._highlight: Points | None = None
        self._point_size = 5.0
        self._hover_timer = QTimer(self)
        self._hover_timer.setSingleShot(True)
        self._hover_timer.timeout.connect(self._tell_hover)
        self._hover_place: npt.NDArray[np.float64] | None = None
        self._told = 0.0
        self.set_theme(theme)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Room for a plot."""
        return QSize(420, 380)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt
        """As small as a plot still makes sense."""
        return QSize(220, 180)

    @property
    def native(self) -> QWidget:
        """The widget that receives the mouse events."""
        return self._qt_viewer.canvas.native

    @property
    def points_layer(self) -> Points | None:
        """The layer of the drawn particles."""
        return self._points

    @property
    def highlight_layer(self) -> Points | None:
        """The layer that marks the picked particle."""
        return self._highlight

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Keep keys from the canvas.

        By napari's shortcuts they would switch it to 3D, or the points to a mode in which
        they are moved and deleted.
        """
        if event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event.accept()  # or the embedded viewer would get it next
            return True
        return super().eventFilter(watched, event)

    def set_theme(self, theme: str) -> None:
        """Follow the main viewer's theme, on a ground that differs from its canvas."""
        self.model.theme = theme
        self.model.canvas.background_color_override = theme_colours(theme).plot

    def set_points(self, points: npt.NDArray[np.float32], rgba: npt.NDArray[np.float32]) -> None:
        """Draw these particles, (M, 2) places (y, x), in these colours, (M, 4)."""
        if self._points is not None:
            self._points.data = points
            if not 1 <= float(self._points.size[0]) / _extent(points) <= MOST_OVERSIZE:
                self._points.size = OVERSIZE * _extent(points)
            self._points.face_color = rgba
            return
        layer = Points(
            points,
            face_color=rgba,
            border_width=0,
            size=OVERSIZE * _extent(points),
            opacity=0.9,
            blending="translucent_no_depth",
            name="particles",
        )
        self._points = layer
        self._size_points()
        self.model.add_layer(layer)
        layer.mode = "pan_zoom"
        self._order()

    def set_colours(self, rgba: npt.NDArray[np.float32]) -> None:
        """Colour the drawn particles, (M, 4)."""
        if self._points is not None:
            self._points.face_color = rgba

    def set_point_size(self, pixels: float) -> None:
        """Diameter of the points on screen, px."""
        self._point_size = pixels
        self._size_points()

    def set_density(self, density: Density | None) -> None:
        """Show this density beneath the points, or none."""
        if density is None:
            if self._density is not None:
                self._density.visible = False
            return
        limits = (0.0, max(float(density.image.max()), 1e-6))
        if self._density is None:
            self._density = Image(
                density.image,
                translate=density.corner,
                scale=density.step,
                colormap=Colormap(DENSITY_COLOURS, name="density"),
                blending="translucent_no_depth",
                contrast_limits=limits,
                interpolation2d="linear",
                name="density",
            )
            self.model.add_layer(self._density)
            self._order()
            return
        self._density.data = density.image
        self._density.translate, self._density.scale = density.corner, density.step
        self._density.contrast_limits_range = limits
        self._density.contrast_limits = limits
        self._density.visible = True

    def set_highlight(self, place: npt.NDArray[np.float32] | None) -> None:
        """Mark a place (y, x), or nothing."""
        data = np.empty((0, 2)) if place is None else np.asarray(place)[None]
        if self._highlight is not None:
            self._highlight.data = np.repeat(data, 2, axis=0)
            return
        if place is None:
            return
        # A ring on a dark one: seen on any ground and any colour of the points.
        self._highlight = Points(
            np.repeat(data, 2, axis=0),
            symbol=["ring", "ring"],
            face_color=["black", PICK_COLOUR],
            border_width=0,
            size=1.0 if self._points is None else OVERSIZE * _extent(self._points.data),
            canvas_size_limits=(0, RING_SIZE),
            blending="translucent_no_depth",
            name="picked",
        )
        self.model.add_layer(self._highlight)
        self._order()

    def clear(self) -> None:
        """Remove everything."""
        self.model.layers.clear()
        self._density = self._points = self._highlight = None

    def fit(self) -> None:
        """Show all points, with a margin for the markers."""
        if self._points is None or not len(self._points.data):
            return
        low, high = self._points.data.min(axis=0), self._points.data.max(axis=0)
        span = np.maximum(high - low, 1e-6)
        room = np.maximum(np.asarray(self.model.canvas.size, dtype=float) - 2 * MARGIN, 20.0)
        self.model.scene.camera.center = (0.0, *((low + high) / 2))
        self.model.scene.camera.zoom = float((room / span).min())

    def radius(self) -> float:
        """Plot units of `PICK_RADIUS` at the present zoom."""
        return PICK_RADIUS / max(float(self.model.scene.camera.zoom), 1e-9)

    def shutdown(self) -> None:
        """Let go of everything that could keep the canvas alive."""
        self._hover_timer.stop()
        self.model.mouse_drag_callbacks.clear()
        self.model.mouse_move_callbacks.clear()
        self.model.canvas.events.size.disconnect(self._tell_resize)
        self.clear()

    def _order(self) -> None:
        for layer in (self._density, self._points, self._highlight):
            if layer is not None:
                self.model.layers.move(self.model.layers.index(layer), len(self.model.layers))
        # The active layer gets the mouse: the points, which stay in their pan and zoom mode.
        self.model.layers.selection.active = self._points

    def _size_points(self) -> None:
        if self._points is not None:
            size = max(1, round(self._point_size))
            self._points.canvas_size_limits = (0, size)

    def _on_press(self, _: ViewerModel, event: Any) -> Generator[None, None, None]:
        """Tell a click from a drag, which pans."""
        if event.button != 1 or event.modifiers:
            return
        start = np.asarray(event.pos, dtype=float)
        place = np.asarray(event.position[-2:], dtype=float)
        yield
        moved = 0.0
        while event.type == "mouse_move":
            moved = max(moved, float(np.abs(np.asarray(event.pos) - start).max()))
            yield
        if moved <= STILL:
            self.clicked.emit(place, self.radius())

    def _on_move(self, _: ViewerModel, event: Any) -> None:
        self._hover_place = np.asarray(event.position[-2:], dtype=float)
        wait = HOVER_SECONDS - (time.monotonic() - self._told)
        if wait <= 0:
            self._tell_hover()
        elif not self._hover_timer.isActive():
            self._hover_timer.start(int(wait * 1000) + 1)

    def _tell_resize(self) -> None:
        self.resized.emit()

    def _tell_hover(self) -> None:
        self._told = time.monotonic()
        if self._hover_place is not None:
            self.hovered.emit(self._hover_place, self.radius())


def _extent(points: npt.NDArray[np.floating]) -> float:
    """A length as large as the whole plot."""
    return max(float(np.ptp(points, axis=0).max()), 1e-3) if len(points) else 1.0
