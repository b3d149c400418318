"""Where a map lies in napari's space: in true units, and with its true hand.

napari draws x to the right, y down and z towards the viewer, which shows a map as its
mirror image. Here z points away instead: the first axis of the scene is -z. An Image gets
there by a negative scale, a Surface by its vertices, for napari lights no mirrored Surface
rightly. The arrays themselves stay as they are in the file, and the camera as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AWAY = np.array([-1.0, 1.0, 1.0])
"""Turns (z, y, x) into the axes of the scene."""

UNKNOWN_UNIT = "pixel"
KNOWN_UNIT = "angstrom"


def middle_at_origin(
    shape: tuple[int, ...], step: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Place (z, y, x) of the first voxel where the middle voxel, n / 2, lies at the origin."""
    return -(np.array(shape) // 2) * step


def image_placement(
    step: npt.NDArray[np.float64], corner: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Options of an Image layer.

    Parameters
    ----------
    step : (3,) array
        Size of a voxel, (z, y, x).
    corner : (3,) array
        Place of the first voxel, (z, y, x).
    """
    return {"scale": step * AWAY, "translate": corner * AWAY}


def surface_placement(
    step: npt.NDArray[np.float64], corner: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Options of a Surface layer whose vertices come from `surface_vertices`."""
    return {"scale": np.asarray(step, dtype=float), "translate": corner * AWAY}


def surface_vertices(vertices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vertices (-z, y, x) of a Surface layer from those (z, y, x) in voxels."""
    return (vertices * AWAY).astype(np.float32)


def units(known: bool) -> tuple[str, str, str]:
    """Units of the three axes."""
    unit = KNOWN_UNIT if known else UNKNOWN_UNIT
    return unit, unit, unit
