"""Maps made from images, in the main viewer beside the decoded one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Layer, Surface
from napari.utils.colormaps import Colormap
from qtpy.QtGui import QColor
from scipy.ndimage import map_coordinates

from napari_cryodrgn.session_records import IntensityScale
from napari_cryodrgn.widgets.background import Latest
from napari_cryodrgn.widgets.placement import (
    image_placement,
    middle_at_origin,
    surface_placement,
    units,
)
from napari_cryodrgn.widgets.volume_mesh import Mesh, layer_data, mesh_of
from napari_cryodrgn.workflows.map_agreement import reduced

if TYPE_CHECKING:
    from napari.components import ViewerModel


SPACING = 0.8
"""Distance between maps that stand beside each other, in boxes: their corners are empty."""

OPACITY_OVER = 0.6


DIFFERENCE_COLOURS = Colormap(
    [[0.1, 0.35, 0.85, 1], [0.92, 0.92, 0.9, 1], [0.85, 0.12, 0.1, 1]], name="difference"
)


@dataclass(frozen=True, eq=False)
class _ColouredMesh:
    """A surface, and at its vertices the difference of another map, -1 to 1, where asked for."""

    mesh: Mesh
    difference: npt.NDArray[np.float32] | None


class EvidenceMap:
    """One map in a viewer, a surface where OpenGL is software; the same layer for each renewal.

    Parameters
    ----------
    viewer : napari viewer
        Where.
    name : str
        Of the layer.
    colour : str
        "#rrggbb".
    number : int
        Its place to the right of the decoded map, from 1.
    as_surface : bool
        Whether to show a surface, or render the volume.
    """

    def __init__(
        self, viewer: ViewerModel, name: str, colour: str, number: int, *, as_surface: bool
    ) -> None:
        self._viewer = viewer
        self._name, self._colour = name, colour
        self._as_surface = as_surface
        self._meshes: Latest[_ColouredMesh] = Latest(self._take_mesh, "evidence-surface")
        self._layer: Layer | None = None
        self._level: float | None = None
        self._number = number
        self.beside = True
        self._decoded: npt.NDArray[np.float32] | None = None
        self._difference = False
        self.data: npt.NDArray[np.float32] | None = None
        self.pixel_size: float | None = None
        self._details: dict[str, Any] = {}

    @property
    def layer(self) -> Layer | None:
        """The layer, where it is in the viewer."""
        there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if there else None

    def show(
        self, data: npt.NDArray[np.float32], pixel_size: float | None, details: dict[str, Any]
    ) -> None:
        """Show a map.

        Parameters
        ----------
        data : (box, box, box) float32 array
            The map.
        pixel_size : float or None
            Å per voxel.
        details : dict
            What it is, for the layer's metadata.
        """
        self.data, self.pixel_size, self._details = data, pixel_size, details
        # Maps of images have no scale in common: each is contoured by its own densest part.
        self._level = IntensityScale.of(data).level
        self._decoded = None
        self._draw()

    def compare_with(self, decoded: npt.NDArray[np.float32] | None) -> None:
        """Say which decoded map is of the same state, or that none is."""
        self._decoded = decoded
        if self._difference:
            self._draw()

    def set_difference(self, on: bool) -> None:
        """Colour the surface by where the decoded map differs, or plainly."""
        self._difference = on
        self._draw()

    def _draw(self) -> None:
        if self.data is None or self._level is None:
            return
        if self._as_surface:
            compared = self._decoded if self._difference else None
            self._meshes.request(partial(_coloured_mesh, self.data, self._level, compared))
        else:
            self._show_image(self.data)

    def set_beside(self, beside: bool) -> None:
        """Put it beside the decoded map, or over it."""
        self.beside = beside
        layer = self.layer
        if layer is not None:
            place = surface_placement if isinstance(layer, Surface) else image_placement
            layer.translate = self._place(place)["translate"]
            layer.opacity = 1.0 if beside else OPACITY_OVER

    @property
    def _aside(self) -> npt.NDArray[np.float64]:
        """To the right on the screen, as it is turned now, in boxes; in the axes of the scene."""
        camera = self._viewer.scene.camera
        right = np.cross(camera.view_direction, camera.up_direction)
        return SPACING * self._number * right / np.linalg.norm(right)

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        self._meshes.cancel()
        if self.layer is not None:
            self._viewer.layers.remove(self.layer)
        self._layer = self.data = None

    def shutdown(self) -> None:
        """Stop the thread; the layer stays."""
        self._meshes.stop()

    def _take_mesh(self, found: _ColouredMesh) -> None:
        layer = self.layer
        vertices, faces, values = layer_data(found.mesh)
        coloured = found.difference is not None and len(found.difference) == len(vertices)
        data = (vertices, faces, found.difference if coloured else values)
        if isinstance(layer, Surface):
            layer.data = data
            layer.colormap = DIFFERENCE_COLOURS if coloured else self._plain_colours()
            layer.contrast_limits = (-1, 1) if coloured else (0, 1)
            layer.metadata = self._metadata()
            return
        self._add(
            Surface(
                data,
                colormap=DIFFERENCE_COLOURS if coloured else self._plain_colours(),
                contrast_limits=(-1, 1) if coloured else (0, 1),
                shading="smooth",
                opacity=1.0 if self.beside else OPACITY_OVER,
                name=self._name,
                metadata=self._metadata(),
                **self._place(surface_placement),
            )
        )

    def _plain_colours(self) -> Colormap:
        rgb = np.array(QColor(self._colour).getRgbF()[:3])
        return Colormap([[*(0.4 * rgb), 1], [*rgb, 1]], name=f"plain {self._colour}")

    def _show_image(self, data: npt.NDArray[np.float32]) -> None:
        scale = IntensityScale.of(data)
        layer = self.layer
        if isinstance(layer, Image) and layer.data.shape == data.shape:
            layer.data = data
            layer.iso_threshold = scale.level
            layer.metadata = self._metadata()
            return
        if layer is not None:
            self._viewer.layers.remove(layer)
        self._add(
            Image(
                data,
                rendering="iso",
                iso_threshold=scale.level,
                contrast_limits=(scale.mean, max(scale.top, scale.mean + 1e-9)),
                colormap=Colormap([[0, 0, 0, 0], QColor(self._colour).getRgbF()]),
                blending="translucent",
                name=self._name,
                metadata=self._metadata(),
                **self._place(image_placement),
            )
        )

    def _add(self, layer: Layer) -> None:
        active = self._viewer.layers.selection.active
        self._layer = layer
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = active
        if self.beside:
            # The one time that the view changes by itself: what was asked for must be in it.
            self._viewer.reset_view(reset_camera_angle=False)

    def _metadata(self) -> dict[str, Any]:
        return {**self._details, "level": self._level, "volume": self.data}

    def _place(self, place: Any) -> dict[str, Any]:
        shape = () if self.data is None else self.data.shape
        step = np.full(3, self.pixel_size or 1.0)
        placed = place(step, middle_at_origin(shape, step))
        if self.beside and shape:
            placed["translate"] = placed["translate"] + self._aside * shape[2] * step[2]
        return {
            **placed,
            "units": units(self.pixel_size is not None),
        }


def _coloured_mesh(
    data: npt.NDArray[np.float32], level: float, decoded: npt.NDArray[np.float32] | None
) -> _ColouredMesh:
    mesh = mesh_of(data, level)
    if decoded is None or mesh.empty:
        return _ColouredMesh(mesh, None)
    other = reduced(decoded, len(data)) if len(decoded) >= len(data) else decoded
    if other.shape != data.shape:
        return _ColouredMesh(mesh, None)
    # The scale of both is made alike where the molecule is.
    inside = data > level
    scale = float((data[inside] * other[inside]).sum() / np.square(other[inside]).sum())
    difference = map_coordinates(scale * other - data, mesh.vertices.T, order=1)
    return _ColouredMesh(mesh, np.clip(difference / level, -1, 1).astype(np.float32))
