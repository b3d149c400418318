"""The mouse tool that draws paths: waypoints by clicks or freehand, moved, inserted, deleted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path import LatentPath, Waypoint, waypoint
from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.latent_tool import CanvasMouse, LatentTool, PlotForTools
from napari_cryodrgn.widgets.path_desk import path_desk
from napari_cryodrgn.widgets.path_on_plot import PathsOnPlot
from napari_cryodrgn.widgets.path_trail import distance_to_line, simplified

STILL = 4.0
"""A press that moves less than this many px before its release is a click."""

TRAIL_STEP = 3.0
"""Places of a line drawn freehand lie at least this far apart, px."""

TOLERANCE = 0.6
"""How far the waypoints' line may leave the line drawn, in pick radii."""

WAYPOINT_REACH = 0.75
"""Within which a waypoint is meant, in pick radii."""


class PathTool(LatentTool):
    """Draws and edits paths through the latent space.

    In UMAP and other axes that are no latent coordinates waypoints snap to the nearest
    particle; in two z or principal components they lie wherever the mouse is.
    """

    name = "path"
    title = "Draw a path"
    key = "D"
    icon = "path"
    tooltip = (
        "Draw a path along which the molecule is to move: click waypoints, or draw freehand.\n"
        "In a UMAP waypoints snap to particles; in z and PC axes they are free.\n"
        "Drag a waypoint to move it; a double click ends the path, Escape gives up a drag."
    )
    modifiers_text = (
        "Click or drag: draw  ·  Shift: insert  ·  Alt: delete  ·  Enter: end  ·  Backspace: last"
    )

    def __init__(self, plot: PlotForTools) -> None:
        super().__init__(plot)
        self._session = plot.session
        self._desk = path_desk(plot.session)
        self.on_plot = PathsOnPlot(plot, self._desk)
        self._pressed: CanvasMouse | None = None
        self._grabbed: int | None = None
        self._trail: list[CanvasMouse] = []
        self._dragging = False

    # Mouse

    def press(self, mouse: CanvasMouse) -> bool:
        """Grab a waypoint, insert one, or begin a line; delete one with Alt."""
        axes = self.plot.axes
        if self.plot.latent is None or axes is None or len(axes.names) > 2:
            return False
        self._forget()
        index = self._waypoint_at(mouse)
        if "Alt" in mouse.modifiers:
            if index is not None:
                self._delete(index)
            return True
        if "Shift" in mouse.modifiers:
            self._insert(mouse)
            return True
        self._pressed, self._grabbed, self._trail = mouse, index, [mouse]
        return True

    def move(self, mouse: CanvasMouse) -> None:
        """Move the waypoint, or draw on."""
        if self._pressed is None:
            return
        far = float(np.abs(np.subtract(mouse.pos, self._pressed.pos)).max())
        self._dragging = self._dragging or far >= STILL
        if not self._dragging:
            return
        if self._grabbed is not None:
            self._show_moved(self._grabbed, mouse)
            return
        step = float(np.abs(np.subtract(mouse.pos, self._trail[-1].pos)).max())
        if step >= TRAIL_STEP:
            self._trail.append(mouse)
            self.plot.canvas.show_outline(self._trail_places(), closed=False, colour=self._colour())

    def release(self, mouse: CanvasMouse) -> None:
        """Leave the waypoint here, or add what was drawn."""
        self.move(mouse)
        pressed, grabbed, dragging = self._pressed, self._grabbed, self._dragging
        trail = self._trail_places()
        self._forget()
        if pressed is None:
            return
        if grabbed is not None:
            if dragging:
                self._put(grabbed, mouse)
            else:
                self._show_state(grabbed)
        elif dragging:
            self._append(simplified(trail, TOLERANCE * pressed.radius))
        else:
            self._append(pressed.place[None])

    def double_click(self, mouse: CanvasMouse) -> bool:
        """The path is finished."""
        if mouse.modifiers or self.plot.latent is None:
            return False
        self._finish()
        return True

    def key_press(self, key: str, modifiers: frozenset[str]) -> bool:
        """Enter ends the path, Backspace deletes its last waypoint."""
        if key in ("Return", "Enter"):
            self._finish()
            return True
        if key in ("Backspace", "Delete", "Del"):
            active = self._session.paths.active
            if active is not None and len(active):
                self._delete(len(active) - 1)
                return True
        return False

    def cancel(self) -> None:
        """Leave a waypoint where it was, and forget a line that is being drawn."""
        self._forget()

    def deactivate(self) -> None:
        """Another tool has the mouse."""
        self._forget()
        self.plot.canvas.native.unsetCursor()

    def activate(self) -> None:
        """The mouse draws."""

    def hover(self, mouse: CanvasMouse) -> None:
        """Say what a click would do here."""
        index = self._waypoint_at(mouse)
        if index is not None:
            self._hint(f"Waypoint {index + 1}  ·  Drag: move  ·  Alt+click: delete")
        elif "Shift" in mouse.modifiers and self._leg_at(mouse) is not None:
            self._hint("Click: insert a waypoint here")
        else:
            self._hint(self.modifiers_text)

    # What is done to the paths

    def _append(self, places: npt.NDArray[np.float64]) -> None:
        """Waypoints at places (n, 2), at the end of the path or of a new one."""
        path = self._desk.extending
        before = () if path is None else path.waypoints
        waypoints = list(before)
        for place in places:
            found = self._waypoint(place, waypoints[-1] if waypoints else None)
            if found is not None and (not waypoints or waypoints[-1].z != found.z):
                waypoints.append(found)
        if len(waypoints) == len(before):
            self._hint("That particle is the last waypoint already")
            return
        self._hint(self.modifiers_text)
        book = self._session.paths
        if path is None:
            axes = self.plot.axes
            names = () if axes is None else axes.names
            note = f"drawn in {', '.join(map(column_title, names))}"
            book.add(waypoints=tuple(waypoints), note=note)
        else:
            self._edit(path, tuple(waypoints))

    def _put(self, index: int, mouse: CanvasMouse) -> None:
        path = self._session.paths.active
        if path is None or index >= len(path):
            return
        found = self._waypoint(mouse.place, path.waypoints[index])
        if found is not None:
            self._edit(path, path.with_waypoint_at(index, found).waypoints)

    def _insert(self, mouse: CanvasMouse) -> None:
        path, leg = self._session.paths.active, self._leg_at(mouse)
        if path is None or leg is None:
            self._hint("Shift+click a line of the active path to insert a waypoint there")
            return
        found = self._waypoint(mouse.place, path.waypoints[leg])
        if found is not None:
            self._edit(path, path.with_waypoint(found, leg + 1).waypoints)

    def _delete(self, index: int) -> None:
        path = self._session.paths.active
        if path is not None and index < len(path):
            self._edit(path, path.without_waypoint(index).waypoints)

    def _edit(self, path: LatentPath, waypoints: tuple[Waypoint, ...]) -> None:
        try:
            self._session.paths.edit(path.name, waypoints=waypoints)
        except InputError as error:
            self._session.say(str(error), "warning")

    def _finish(self) -> None:
        self._forget()
        path = self._desk.extending
        if path is not None:
            self._desk.end()
            self._hint(f"{path.name} is finished: the next click begins another path")

    def _show_state(self, index: int) -> None:
        """Show the molecule at a waypoint that was clicked."""
        book = self._session.paths
        path = book.active
        if path is None or index >= len(path):
            return
        position = book.positions(path)[index]
        source = f"{path.name}, waypoint {index + 1}"
        if position is not None:
            self._session.pick(position, source=source)
        else:
            self._session.request_z(path.waypoints[index].z, source=source)

    # Where things are

    def _waypoint(self, place: npt.NDArray[np.float64], beside: Waypoint | None) -> Waypoint | None:
        """The waypoint at a place; of what the axes do not tell, it is like another one."""
        axes, latent = self.plot.axes, self.plot.latent
        if axes is None or latent is None:
            return None
        if axes.free:
            state = self._session.state_now
            if beside is not None:
                base = np.array(beside.z)
            elif state is not None and len(state.z) == latent.zdim:
                base = state.z.astype(np.float64)
            else:
                base = latent.mu.mean(axis=0, dtype=np.float64)
            z = axes.to_z(place, base)
            return None if z is None else waypoint(z)
        position = self.plot.nearest(place)
        return None if position is None else self._session.paths.waypoint_of_particle(position)

    def _waypoint_at(self, mouse: CanvasMouse) -> int | None:
        """Waypoint of the active path that the mouse means."""
        places = self._places()
        if places is None or places.shape[1] != 2:
            return None
        away = np.linalg.norm(places - mouse.place, axis=1)
        away[~np.isfinite(away)] = np.inf
        index = int(np.argmin(away))
        return index if away[index] <= WAYPOINT_REACH * mouse.radius else None

    def _leg_at(self, mouse: CanvasMouse) -> int | None:
        """Leg of the active path that the mouse is over, 0 after the first waypoint."""
        active = self._session.paths.active
        drawn = None if active is None else self.on_plot.drawn.get(active.name)
        if drawn is None or len(drawn.places) < 2 or drawn.places.shape[1] != 2:
            return None
        away = [
            float(distance_to_line(mouse.place[None], start, end)[0])
            for start, end in zip(drawn.places[:-1], drawn.places[1:], strict=True)
        ]
        nearest = int(np.argmin(np.nan_to_num(away, nan=np.inf)))
        return int(drawn.legs[nearest]) if away[nearest] <= mouse.radius else None

    def _places(self) -> npt.NDArray[np.float64] | None:
        active = self._session.paths.active
        drawn = None if active is None else self.on_plot.drawn.get(active.name)
        return None if drawn is None else drawn.waypoints

    # What is seen meanwhile

    def _show_moved(self, index: int, mouse: CanvasMouse) -> None:
        """Straight lines from the waypoint that is being moved to its neighbours."""
        places = self._places()
        if places is None:
            return
        near = [places[i] for i in (index - 1,) if i >= 0]
        after = [places[i] for i in (index + 1,) if i < len(places)]
        outline = np.array([*near, mouse.place, *after])
        self.plot.canvas.show_outline(outline, closed=False, colour=self._colour())
        self.plot.canvas.show_mark("path moved", mouse.place, style="dot", colour=self._colour())

    def _colour(self) -> str:
        active = self._session.paths.active if self._grabbed is not None else self._desk.extending
        return "#ffffff" if active is None else active.colour

    def _trail_places(self) -> npt.NDArray[np.float64]:
        return np.array([mouse.place for mouse in self._trail], dtype=np.float64).reshape(-1, 2)

    def _forget(self) -> None:
        if self._pressed is not None:
            self.plot.canvas.show_outline(None)
            self.plot.canvas.show_mark("path moved", None)
        self._pressed, self._grabbed, self._trail = None, None, []
        self._dragging = False

    def _hint(self, words: str) -> None:
        self.hinted.emit(words)
