"""The latent plot: chooses axes and colours, draws the particles, tells which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_file import Camera, PlotLook
from napari_cryodrgn.session_records import State
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.latent_axes import PlotAxes, column_title, identity_text
from napari_cryodrgn.widgets.latent_choices import PlotChoices
from napari_cryodrgn.widgets.latent_colours import Colouring, ScaleLegend
from napari_cryodrgn.widgets.latent_drawing import Masks
from napari_cryodrgn.widgets.latent_picture import Choice, Picture, make_picture, redrawn
from napari_cryodrgn.widgets.latent_plot_layout import lay_out_plot
from napari_cryodrgn.widgets.latent_scatter import MOST_POINTS, Projection, Region, Scatter
from napari_cryodrgn.widgets.latent_tool import CanvasMouse
from napari_cryodrgn.widgets.latent_viewer import LatentCanvas
from napari_cryodrgn.widgets.layout_once import lay_out_later
from napari_cryodrgn.widgets.software_rendering import software_rendering
from napari_cryodrgn.widgets.theme import PICK_COLOUR

REDRAW_AFTER = 120
"""Time after the last movement of the camera until what is in view is drawn anew, ms."""

MARK_WITHIN = 120
"""Time at most until what moves is marked, where no volume of it comes, ms."""

AROUND = 0.35
"""How much more than the view is drawn on each side, in widths of it: for the next movement."""

MOST_IN_SOFTWARE = 30_000
"""Points drawn at most where OpenGL is software, which takes 0.1 s a frame for three times as
many; all else is density, and all of what is near once one is near."""


class LatentPlot(QWidget):
    """Particles over two or three axes of choice, coloured by a column of choice.

    `picked` carries the position of a clicked particle; `pointed` one line on the particle
    beneath the mouse, "" where there is none; `missed` that a click met no particle;
    `legend_clicked` the class of a legend entry and the modifier keys held.
    """

    picked = Signal(int)
    pointed = Signal(str)
    missed = Signal()
    shown_changed = Signal(str)
    axes_changed = Signal()
    legend_clicked = Signal(str, object)

    def __init__(self, session: Session, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.canvas = LatentCanvas(theme)
        self.choices = PlotChoices()
        self.legend = self.choices.legend
        self.most_points = MOST_POINTS
        self._most_chosen = self._in_software = False
        self.latent: LatentSpace | None = None
        self._known: Picture | None = None
        self._picture: Picture | None = None
        self._masks: Masks = ()
        self._position: int | None = None
        self._state: State | None = None
        self._fitted: tuple[object, ...] | None = None
        self._camera_wanted: Camera | None = None
        self._latest: Latest[Picture] = Latest(self._show, "latent-plot")
        self._views: Latest[Picture] = Latest(self._show_view, "latent-view")
        self._nearest: Latest[tuple[State, int]] = Latest(self._mark_nearest, "latent-nearest")
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REDRAW_AFTER)
        self._rest.timeout.connect(self._redraw)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(MARK_WITHIN)
        self._late.timeout.connect(self._mark)
        self.x_label, self.y_label = lay_out_plot(self)
        self.choices.axes_chosen.connect(self._choose_axes)
        self.choices.colour_chosen.connect(self._prepare)
        self.legend.clicked.connect(self.legend_clicked)
        self.canvas.input.clicked.connect(self._click)
        self.canvas.input.hovered.connect(self._hover)
        self.canvas.resized.connect(self._fit_again)
        self.canvas.view_changed.connect(self._rest.start)

    def warm_up(self) -> None:
        """Do now, in a window just opened, what would make the first picture wait."""
        self._in_software = software_rendering()
        self.canvas.warm_up()

    # For tools, and for who looks on

    @property
    def axes(self) -> PlotAxes | None:
        """What the axes shown are."""
        return None if self._picture is None else self._picture.axes

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """Places (y, x) of all N particles: in 3D on the screen, as seen now."""
        scatter = self.scatter
        if scatter is None:
            return np.zeros((0, 2), np.float32)
        return scatter.points if scatter.index is not None else self._on_screen(scatter)

    @property
    def scatter(self) -> Scatter | None:
        """The particles that are drawn now."""
        return None if self._picture is None else self._picture.scatter

    @property
    def colouring(self) -> Colouring | None:
        """The colours shown now."""
        return None if self._picture is None else self._picture.colouring

    @property
    def picture(self) -> Picture | None:
        """All that is shown now."""
        return self._picture

    @property
    def colour_column(self) -> str | None:
        """The column that the plot is coloured by now; None for one colour."""
        return None if self._picture is None else self._picture.choice.colour

    def nearest(self, place: npt.ArrayLike, radius: float = np.inf) -> int | None:
        """Position of the particle nearest to a place, of all N; None beyond the radius."""
        scatter = self.scatter
        if scatter is None or not len(scatter.placed):
            return None
        if scatter.index is not None:
            return scatter.nearest(place, radius)
        away = self._on_screen(scatter)[scatter.placed] - np.asarray(place, dtype=np.float32)
        squares = np.einsum("ij,ij->i", away, away)
        best = int(squares.argmin())
        return int(scatter.placed[best]) if squares[best] <= radius**2 else None

    def set_selection_masks(self, masks: Sequence[tuple[npt.NDArray[np.bool_], str]]) -> None:
        """Show the particles of these masks (N,) in these colours, later ones over earlier."""
        self._masks = tuple(masks)
        self._redraw()

    def axes_text(self) -> tuple[str, str]:
        """What stands along the axes of the plot."""
        return str(self.x_label.text()), self.y_label.text

    # What is shown

    def set_latent(self, latent: LatentSpace | None, *, new_particles: bool = True) -> None:
        """Show these particles.

        Parameters
        ----------
        latent : LatentSpace or None
            The particles.
        new_particles : bool
            False for the same particles at another epoch: axes, colours and view stay.
        """
        self._known = None if new_particles else self._picture
        self.latent = latent
        if latent is None or new_particles:
            self._masks = ()
            self._position = self._state = None
            self._fitted = None
        if latent is None:
            self._picture = None
            self._latest.cancel()
            self._views.cancel()
            self.canvas.clear()
            self.choices.show_legend(None)
            return
        if self.choices.offer(latent.columns, anew=new_particles):
            self._fitted = None
        self._prepare()

    def set_position(self, position: int | None) -> None:
        """Mark this particle as the picked one."""
        self._position = position
        self._mark_soon()

    def set_state(self, state: State | None) -> None:
        """Mark a latent point: where the axes tell, or else the particle nearest to it.

        While it moves, its volume is waited for: either alone has all of the window put together
        again, which without a graphics card takes longer than both do to be drawn.
        """
        self._state = state
        self._mark_soon()

    def mark_moving(self) -> None:
        """Mark the state now, if that was put off."""
        if self._late.isActive():
            self._mark()

    def set_most_points(self, most: int) -> None:
        """Draw so many points at most."""
        self.most_points = most
        self._most_chosen = True
        self._redraw()

    def fit(self) -> None:
        """Show all points, and keep doing so as they move."""
        scatter = self.scatter
        if scatter is not None and len(scatter.placed):
            self.canvas.fit(scatter.low, scatter.high)
            self._fitted = self._camera()

    def choose_view(self, name: str) -> None:
        """Show "UMAP", "PCA", "z", "PCA 3D", "z 3D" or "Columns"."""
        self.choices.choose_view(name)

    def choose_colour(self, column: str | None) -> None:
        """Colour by this column; None for one colour."""
        self.choices.choose_colour(column)

    def look(self) -> PlotLook:
        """What it shows: axes, colours and, unless all points are, which part is in view."""
        choices, camera = self.choices, self.canvas.model.scene.camera
        moved = self._fitted is None or self._fitted != self._camera()
        seen = Camera(center=camera.center, zoom=camera.zoom, angles=camera.angles)
        return PlotLook(
            view=choices.view_box.currentText(),
            axes=choices.names,
            colour=choices.colour,
            colormap=choices.colormap,
            limits=choices.limits,
            camera=seen if moved and self.scatter is not None else None,
        )

    def set_look(self, look: PlotLook) -> None:
        """Show what was shown once, as far as it is still there."""
        self.choices.restore(look.view, look.axes, look.colour, look.colormap, look.limits)
        self._camera_wanted = look.camera if self.choices.names == look.axes else None

    def describe(self, position: int) -> str:
        """One line on a particle: what it is, where it lies, and what it is coloured by."""
        picture = self._picture
        if picture is not None and len(picture.frame) > position:
            frame, choice = picture.frame, picture.choice
            colour = [] if choice.colour is None else [choice.colour]
            return identity_text(frame, position, [*colour, *choice.names])
        frame = pd.DataFrame() if self.latent is None else self.latent.columns
        return identity_text(frame, position, []) if len(frame) > position else ""

    def shutdown(self) -> None:
        """Stop the background threads and let the canvas go."""
        self._rest.stop()
        self._late.stop()
        for latest in (self._latest, self._views, self._nearest):
            latest.stop()
        self.canvas.shutdown()

    # Drawing

    def _choose_axes(self) -> None:
        self._fitted = None
        self._prepare()

    def _choice(self, latent: LatentSpace) -> Choice:
        if not self._most_chosen and self._in_software:
            self.most_points = MOST_IN_SOFTWARE
        return Choice(
            latent,
            self.choices.names,
            self.choices.colour,
            self.choices.colormap,
            self.choices.limits,
            self.most_points,
            tuple(pair for pair in self._masks if len(pair[0]) == len(latent)),
        )

    def _prepare(self) -> None:
        if self.latent is None:
            return
        self._views.cancel()
        known = self._picture if self._picture is not None else self._known
        if known is not None and self._known is None and known.choice.latent is not self.latent:
            known = None
        region, projection = self._in_view(known)
        self._latest.request(
            partial(
                make_picture,
                self._choice(self.latent),
                known,
                region=region,
                projection=projection,
            )
        )

    def _redraw(self) -> None:
        """Draw the same particles again: what is in view now, or with other selections."""
        picture, latent = self._picture, self.latent
        if picture is None or latent is None or picture.choice.latent is not latent:
            return
        choice = replace(picture.choice, most=self.most_points, masks=self._choice(latent).masks)
        region, projection = self._in_view(picture)
        everything = picture.drawing.whole and len(picture.drawing.drawn) == len(
            picture.scatter.placed
        )
        unchanged = (
            _same_masks(choice.masks, picture.choice.masks) and choice.most == picture.choice.most
        )
        if everything and unchanged:
            return
        self._views.request(partial(redrawn, picture, choice, region=region, projection=projection))

    def _in_view(self, picture: Picture | None) -> tuple[Region | None, Projection | None]:
        if picture is None or self._fitted == self._camera():
            return None, None
        if picture.scatter.index is None:
            return None, (None if self.canvas.flat else self.canvas.projection())
        if not self.canvas.flat:
            return None, None
        low, high = self.canvas.region()
        around = AROUND * (high - low)
        return (low - around, high + around), None

    def _show(self, picture: Picture) -> None:
        if picture.choice.latent is not self.latent:
            return
        follow = self._fitted is None or self._fitted == self._camera()
        before, self._picture, self._known = self._picture, picture, None
        moved = before is None or before.scatter is not picture.scatter
        self.canvas.set_flat(picture.scatter.index is not None)
        self._show_drawing(picture, before)
        lay_out_later(self)
        self.choices.show_legend(picture.colouring.legend)
        names = [column_title(name) for name in picture.choice.names]
        self.x_label.setText("" if len(names) > 2 else names[0])
        self.y_label.set_text("" if len(names) > 2 else names[1])
        if len(names) > 2:
            self.x_label.setText(f"{'  ·  '.join(names)}   (drag to turn)")
        self._mark()
        if follow:
            self.fit()
        self._restore_camera(picture)
        if moved:
            self.canvas.input.cancel()
            self.axes_changed.emit()
        self._tell_shown()
        if not _same_masks(picture.choice.masks, self._masks):
            self._redraw()

    def _restore_camera(self, picture: Picture) -> None:
        """The part that was in view once, when its axes are shown."""
        wanted = self._camera_wanted
        if wanted is None or picture.choice.names != self.choices.names:
            return
        self._camera_wanted = None
        camera = self.canvas.model.scene.camera
        camera.center, camera.zoom, camera.angles = wanted.center, wanted.zoom, wanted.angles

    def _show_view(self, picture: Picture) -> None:
        before = self._picture
        if before is None or before.scatter is not picture.scatter:
            return
        self._picture = picture
        self._show_drawing(picture, before)
        self._tell_shown()

    def _show_drawing(self, picture: Picture, before: Picture | None) -> None:
        same = (
            before is not None
            and before.scatter is picture.scatter
            and np.array_equal(before.drawing.drawn, picture.drawing.drawn)
        )
        self.canvas.show_drawing(picture.drawing, colours_only=same)

    def _tell_shown(self) -> None:
        picture = self._picture
        if picture is None:
            return
        text, legend = picture.drawing.text, picture.colouring.legend
        if isinstance(legend, ScaleLegend) and legend.missing:
            text += f", {legend.missing:,} without a colour"
        self.shown_changed.emit(text)

    def _fit_again(self) -> None:
        """All points were in view, and should be in a larger or smaller one."""
        if self._fitted is not None and self._fitted == self._camera():
            self.fit()

    def _camera(self) -> tuple[object, ...]:
        camera = self.canvas.model.scene.camera
        return (*camera.center, camera.zoom)

    # Marks

    def _mark_soon(self) -> None:
        """Put it off while something moves."""
        if self._state is None or not self._state.moving:
            self._mark()
        elif not self._late.isActive():
            self._late.start()

    def _mark(self) -> None:
        self._late.stop()
        scatter, axes, state = self.scatter, self.axes, self._state
        place = None
        if scatter is not None and self._position is not None:
            place = scatter.points[self._position] if self._position < len(scatter.points) else None
        self.canvas.show_mark("picked", place, style="ring")
        self.canvas.show_mark("nearest", None)
        free = state is not None and state.pick is None
        where = axes.from_z(state.z) if axes is not None and state is not None and free else None
        self.canvas.show_mark("state", where)
        if state is not None and free:
            self.canvas.show_mark("picked", None)
            if where is None and self.latent is not None:
                self._nearest.request(partial(_nearest_in_z, self.latent, state))

    def _mark_nearest(self, found: tuple[State, int]) -> None:
        state, position = found
        if state is self._state and self.scatter is not None:
            place = self.scatter.points[position] if position < len(self.scatter.points) else None
            self.canvas.show_mark("nearest", place, style="ring", colour=PICK_COLOUR)

    # The mouse

    def _click(self, mouse: CanvasMouse) -> None:
        position = self.nearest(mouse.place, mouse.radius)
        if position is None:
            self.missed.emit()
        else:
            self.picked.emit(position)

    def _hover(self, mouse: CanvasMouse) -> None:
        position = self.nearest(mouse.place, mouse.radius)
        self.pointed.emit("" if position is None else self.describe(position))

    def _on_screen(self, scatter: Scatter) -> npt.NDArray[np.float32]:
        return self.canvas.projection().places(scatter.points)


def _same_masks(one: Masks, other: Masks) -> bool:
    """Whether these are the very same arrays, which never change, in the same colours."""
    return [(id(mask), colour) for mask, colour in one] == [
        (id(mask), colour) for mask, colour in other
    ]


def _nearest_in_z(latent: LatentSpace, state: State) -> tuple[State, int]:
    """The particle whose z is nearest to a state's, on a thread beside the window."""
    away = latent.mu - state.z
    return state, int(np.einsum("ij,ij->i", away, away).argmin())
