"""The *Explore* dock: every latent coordinate as a slider, and ways to go from state to state."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout

from napari_cryodrgn.latent.marginals import LatentMarginals, latent_marginals
from napari_cryodrgn.latent.neighbours import LatentNeighbours, Nearest
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume, State
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.dock import SessionDock
from napari_cryodrgn.widgets.explore_history import go_back, go_forward
from napari_cryodrgn.widgets.explore_panel import ExplorePanel
from napari_cryodrgn.widgets.explore_requests import StateRequests
from napari_cryodrgn.widgets.explore_walk import Walker
from napari_cryodrgn.widgets.explore_words import nearest_text, nearest_tip, state_text
from napari_cryodrgn.widgets.shortcuts import bind
from napari_cryodrgn.widgets.theme import theme_colours

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_cryodrgn.latent.embedding import PrincipalComponents
    from napari_cryodrgn.latent.space import LatentSpace


class ExploreDock(SessionDock):
    """Where in the latent space one is, and every way to go elsewhere."""

    def __init__(self, napari_viewer: ViewerModel, session: Session | None = None) -> None:
        super().__init__(napari_viewer, session)
        self.panel = ExplorePanel(self.session, self)
        self.requests = StateRequests(self.session, self)
        self.walker = Walker(self.session, self)
        self.neighbours: LatentNeighbours | None = None
        self.nearest: Nearest | None = None
        self._marginals: LatentMarginals | None = None
        self._space: LatentSpace | None = None
        self._walks = 0
        self._distributions: Latest[LatentMarginals] = Latest(self._take_marginals, "explore-axes")
        self._index: Latest[LatentNeighbours] = Latest(self._take_neighbours, "explore-index")
        self._distance: Latest[tuple[State, Nearest]] = Latest(self._take_nearest, "explore-near")
        self._mean: Latest[npt.NDArray[np.float32]] = Latest(self._take_mean, "explore-mean")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._connect()
        for worker in (self._distributions, self._index, self._distance, self._mean):
            self.at_end(worker.stop)
        self.at_end(self.walker.shutdown)
        self._follow_theme()
        self._show_latent(self.session.latent)

    def _connect(self) -> None:
        panel = self.panel
        panel.sliders.moved.connect(partial(self._move, moving=True))
        panel.sliders.settled.connect(partial(self._move, moving=False))
        panel.page_changed.connect(self._show_page)
        panel.point.chosen.connect(self.requests.settle)
        panel.point.started.connect(self.own)
        panel.nearest_button.clicked.connect(self.snap)
        panel.mean_button.clicked.connect(self.go_to_mean)
        panel.walk_button.toggled.connect(self._walk)
        panel.frames_changed.connect(self.walker.set_frames)
        self.walker.running_changed.connect(panel.show_walking)
        for keys, does, go in (
            ("Alt+Left", "Back to the state before", go_back),
            ("Alt+Right", "Forward again", go_forward),
        ):
            bind(self, keys, does, partial(go, self.session))
        self.listen(self.session.latent_changed, self._show_latent)
        self.listen(self.session.run_changed, self._forget)
        self.listen(self.session.state_changed, self._show_state)
        self.listen(self.session.volume_changed, self._hear_volume)
        self.listen(self.session.history.changed, panel.history.refresh)
        self.listen(self.session.selections.changed, self._show_choices)
        self.listen(self.session.explore.preview_changed, panel.show_preview)
        panel.preview.toggled.connect(self.session.explore.set_preview)
        self.viewer.events.theme.connect(self._follow_theme)
        self.at_end(partial(self.viewer.events.theme.disconnect, self._follow_theme))

    # What the buttons do

    def snap(self) -> None:
        """Go to the particle nearest to the present point."""
        if self.nearest is not None:
            self.requests.settle_at_particle(self.nearest.position, "nearest particle")

    def go_to_mean(self) -> None:
        """Go to the mean of the selected particles' latent points."""
        latent, mask = self.session.latent, self.session.selections.mask
        if latent is not None and len(mask) == len(latent) and mask.any():
            self._mean.request(partial(_mean_of, latent.mu, mask))

    def _take_mean(self, z: npt.NDArray[np.float32]) -> None:
        self.requests.settle(z, f"mean of {self.session.selections.count:,} selected")

    def _walk(self, on: bool) -> None:
        if not on:
            self.walker.stop()
        elif self.neighbours is not None:
            self._walks += 1
            self.walker.start(self.neighbours, self.panel.frames, self._walks)

    # Sliders

    def _move(self, index: int, value: float, *, moving: bool) -> None:
        """A slider or a number of the page shown was moved."""
        base = self.requests.z
        components = self._components()
        if base is None or index >= len(self.panel.sliders.names):
            return
        z = np.array(base, dtype=np.float64)
        if self.panel.page == "z":
            z[index] = value
        elif components is not None:
            axis = components.axes[index]
            z += (value - axis @ (z - components.mean)) * axis
        source = f"slider {self.panel.sliders.names[index]}"
        if moving:
            self.requests.move(z, source)
        else:
            self.requests.settle(z, source)

    def _components(self) -> PrincipalComponents | None:
        return None if self._marginals is None else self._marginals.components

    def _show_page(self) -> None:
        """Rows of z or of the principal components, with their distributions and values."""
        latent, marginals = self._space, self._marginals
        if latent is None:
            return
        if self.panel.page == "z":
            self.panel.show_z(latent.zdim)
        else:
            self.panel.show_components(latent.components.explained)
        if marginals is not None:
            found = marginals.z if self.panel.page == "z" else marginals.pc
            if len(found) == len(self.panel.sliders.names):
                self.panel.sliders.set_marginals(found)
        self._show_values(self.session.state_now)

    def _show_values(self, state: State | None) -> None:
        components = self._components()
        if state is None or self._space is None or len(state.z) != self._space.zdim:
            self.panel.sliders.set_values(None)
        elif self.panel.page == "z":
            self.panel.sliders.set_values(state.z.tolist())
        elif components is not None:
            along = components.axes @ (state.z.astype(float) - components.mean)
            self.panel.sliders.set_values(along.tolist())

    # What the session says

    def _forget(self, _: object) -> None:
        self._marginals = None
        self._space = None

    def _show_latent(self, latent: LatentSpace | None) -> None:
        self.walker.abandon()
        self.requests.cancel()
        for worker in (self._distance, self._mean):
            worker.cancel()
        run = self.session.run
        self.panel.show_emptiness(run, latent)
        same = latent is not None and self._space is not None and latent.mu is self._space.mu
        before, self._space = self._components(), latent
        if latent is None or not latent.zdim or not len(latent):
            self._space = None
            return
        if not same:
            self.neighbours = self.nearest = None
            self._distributions.request(
                partial(latent_marginals, latent.mu, latent.components, before)
            )
            self._index.request(partial(LatentNeighbours, latent.mu))
        self._show_page()
        if self.session.state_now is not None:
            self._show_state(self.session.state_now)
        self._show_choices()

    def _take_marginals(self, marginals: LatentMarginals) -> None:
        self._marginals = marginals
        self._show_page()

    def _take_neighbours(self, neighbours: LatentNeighbours) -> None:
        self.neighbours = neighbours
        self._show_choices()
        if self.session.state_now is not None:
            self._ask_nearest(self.session.state_now)

    def _show_state(self, state: State) -> None:
        self.walker.hear_state(state)
        self._show_values(state)
        self.panel.title.setText(state_text(state))
        self.panel.point.set_z(state.z if len(state.z) else None)
        self._ask_nearest(state)

    def _ask_nearest(self, state: State) -> None:
        if self.neighbours is not None and len(state.z) == self.neighbours.mu.shape[1]:
            self._distance.request(partial(_nearest_to, self.neighbours, state))

    def _take_nearest(self, found: tuple[State, Nearest]) -> None:
        latent = self.session.latent
        state, self.nearest = found
        if latent is None or self.neighbours is None:
            return
        row = int(latent.rows.rows[self.nearest.position])
        self.panel.show_distance(
            nearest_text(state, self.nearest, row),
            nearest_tip(self.neighbours),
            far=self.nearest.far,
        )
        self._show_choices()

    def _hear_volume(self, volume: ShownVolume) -> None:
        self.walker.hear_volume(volume)

    def _show_choices(self, _: object = None) -> None:
        """Which buttons can do something now, and why the others cannot."""
        latent, state = self._space, self.session.state_now
        decodable = self.session.decodable
        selected = self.session.selections.count
        at_particle = state is not None and state.pick is not None
        self.panel.set_choices(
            decodable=decodable,
            can_snap=self.nearest is not None and not at_particle,
            n_selected=selected if latent is not None else 0,
            indexed=self.neighbours is not None,
        )

    def _follow_theme(self) -> None:
        self.panel.set_colours(theme_colours(self.viewer.theme))


def _mean_of(mu: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return np.asarray(mu[mask].mean(axis=0, dtype=np.float64), dtype=np.float32)


def _nearest_to(neighbours: LatentNeighbours, state: State) -> tuple[State, Nearest]:
    return state, neighbours.nearest(state.z)
