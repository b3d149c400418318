"""The plot's first mouse tool: click a particle, drag through the latent space, nudge by keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QMouseEvent

from napari_cryodrgn.session_records import State
from napari_cryodrgn.widgets.explore_history import go_back, go_forward
from napari_cryodrgn.widgets.explore_requests import StateRequests
from napari_cryodrgn.widgets.latent_axes import PlotAxes, column_title
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, LatentTool, PlotForTools

STILL = 4.0
"""A press that moves less than this many px before its release is a click."""

RADIUS_PIXELS = 14.0
"""What `CanvasMouse.radius` is on the screen."""

NUDGE, LARGE_NUDGE = 6.0, 40.0
"""How far an arrow key moves the state, px; with Shift."""

SETTLE = 350
"""Time after the last arrow key until the state counts as settled, ms."""

ARROWS = {"Left": (0.0, -1.0), "Right": (0.0, 1.0), "Up": (1.0, 0.0), "Down": (-1.0, 0.0)}
"""(y, x)."""

CONES = (0.75, 0.97)
"""Sine of half the angle within which a particle lies 'in that direction'; the wider one where
the narrower holds none."""

REACH = 4
"""How far it may lie, in widths of the canvas."""

PREVIEW = "preview"


class ExploreTool(LatentTool):
    """The state follows the mouse.

    Where the axes are free (two z, two principal components) it goes wherever the mouse is,
    its other components staying as they are. Elsewhere it slides from particle to particle,
    for a place of a UMAP is no latent point.
    """

    name = "explore"
    title = "Explore"
    key = "E"
    tooltip = (
        "Click a particle to see its volume; drag, and the molecule follows the mouse.\n"
        "Over z or PC axes every place is a latent point; in a UMAP the nearest particle is shown."
    )
    icon = "select"
    modifiers_text = (
        "Drag: follow (UMAP: nearest particle)  ·  Arrows (+Shift): nudge  ·  Esc: back  ·  "
        "Right drag: pan"
    )

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self._session = plot.session
        self._requests = StateRequests(self._session, self)
        self._pressed: CanvasMouse | None = None
        self._dragging = False
        self._origin: State | None = None
        self._radius = 1.0
        self._position: int | None = None
        self._previewed: int | None = None
        self._settled: State | None = self._session.state_now
        self._nudged: str | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(SETTLE)
        self._rest.timeout.connect(self._settle_nudge)
        self._session.state_changed.connect(self._hear_state)
        self._session.explore.preview_changed.connect(self._hear_preview)
        plot.canvas.native.installEventFilter(self)

    @property
    def slides(self) -> bool:
        """Whether states are particles only: in a UMAP, and where nothing can be decoded."""
        axes = self.plot.axes
        return axes is None or not axes.free or not self._session.decodable

    # Mouse

    def press(self, mouse: CanvasMouse) -> bool:
        """Take the mouse, unless it is to turn a plot of three axes."""
        axes = self.plot.axes
        if self.plot.latent is None or axes is None or len(axes.names) > 2:
            return False
        self._settle_nudge()
        self._pressed, self._dragging = mouse, False
        self._origin, self._position = self._settled, None
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """Have the state follow, once the mouse has left the place where it was pressed."""
        if self._pressed is None:
            return
        far = np.abs(np.subtract(mouse.pos, self._pressed.pos)).max()
        if self._dragging or far >= STILL:
            self._dragging = True
            self._follow(mouse)

    def release(self, mouse: CanvasMouse) -> None:
        """Stay where the mouse is, or, of a click, at the nearest particle."""
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return
        if not self._dragging:
            position = self.plot.nearest(mouse.place)
            if position is not None:
                self._requests.settle_at_particle(position, "click")
            return
        self._dragging = False
        self._follow(mouse, moving=False)

    def double_click(self, mouse: CanvasMouse) -> bool:
        """Two clicks."""
        return False

    def hover(self, mouse: CanvasMouse) -> None:
        """Show the particle under the mouse, where that is switched on."""
        self._radius = mouse.radius
        if not self._session.explore.preview or self._pressed is not None:
            return
        position = self.plot.nearest(mouse.place, mouse.radius)
        if position is None:
            self._end_preview()
        elif position != self._previewed:
            self._previewed = position
            self._requests.move_to_particle(position, PREVIEW)

    def cancel(self) -> None:
        """Back to where the drag began."""
        pressed, self._pressed = self._pressed, None
        if pressed is not None and self._dragging:
            self._dragging = False
            self._show_again(self._origin)
        self._end_preview()

    def deactivate(self) -> None:
        """Another tool has the mouse: what waits is settled."""
        self._settle_nudge()
        self._end_preview()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
        """Hear the mouse's back and forward buttons, and that it leaves the plot."""
        if event.type() == QEvent.Type.Leave:
            self._end_preview()
        elif isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            if event.button() == Qt.MouseButton.BackButton:
                go_back(self._session)
                return True
            if event.button() == Qt.MouseButton.ForwardButton:
                go_forward(self._session)
                return True
        return super().eventFilter(watched, event)

    def _follow(self, mouse: CanvasMouse, *, moving: bool = True) -> None:
        self._radius = mouse.radius
        axes = self.plot.axes
        if axes is None:
            return
        source = f"drag in {_titles(axes)}"
        base = self._requests.z
        if not self.slides and base is not None:
            z = axes.to_z(mouse.place, base)
            if z is not None:
                self._ask(z, source, moving=moving)
                return
        position = self.plot.nearest(mouse.place)
        if position is not None:
            self._ask_particle(position, f"{source}: nearest particle", moving=moving)

    def _ask(self, z: npt.NDArray[np.float32], source: str, *, moving: bool) -> None:
        if moving:
            self._requests.move(z, source)
        else:
            self._requests.settle(z, source)

    def _ask_particle(self, position: int, source: str, *, moving: bool) -> None:
        if not moving:
            self._requests.settle_at_particle(position, source)
        elif position != self._position:
            self._position = position
            self._requests.move_to_particle(position, source)

    # Keys

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """Nudge by arrow keys; Alt with them goes through the visited states."""
        if key in ("Left", "Right") and modifiers == {"Alt"}:
            (go_back if key == "Left" else go_forward)(self._session)
            return True
        if key not in ARROWS or not modifiers <= {"Shift"}:
            return False
        self._nudge(np.array(ARROWS[key]), LARGE_NUDGE if modifiers else NUDGE)
        return True

    def _nudge(self, direction: npt.NDArray[np.float64], pixels: float) -> None:
        axes, base = self.plot.axes, self._requests.z
        if axes is None or base is None or not len(base) or self._pressed is not None:
            return
        unit = self.plot.canvas.radius() / RADIUS_PIXELS
        source = f"nudged in {_titles(axes)}"
        if self.slides:
            position = self._particle_towards(direction, pixels, unit)
            if position is None:
                return
            source += ": nearest particle"
            self._requests.move_to_particle(position, source)
        else:
            place = axes.from_z(base)
            z = None if place is None else axes.to_z(place + direction * pixels * unit, base)
            if z is None:
                return
            self._requests.move(z, source)
        self._nudged = source
        self._requests.flush()
        self._rest.start()

    def _particle_towards(
        self, direction: npt.NDArray[np.float64], pixels: float, unit: float
    ) -> int | None:
        """The nearest particle in a direction, about so many px of `unit` away or more.

        Circles along the direction that touch a cone around it, each larger and farther
        than the one before: a few look-ups in a tree, however many particles there are.
        """
        state, points = self._session.state_now, self.plot.points
        if state is None or state.pick is None or len(points) <= state.pick.position:
            return None
        here = points[state.pick.position].astype(float)
        if not np.isfinite(here).all():
            return None
        native = self.plot.canvas.native
        reach = REACH * max(native.width(), native.height()) * unit
        for sine in CONES:
            distance = pixels * unit
            while distance < reach:
                found = self.plot.nearest(here + distance * direction, sine * distance)
                if found is not None:
                    return found
                distance *= 1.3
        return None

    def _settle_nudge(self) -> None:
        source, self._nudged = self._nudged, None
        self._rest.stop()
        state = self._session.state_now
        if source is None or state is None or not state.moving:
            return
        if state.pick is not None:
            self._requests.settle_at_particle(state.pick.position, source)
        else:
            self._requests.settle(state.z, source)

    # The session

    def _hear_state(self, state: State) -> None:
        if not state.moving:
            self._settled = state
            self._previewed = None

    def _hear_preview(self, on: bool) -> None:
        if not on:
            self._end_preview()

    def _end_preview(self) -> None:
        if self._previewed is not None:
            self._previewed = None
            self._show_again(self._settled)

    def _show_again(self, state: State | None) -> None:
        if state is None:
            return
        if state.pick is not None:
            self._requests.settle_at_particle(state.pick.position, state.source)
        else:
            self._requests.settle(state.z, state.source)


def _titles(axes: PlotAxes) -> str:
    if axes.kind == "umap":
        return "UMAP"
    return ", ".join(column_title(name) for name in axes.names)
