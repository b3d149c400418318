"""A volume made ready beside the window: filtered, and its surface found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.imaging.volume_colour import SurfaceColouring
from napari_cryodrgn.imaging.volume_filter import VolumeFilter
from napari_cryodrgn.session_records import ShownVolume
from napari_cryodrgn.widgets.volume_mesh import Mesh, mesh_of


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """A volume made ready in the worker: filtered, and its surface where one is shown."""

    volume: ShownVolume
    data: npt.NDArray[np.float32]
    mesh: Mesh | None
    values: npt.NDArray[np.float32] | None = None


def prepared_volume(
    volume: ShownVolume,
    level: float,
    volume_filter: VolumeFilter,
    surface: bool,
    colouring: SurfaceColouring | None,
) -> PreparedVolume:
    """In the worker; the surface is not smoothed while a better one is still to come."""
    step = volume.pixel_size or 1.0
    data = volume_filter.apply(volume.data, step)
    if not surface:
        return PreparedVolume(volume, data, None)
    mesh = mesh_of(data, level, smooth=rests(volume))
    values = None
    if colouring is not None and not mesh.empty:
        values = colouring.values(data, mesh.vertices, volume_filter, step)
    return PreparedVolume(volume, data, mesh, values)


def rests(volume: ShownVolume) -> bool:
    """Whether it stays: nothing better follows, and nothing is being dragged."""
    return volume.last and not volume.moving
