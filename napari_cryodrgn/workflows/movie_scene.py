"""From a recipe to frames: what all frames of a movie share, and each of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.difference import difference_colours
from napari_cryodrgn.export.latent_plot import LatentPlot, plot_quantity, with_axes
from napari_cryodrgn.export.layout import Picture, blank, with_scale_bar
from napari_cryodrgn.export.palette import Colour
from napari_cryodrgn.export.profile_plot import profile_strip, with_place
from napari_cryodrgn.export.surface_mesh import surface_mesh
from napari_cryodrgn.export.surface_render import View, render_surfaces, view_rotation
from napari_cryodrgn.latent.embedding import principal_components
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_profile import path_profile
from napari_cryodrgn.latent.space import UMAP_NAME, LatentSpace
from napari_cryodrgn.workflows.movie_recipe import Axes, MovieRecipe, colour_of
from napari_cryodrgn.workflows.volume_files import VolumeSettings, oriented

if TYPE_CHECKING:
    from napari_cryodrgn.model.checkpoint import LoadedModel

_MOST_POINTS = 100_000
_MOST_THREADS = 4
# In a smaller plot the axes' names would lie on the legend.
_LEAST_WITH_AXES = 300


@dataclass(frozen=True, eq=False)
class LatentPanel:
    """The right half of a composite frame.

    Parameters
    ----------
    plot : LatentPlot
        The particles and the path.
    places : (n, 2) float64 array
        Where each state lies in it.
    axes : (str, str)
        Names of its axes.
    strip : (height, width, 3) uint8 array
        Density along the path.
    shares : (n,) float64 array
        How much of the path lies behind each state.
    """

    plot: LatentPlot
    places: npt.NDArray[np.float64]
    axes: tuple[str, str]
    strip: Picture
    shares: npt.NDArray[np.float64]

    def at(self, state: int) -> Picture:
        """The panel with a state marked."""
        marked = self.plot.marked(self.places[state])
        side, width = len(marked), self.strip.shape[1]
        if side >= _LEAST_WITH_AXES:
            marked = with_axes(marked, *self.axes)
        top = blank(width, side)
        left = (width - side) // 2
        top[:, left : left + side] = marked
        return np.concatenate([top, with_place(self.strip, float(self.shares[state]))])


@dataclass(frozen=True, eq=False)
class MovieScene:
    """What all frames of a movie share.

    Parameters
    ----------
    recipe : MovieRecipe
        With its level.
    model : LoadedModel
    settings : VolumeSettings
        Box, pixel size, hand and sign of the volumes.
    level : float
        Contour level.
    first : (box, box, box) float32 array or None
        The first state, where differences from it are shown.
    panel : LatentPanel or None
        Of a composite.
    """

    recipe: MovieRecipe
    model: LoadedModel
    settings: VolumeSettings
    level: float
    first: npt.NDArray[np.float32] | None = None
    panel: LatentPanel | None = None

    def frame(self, number: int) -> Picture:
        """One frame of the movie, (height, width, 3) uint8."""
        state = self.recipe.order[number]
        volume = state_volume(self.model, self.recipe.points[state], self.settings)
        rotation = view_rotation(self.recipe.azimuth_at(number), self.recipe.elevation)
        width, height = self.recipe.frame_size
        picture = self._surface(volume, rotation, (height if self.panel else width, height))
        if self.panel is None:
            return picture
        return np.concatenate([picture, self.panel.at(state)], axis=1)

    def _surface(
        self,
        volume: npt.NDArray[np.float32],
        rotation: npt.NDArray[np.float64],
        size: tuple[int, int],
    ) -> Picture:
        recipe = self.recipe
        pixel_size = self.settings.pixel_size or 1.0
        half_width = 0.45 * self.settings.box * pixel_size / recipe.zoom
        surfaces = []
        # A state that nowhere reaches the level is shown as what it is: nothing.
        if volume.min() < self.level < volume.max():
            mesh = surface_mesh(volume, self.level, pixel_size)
            colour: Colour | npt.NDArray[np.float32] = colour_of(recipe.colour)
            if self.first is not None:
                colour = difference_colours(
                    mesh, self.first, self.level, pixel_size, colour_of(recipe.colour)
                )
            surfaces.append((mesh, colour))
        view = View(rotation, half_width, size)
        picture = render_surfaces(surfaces, view, background=colour_of(recipe.background))
        if recipe.scale_bar and self.settings.pixel_size is not None:
            picture = with_scale_bar(picture, 2 * half_width / min(size))
        return picture


def state_volume(
    model: LoadedModel, z: npt.NDArray[np.float32], settings: VolumeSettings
) -> npt.NDArray[np.float32]:
    """Volume of a latent point, as it is to be shown."""
    from napari_cryodrgn.decoding.volume import decode_volume

    return oriented(decode_volume(model, z, box=settings.box), settings)


def frames(scene: MovieScene, numbers: Sequence[int] | None = None) -> Iterator[Picture]:
    """Frames in their order, some made at the same time; closing it ends the threads.

    Parameters
    ----------
    scene : MovieScene
    numbers : sequence of int, optional
        Which; all of them if not given.
    """
    wanted = list(range(len(scene.recipe.order)) if numbers is None else numbers)
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1, len(wanted)))
    pool = ThreadPoolExecutor(threads)
    under_way: deque[Future[Picture]] = deque()
    try:
        for number in wanted:
            under_way.append(pool.submit(scene.frame, number))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def latent_panel(
    latent: LatentSpace, z: npt.NDArray[np.float32], axes: Axes, size: tuple[int, int]
) -> LatentPanel:
    """Plot of a latent space with a path, and the density along it.

    Parameters
    ----------
    latent : LatentSpace
        Particles.
    z : (n, zdim) float32 array
        The states of the path.
    axes : {"auto", "umap", "pca"}
        Of the plot. In a UMAP a state lies where its nearest particle does.
    size : (int, int)
        Width and height of the panel, px.
    """
    field = LatentField(latent.mu)
    width, height = size
    side = min(width, round(0.78 * height))
    points, places, names = _plotted(latent, field, z, axes)
    chosen = np.random.default_rng(0).permutation(len(points))[:_MOST_POINTS]
    density = field.density.log_density(latent.mu[chosen])
    low, high = np.percentile(density, [2, 98])
    plot = plot_quantity(
        points[chosen],
        density,
        low=float(low),
        high=float(max(high, low + 1e-6)),
        ends=("few particles", "many"),
        size=side,
    )
    profile = path_profile(z, field)
    strip = profile_strip(profile.log_density, profile.stretches, (width, height - side))
    steps = np.linalg.norm(np.diff(z.astype(np.float64), axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return LatentPanel(plot.with_path(places), places, names, strip, along / along[-1])


def _plotted(
    latent: LatentSpace, field: LatentField, z: npt.NDArray[np.float32], axes: Axes
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.float64], tuple[str, str]]:
    """Particles (N, 2) and states (n, 2) in the plot, and the names of its axes."""
    if axes == "umap" and UMAP_NAME not in latent.embeddings:
        raise InputError(
            "this run has no UMAP", field="axes", value=axes, hint="Analyse it, or take pca"
        )
    if axes != "pca" and UMAP_NAME in latent.embeddings:
        umap = latent.embeddings[UMAP_NAME][:, :2]
        nearest = field.nearest(z)[1]
        return umap, umap[nearest].astype(np.float64), ("UMAP 1", "UMAP 2")
    components = principal_components(latent.mu)
    points, places = components.coordinates, (z - components.mean) @ components.axes.T
    if points.shape[1] == 1:
        points, places = np.pad(points, ((0, 0), (0, 1))), np.pad(places, ((0, 0), (0, 1)))
    return points[:, :2], np.asarray(places[:, :2]), ("PC 1", "PC 2")
