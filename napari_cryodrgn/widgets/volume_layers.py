"""The live volume in the main viewer: one Image and one Surface layer, used again and again.

Camera, contour and intensity scale are set once and survive every volume: layers get new
data and nothing else, and while something is dragged not even that: the surface is then drawn
by `moving_surface`, and the layers have it once it rests. Where another epoch has another scale,
contour and contrast keep their distance from the mean in sigma.

How they are placed, with the true hand, see ``placement``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Surface

from napari_cryodrgn.imaging.volume_colour import SurfaceColouring
from napari_cryodrgn.imaging.volume_filter import VolumeFilter
from napari_cryodrgn.session_records import IntensityScale, ShownVolume
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.moving_surface import MovingSurface
from napari_cryodrgn.widgets.placement import (
    AWAY,
    units,
)
from napari_cryodrgn.widgets.sessions import is_closed
from napari_cryodrgn.widgets.theme import CATEGORY_COLOURS
from napari_cryodrgn.widgets.volume_look import (
    new_surface,
    placement_of,
    plain_colours,
    ramp,
    surface_look,
    true_size,
)
from napari_cryodrgn.widgets.volume_mesh import Mesh, mesh_of
from napari_cryodrgn.widgets.volume_prepared import PreparedVolume, prepared_volume, rests
from napari_cryodrgn.widgets.volume_words import details_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

Mode = Literal["surface", "volume"]

IMAGE_NAME = "Volume (live)"
SURFACE_NAME = "Surface (live)"
LIVE_COLOUR = "#8ab8d6"
STYLES = {"mip": "maximum", "attenuated_mip": "attenuated", "iso": "shaded"}


class VolumeLayers:
    """Shows volumes in a viewer, always in the same two layers.

    Parameters
    ----------
    viewer : napari viewer
        Where.
    mode : {"surface", "volume"}
        What to show to begin with.
    given : callable
        Told of each volume when the canvas has it, and is about to be painted.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        mode: Mode = "surface",
        given: Callable[[ShownVolume], object] = lambda _: None,
    ) -> None:
        self._viewer = viewer
        self._meshes: Latest[PreparedVolume] = Latest(self._take_mesh, "surface", every=True)
        self._image: Image | None = None
        self._surface: Surface | None = None
        self._volume: ShownVolume | None = None
        self._mesh: Mesh | None = None
        self._mesh_volume: ShownVolume | None = None
        self._image_volume: ShownVolume | None = None
        self._kept = 0
        self._moving = MovingSurface(viewer)
        self._given = given
        self.scale: IntensityScale | None = None
        self.level = 0.0
        self.mode: Mode = mode
        self.filter = VolumeFilter()
        self.colouring: SurfaceColouring | None = None
        self._values: npt.NDArray[np.float32] | None = None
        self._look_of_values: tuple[str, tuple[float, float]] = ("viridis", (0.0, 1.0))
        self.style = "mip"
        self.colour = LIVE_COLOUR

    @property
    def volume(self) -> ShownVolume | None:
        """What is shown."""
        return self._volume

    @property
    def painted(self) -> ShownVolume | None:
        """What the live layer holds: in surface mode it is the one whose mesh has come."""
        return self._mesh_volume if self.mode == "surface" else self._image_volume

    @property
    def live(self) -> Image | Surface | None:
        """The live layer of the present mode."""
        return self._surface if self.mode == "surface" else self._image

    def show(self, volume: ShownVolume, scale: IntensityScale) -> None:
        """Show a volume in the live layers.

        Parameters
        ----------
        volume : ShownVolume
            What to show.
        scale : IntensityScale
            Statistics of the volumes of its epoch.
        """
        if is_closed(self._viewer):
            return
        first = self._volume is None
        self._volume = volume
        image_was = self._present(self._image)
        if self.scale is not scale:
            self._rescale(scale)
        if not image_was:
            self._add_image()
        elif self.filter.does_nothing and (self.mode == "volume" or rests(volume)):
            self._fill_image(volume, volume.data)
        if self._present(self._surface):
            self._set_units(self._surface)  # before its mesh comes: napari wants all alike
        self._ask_mesh()
        if first:
            self._look()

    def begin_anew(self) -> None:
        """Forget scale, contour and view: the next volume is of another run."""
        self._meshes.cancel()
        self._volume = None
        self.scale = None

    def set_mode(self, mode: Mode) -> None:
        """Show a surface, or render the volume."""
        self.mode = mode
        if mode == "volume" and self._volume is not None and self._present(self._image):
            self._fill_image(self._volume, self._volume.data)
        self._ask_mesh()
        self._show_mode()

    def set_style(self, style: str) -> None:
        """How the volume is rendered: "mip", "attenuated_mip" or "iso"."""
        self.style = style
        if self._image is not None:
            self._image.rendering = style

    def set_level(self, level: float) -> None:
        """Contour: the density along the surface."""
        self.level = level
        if self._image is not None:
            self._image.iso_threshold = level
        self._ask_mesh()

    def set_colour(self, colour: str) -> None:
        """Colour of the live layers, '#rrggbb'."""
        self.colour = colour
        if self._image is not None:
            self._image.colormap = ramp(colour)
        if self._surface is not None and self._values is None:
            self._surface.colormap = plain_colours(colour)

    def keep(self, name: str, details: dict[str, Any]) -> Layer | None:
        """Copy what is shown into a layer of its own, in a colour of its own.

        Parameters
        ----------
        name : str
            Name of the layer.
        details : dict
            What it is, for the layer's metadata.

        Returns
        -------
        Layer or None
            None while there is nothing to keep.
        """
        volume = self._volume
        if volume is None:
            return None
        colour = self.next_colour
        common = {"name": name, "metadata": {**details, "level": self.level}}
        layer: Layer
        if self.mode == "surface":
            mesh = self._mesh
            if mesh is None or self._mesh_volume is not volume or mesh.level != self.level:
                mesh = mesh_of(volume.data, self.level)
            layer = new_surface(mesh, volume, colour, **common)
        else:
            layer = self._new_image(volume, colour, **common)
        self._kept += 1
        active = self._viewer.layers.selection.active
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = active
        return layer

    def add_kept(
        self,
        volume: ShownVolume,
        mesh: Mesh | None,
        colour: str,
        *,
        name: str,
        level: float,
        visible: bool,
    ) -> Layer:
        """Add a state kept in an earlier session: a surface, or an image without `mesh`."""
        details = {**details_of(volume), "level": level}
        common = {"name": name, "metadata": details, "visible": visible}
        layer: Layer
        if mesh is None:
            layer = self._new_image(volume, colour, **common)
        else:
            layer = new_surface(mesh, volume, colour, **common)
        self._kept += 1
        active = self._viewer.layers.selection.active
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = active
        return layer

    @property
    def contrast(self) -> tuple[float, float] | None:
        """Densities at the ends of the volume's colours; None before there is a volume."""
        if self._image is None:
            return None
        low, high = self._image.contrast_limits
        return float(low), float(high)

    def set_contrast(self, low: float, high: float) -> None:
        """Densities at the ends of the volume's colours."""
        if self._image is not None and self.scale is not None and low < high:
            self._image.contrast_limits_range = _range(self.scale, low, high)
            self._image.contrast_limits = (low, high)

    @property
    def next_colour(self) -> str:
        """Colour of the state that is kept next."""
        return CATEGORY_COLOURS[(self._kept + 1) % len(CATEGORY_COLOURS)]

    def shutdown(self) -> None:
        """Stop the thread; the layers stay as they are."""
        self._meshes.stop()
        self._moving.shutdown()

    def _rescale(self, scale: IntensityScale) -> None:
        """Take over another scale; what was set by hand stays where it was in sigma."""
        before, self.scale = self.scale, scale
        low, high = scale.mean, max(scale.top, scale.mean + 1e-9)
        if before is None:
            self.level = scale.level
        else:
            self.level = scale.density(before.in_sigma(self.level))
            if self._image is not None:
                low, high = (scale.density(before.in_sigma(v)) for v in self._image.contrast_limits)
        if self._image is not None:
            self._image.contrast_limits_range = _range(scale, low, high)
            self._image.contrast_limits = (low, high)
            self._image.iso_threshold = self.level

    def _fill_image(self, volume: ShownVolume, data: npt.NDArray[np.float32]) -> None:
        """Give the image what is shown, filtered or not; while hidden only what stays."""
        if self._image is None:
            return
        self._image_volume = volume
        if self._image.data is not data:
            self._image.data = data
        self._place(self._image, volume)
        self._image.metadata = {**details_of(volume), "filter": self.filter}
        if self.mode == "volume":
            self._given(volume)

    def _add_image(self) -> None:
        if self._volume is None:
            return
        self._image = self._new_image(
            self._volume,
            self.colour,
            name=IMAGE_NAME,
            visible=self.mode == "volume",
            metadata=details_of(self._volume),
        )
        self._image_volume = self._volume
        self._viewer.add_layer(self._image)

    def _new_image(self, volume: ShownVolume, colour: str, **options: Any) -> Image:
        scale = self.scale or IntensityScale.of(volume.data)
        limits = (scale.mean, max(scale.top, scale.mean + 1e-9))
        if self._present(self._image) and options["name"] != IMAGE_NAME:
            limits = tuple(self._image.contrast_limits)  # type: ignore[union-attr]
        image = Image(
            volume.data,
            colormap=ramp(colour),
            contrast_limits=limits,
            rendering=self.style,
            iso_threshold=self.level,
            blending="translucent",
            **placement_of(volume, Image),
            **options,
        )
        image.contrast_limits_range = _range(scale, *limits)
        image.contrast_limits = limits
        return image

    def set_filter(self, volume_filter: VolumeFilter) -> None:
        """What is done to each volume before it is shown; the volume itself stays as it is."""
        if volume_filter == self.filter:
            return
        self.filter = volume_filter
        if volume_filter.does_nothing and self._volume is not None and self._present(self._image):
            self._fill_image(self._volume, self._volume.data)
        self._ask_mesh()

    def set_colouring(
        self, colouring: SurfaceColouring | None, colormap: str, limits: tuple[float, float]
    ) -> None:
        """Colour the live surface by values along it, or plainly again.

        Parameters
        ----------
        colouring : SurfaceColouring or None
            What it is coloured by.
        colormap : str
            Name of one of napari's.
        limits : (float, float)
            Values at the ends of the colours.
        """
        self.colouring = colouring
        self._look_of_values = (colormap, limits)
        self._ask_mesh()

    def _ask_mesh(self) -> None:
        volume = self._volume
        if volume is None or (self.mode != "surface" and self.filter.does_nothing):
            return
        surface = self.mode == "surface"
        self._meshes.request(
            partial(prepared_volume, volume, self.level, self.filter, surface, self.colouring)
        )

    def _take_mesh(self, prepared: PreparedVolume) -> None:
        mesh, volume = prepared.mesh, prepared.volume
        if self._volume is None or is_closed(self._viewer):
            return
        seen = self.mode == "volume" or rests(volume)
        if prepared.data is not volume.data and seen and self._present(self._image):
            self._fill_image(volume, prepared.data)
        if mesh is None:
            return
        self._mesh, self._mesh_volume = mesh, volume
        self._values = prepared.values
        if self._surface is None or not self._present(self._surface):
            self._surface = Surface(
                true_size(mesh, volume, prepared.values),
                name=SURFACE_NAME,
                metadata=details_of(volume),
                units=units(volume.pixel_size is not None),
                **surface_look(self.colour),
            )
            self._viewer.add_layer(self._surface)
            self._show_mode()
            self._moving.warm_up(self._surface)
            self._show_colours(self._surface)
            self._given(volume)
            return
        self._show_colours(self._surface)
        if not self._show_moving(self._surface, mesh, volume):
            self._set_units(self._surface)
            self._surface.data = true_size(mesh, volume, prepared.values)
            self._surface.metadata = details_of(volume)
            self._moving.hide()
        self._given(volume)

    def _show_moving(self, surface: Surface, mesh: Mesh, volume: ShownVolume) -> bool:
        """Draw a surface that another one follows at once; whether that was done."""
        if rests(volume) or mesh.empty:
            return False
        vertices, faces, values = true_size(mesh, volume, self._values)
        normals = (mesh.normals * AWAY).astype(np.float32)
        return self._moving.show(surface, vertices, normals, faces.astype(np.uint32), values)

    def _show_colours(self, surface: Surface) -> None:
        """Colormap and range of what the surface is coloured by, where they are others."""
        plain = self._values is None
        name, limits = (f"plain {self.colour}", (0.0, 1.0)) if plain else self._look_of_values
        if surface.colormap.name != name:
            surface.colormap = plain_colours(self.colour) if plain else name
        if tuple(surface.contrast_limits) != limits:
            surface.contrast_limits_range = limits
            surface.contrast_limits = limits

    def _show_mode(self) -> None:
        self._moving.hide()
        if self._image is not None:
            self._image.visible = self.mode == "volume"
        if self._surface is not None:
            self._surface.visible = self.mode == "surface"
        live = self.live
        if live is not None and live in self._viewer.layers:
            self._viewer.layers.selection.active = live

    def _present(self, layer: Layer | None) -> bool:
        """Whether the layer is still there: anybody may delete it from the list."""
        return layer is not None and layer in self._viewer.layers

    def _set_units(self, layer: Layer | None) -> None:
        if layer is None or self._volume is None:
            return
        wanted = units(self._volume.pixel_size is not None)
        if tuple(map(str, layer.units)) != wanted:
            layer.units = wanted

    def _place(self, layer: Layer | None, volume: ShownVolume) -> None:
        if layer is None:
            return
        for name, value in placement_of(volume, type(layer)).items():
            now = getattr(layer, name)
            same = tuple(map(str, now)) == value if name == "units" else np.allclose(now, value)
            if not same:
                setattr(layer, name, value)

    def _look(self) -> None:
        """Turn to 3D and look at the whole box: once, for the first volume."""
        self._viewer.dims.ndisplay = 3
        self._viewer.reset_view()
        self._viewer.canvas.overlays.scale_bar.visible = True


def _range(scale: IntensityScale, low: float, high: float) -> tuple[float, float]:
    return min(scale.lowest, low, scale.mean - scale.sigma), max(scale.highest, high)
