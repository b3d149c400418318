"""The latent plot's canvas: a napari viewer of its own within a dock.

The only module that touches the embedded ``QtViewer``, which napari exports
but does not promise to keep: each release needs the smoke tests of this file.
What it takes to embed one:

- its layer list and layer controls must exist before a layer is added;
- it follows neither theme nor status of the main viewer;
- it must be built once and never be moved to another parent.

Camera, mouse and look are napari's; points, density and marks are nodes of its scene rather
than layers of it (see `latent_cloud` for why).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget
from vispy.scene import Image, Node
from vispy.visuals.transforms import STTransform

from napari_cryodrgn.widgets.latent_cloud import PointCloud
from napari_cryodrgn.widgets.latent_drawing import Density, Drawing
from napari_cryodrgn.widgets.latent_input import CanvasInput
from napari_cryodrgn.widgets.latent_marks import MarkStyle, Overlay
from napari_cryodrgn.widgets.latent_scatter import Projection, Region
from napari_cryodrgn.widgets.shared_contexts import free_at_the_end
from napari_cryodrgn.widgets.theme import PICK_COLOUR, theme_colours

PICK_RADIUS = 14.0
"""Distance of a click from a particle at most, px."""

MARGIN = 16.0
"""Room left around the points, px."""

DENSITY_ORDER, CLOUD_ORDER = 10, 100


class LatentCanvas(QWidget):
    """Points over a density, with marks and lines over them.

    `input` tells where the mouse is; `view_changed` that another part is in view.
    """

    view_changed = Signal()
    resized = Signal()

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ViewerModel(title="Latent space")
        self.model.theme = theme
        self.model.scene.camera.orientation2d = ("up", "right")
        # In a plot a double click is two clicks, and not a zoom.
        self.model.mouse_double_click_callbacks.clear()
        self.model.canvas.events.size.connect(self._tell_resize)
        for event in ("center", "zoom", "angles"):
            getattr(self.model.scene.camera.events, event).connect(self._tell_view)
        self._qt_viewer = QtViewer(self.model)
        self._qt_viewer.controls  # noqa: B018 - see the top of this file
        self._qt_viewer.layers  # noqa: B018
        self.input = CanvasInput(self)
        self.native.installEventFilter(self.input)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._qt_viewer)
        view = self._qt_viewer.canvas.view
        self._screen = Node(parent=view)
        self.cloud = PointCloud(parent=view.scene)
        self.cloud.order = CLOUD_ORDER
        self._density = Image(
            np.zeros((2, 2, 4), np.uint8), interpolation="linear", parent=view.scene
        )
        self._density.set_gl_state("translucent", depth_test=False)
        self._density.order = DENSITY_ORDER
        self._density.visible = False
        self.overlay = Overlay(view.scene, self._screen)
        self.density: Density | None = None
        self.drawing: Drawing | None = None
        self._centre_screen()
        self.set_theme(theme)
        free_at_the_end(self._qt_viewer.canvas._scene_canvas)
        self._prepare_warm_up()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt
        """Room for a plot."""
        return QSize(420, 380)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt
        """As small as a plot still makes sense."""
        return QSize(220, 100)

    @property
    def native(self) -> QWidget:
        """The widget that receives the mouse events."""
        return self._qt_viewer.canvas.native

    @property
    def flat(self) -> bool:
        """Whether two axes are shown, and not three."""
        return bool(self.model.dims.ndisplay == 2)

    def set_theme(self, theme: str) -> None:
        """Follow the main viewer's theme, on a ground that differs from its canvas."""
        self.model.theme = theme
        self.model.canvas.background_color_override = theme_colours(theme).plot

    def set_flat(self, flat: bool) -> None:
        """Show two axes, or three that the mouse turns."""
        if flat == self.flat:
            return
        self.overlay.set_flat(flat)
        self.model.dims.ndisplay = 2 if flat else 3
        self.cloud.set_solid(not flat)
        if not flat:
            self.model.scene.camera.angles = (25.0, -30.0, 15.0)

    def show_drawing(self, drawing: Drawing, *, colours_only: bool = False) -> None:
        """Show these points and their density."""
        self.drawing = drawing
        if colours_only:
            self.cloud.set_colours(drawing.rgba)
        else:
            self.cloud.set_size(_point_size(len(drawing.drawn), self.flat))
            self.cloud.set_points(drawing.places, drawing.rgba)
        self._show_density(drawing.density)

    def _show_density(self, density: Density | None) -> None:
        self.density = density
        self._density.visible = density is not None
        if density is not None:
            self._density.set_data(density.image)
            # Another transform, rather than another place, would compile the shaders again.
            self._density.transform.scale = density.step[::-1]
            self._density.transform.translate = density.corner[::-1]
        self.native.update()

    # For tools

    def show_outline(
        self, points: npt.ArrayLike | None, closed: bool = True, colour: str | None = None
    ) -> None:
        """Show a polygon (M, 2) that is being drawn, or none."""
        self.overlay.show_outline(points, closed=closed, colour=colour or PICK_COLOUR)
        self.native.update()

    def show_mark(
        self,
        name: str,
        place: npt.ArrayLike | None,
        style: MarkStyle = "cross",
        colour: str = PICK_COLOUR,
    ) -> None:
        """Show a mark of this name at a place, or take it away."""
        self.overlay.show_mark(name, place, style=style, colour=colour)
        self.native.update()

    def show_line(
        self,
        name: str,
        points: npt.ArrayLike | None,
        colour: str = PICK_COLOUR,
        width: float = 2.0,
        dashes: int = 0,
    ) -> None:
        """Show a polyline of this name, (M, 2) or (M, 3), or take it away; 0 dashes: a whole."""
        self.overlay.show_line(name, points, colour=colour, width=width, dashes=dashes)
        self.native.update()

    # The camera

    def clear(self) -> None:
        """Remove everything."""
        self.cloud.set_points(np.zeros((0, 3), np.float32), np.zeros((0, 4), np.float32))
        self._show_density(None)
        self.overlay.clear()
        self.drawing = None

    def fit(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> None:
        """Show all between two corners, with a margin for the points."""
        span = np.maximum(high - low, 1e-6)
        room = np.maximum(self._size() - 2 * MARGIN, 20.0)
        camera = self.model.scene.camera
        centre = (low + high) / 2
        camera.center = tuple(centre) if len(centre) == 3 else (0.0, *centre)
        across = np.full(2, float(np.linalg.norm(span))) if len(span) == 3 else span
        camera.zoom = float((room / across).min())

    def pan(self, right: float, down: float) -> None:
        """Move what is seen by so many px."""
        camera = self.model.scene.camera
        centre = np.asarray(camera.center, dtype=float)
        if self.flat:
            centre[-2:] += np.array([down, -right]) / camera.zoom
        else:
            # The steps of the three axes that move what is seen by one px each way.
            steps = np.linalg.pinv(self.projection().matrix)
            centre -= np.array([-down, right]) @ steps
        camera.center = tuple(centre)

    def place_at(self, pos: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Place (y, x) in plot units of a pixel (x, y); in 3D px from the middle, y up."""
        middle = self._size() / 2
        place = np.array([middle[0] - pos[1], pos[0] - middle[1]])
        if not self.flat:
            return place
        camera = self.model.scene.camera
        return np.asarray(camera.center, dtype=float)[-2:] + place / camera.zoom

    def radius(self) -> float:
        """Plot units of `PICK_RADIUS` at the present zoom."""
        if not self.flat:
            return PICK_RADIUS
        return PICK_RADIUS / max(float(self.model.scene.camera.zoom), 1e-9)

    def region(self) -> Region:
        """What of two axes is in view, lowest and highest (y, x)."""
        camera = self.model.scene.camera
        centre = np.asarray(camera.center, dtype=float)[-2:]
        half = self._size() / 2 / max(float(camera.zoom), 1e-9)
        return centre - half, centre + half

    def projection(self) -> Projection:
        """How three axes are seen now."""
        view = self._qt_viewer.canvas.view
        corners = np.concatenate([np.zeros((1, 3)), np.eye(3)])
        seen = view.scene.node_transform(view).map(corners)
        seen = seen[:, :2] / seen[:, 3:]
        size = self._size()
        # px from the upper left, (x, y), to px from the middle, (y, x), y up
        places = np.column_stack([size[0] / 2 - seen[:, 1], seen[:, 0] - size[1] / 2])
        return Projection((places[1:] - places[0])[::-1], places[0], size)

    def shutdown(self) -> None:
        """Let go of everything that could keep the canvas alive."""
        self.input.stop()
        self.native.removeEventFilter(self.input)
        self.model.canvas.events.size.disconnect(self._tell_resize)
        for event in ("center", "zoom", "angles"):
            getattr(self.model.scene.camera.events, event).disconnect(self._tell_view)
        self.overlay.clear()
        self.cloud.parent = self._density.parent = self._screen.parent = None

    def warm_up(self) -> None:
        """Draw the first frame now, though nobody may see the canvas yet."""
        self.native.grabFramebuffer()

    def _prepare_warm_up(self) -> None:
        """Have one of each thing in the first frame, unseen, before there is anything to show.

        The first of a kind has its shaders compiled, which takes most of a second where OpenGL
        is software: better now than at the first stroke of a lasso.
        """
        far = np.array([[1e6, 1e6], [2e6, 1e6], [1e6, 2e6]])
        self.cloud.set_points(np.full((1, 3), 1e6, np.float32), np.zeros((1, 4), np.float32))
        self.overlay.show_outline(far)
        self.overlay.show_mark("state", far[0], style="cross", colour=PICK_COLOUR)
        self._density.visible = True
        self._density.transform = STTransform(scale=(1, 1), translate=(1e6, 1e6))
        self._qt_viewer.canvas.events.draw.connect(self._cool_down, position="last")

    def _cool_down(self, _: object = None) -> None:
        """After the first frame: take away what warmed it up, unless something is shown by now."""
        self._qt_viewer.canvas.events.draw.disconnect(self._cool_down)
        self.overlay.show_outline(None)
        if self.drawing is None:
            self._density.visible = False
            self.overlay.show_mark("state", None, style="cross", colour=PICK_COLOUR)
            self.cloud.set_points(np.zeros((0, 3), np.float32), np.zeros((0, 4), np.float32))

    def _size(self) -> npt.NDArray[np.float64]:
        """Height and width of the canvas, px."""
        return np.array([max(self.native.height(), 1), max(self.native.width(), 1)], dtype=float)

    def _centre_screen(self) -> None:
        height, width = self._size()
        self._screen.transform = STTransform(
            scale=(1, -1), translate=(float(width / 2), float(height / 2))
        )

    def _tell_resize(self) -> None:
        self._centre_screen()
        self.resized.emit()
        self.view_changed.emit()

    def _tell_view(self) -> None:
        self.view_changed.emit()


def _point_size(n: int, flat: bool) -> float:
    """Diameter of the points, px: large for few, small for many."""
    return max(1.0, round(float(np.clip(24.0 * max(n, 1) ** -0.21, 2.0 if flat else 3.0, 10.0))))
