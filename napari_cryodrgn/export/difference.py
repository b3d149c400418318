"""Where a surface has moved since another state, as colours of its vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cryodrgn.export.palette import Colour
from napari_cryodrgn.export.surface_mesh import SurfaceMesh

GAINED: Colour = (64, 150, 255)
LOST: Colour = (255, 96, 72)


def difference_colours(
    mesh: SurfaceMesh,
    reference: npt.NDArray[np.float32],
    level: float,
    pixel_size: float,
    colour: Colour,
) -> npt.NDArray[np.float32]:
    """Colours that say where density came and went.

    On the surface the density equals the contour level; what the reference has at the same
    place says how that changed. Blue: there was less (density has come), fully blue where
    there was none. Red: there was more, for the surface has drawn back, fully red where there
    was twice the level. The scale depends on nothing but the level, so that it is the same
    in every frame.

    Parameters
    ----------
    mesh : SurfaceMesh
        Surface of a state at `level`.
    reference : (box, box, box) float32 array
        The state that it is compared with, [z, y, x].
    level : float
        Contour level, above 0.
    pixel_size : float
        Å per voxel.
    colour : (r, g, b)
        Where nothing has changed.

    Returns
    -------
    (V, 3) float32 array
        0 to 255.
    """
    middle = reference.shape[0] // 2
    places = mesh.vertices[:, ::-1].T / np.float32(pixel_size) + middle
    before = ndimage.map_coordinates(reference, places, order=1, mode="nearest")
    change = np.clip((level - before) / abs(level), -1, 1)[:, None]
    target = np.where(change > 0, np.array(GAINED, float), np.array(LOST, float))
    share = np.abs(change)
    return np.asarray((1 - share) * np.array(colour, float) + share * target, dtype=np.float32)
