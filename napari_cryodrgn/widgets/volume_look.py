"""Where layers of volumes and surfaces lie, and in which colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer, Surface
from napari.utils.colormaps import Colormap
from qtpy.QtGui import QColor

from napari_cryodrgn.session_records import ShownVolume
from napari_cryodrgn.widgets.placement import (
    image_placement,
    middle_at_origin,
    surface_placement,
    units,
)
from napari_cryodrgn.widgets.volume_mesh import Mesh, layer_data

SurfaceData = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]


def placement_of(volume: ShownVolume, layer: type[Layer]) -> dict[str, Any]:
    """Scale in Å, and the middle of the box at the origin whatever the box."""
    step = np.full(3, volume.pixel_size or 1.0)
    corner = middle_at_origin(volume.data.shape, step)
    place = surface_placement if layer is Surface else image_placement
    return {**place(step, corner), "units": units(volume.pixel_size is not None)}


def new_surface(mesh: Mesh, volume: ShownVolume, colour: str, **options: Any) -> Surface:
    """A surface layer of a kept state, in one colour; it lies where the live one does."""
    return Surface(
        layer_data(mesh), **surface_look(colour), **placement_of(volume, Surface), **options
    )


def true_size(
    mesh: Mesh, volume: ShownVolume, coloured: npt.NDArray[np.float32] | None = None
) -> SurfaceData:
    """Data of the live surface: vertices where they lie in the scene, in Å.

    The layer then stays where it is from rung to rung. napari takes as long to move a layer as
    to give it a surface.
    """
    vertices, faces, values = layer_data(mesh)
    place = placement_of(volume, Surface)
    placed = (vertices * place["scale"] + place["translate"]).astype(np.float32)
    return placed, faces, values if coloured is None else coloured


def surface_look(colour: str) -> dict[str, Any]:
    """What a surface layer in one colour is made with."""
    return {"colormap": plain_colours(colour), "contrast_limits": (0, 1), "shading": "smooth"}


def ramp(colour: str) -> Colormap:
    """From nothing through a colour to near white: depth within the densest parts."""
    rgb = np.array(QColor(colour).getRgbF()[:3])
    stops = np.array([0.5 * rgb, 0.85 * rgb, 0.35 * rgb + 0.65])
    alpha = np.array([0.0, 0.85, 1.0])
    return Colormap(
        np.column_stack([stops, alpha]), controls=(0.0, 0.7, 1.0), name=f"ramp {colour}"
    )


def plain_colours(colour: str) -> Colormap:
    """Shades of one colour, '#rrggbb'; a surface of ones has the colour itself."""
    rgb = np.array(QColor(colour).getRgbF()[:3])
    return Colormap([[*(0.4 * rgb), 1], [*rgb, 1]], name=f"plain {colour}")
