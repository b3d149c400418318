"""The surface of a volume at a contour level, as triangles in Å."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from skimage.measure import marching_cubes

from napari_cryodrgn.errors import InputError

# Volumes are refined to at least this grid, so that facets are not seen.
SMOOTH_BOX = 96
_MARGIN = 6


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """Triangles of a surface.

    Parameters
    ----------
    vertices : (V, 3) float32 array
        x, y, z from the volume's centre, Å.
    normals : (V, 3) float32 array
        Unit normals that point out of the molecule.
    faces : (F, 3) int64 array
        Rows of `vertices`.
    """

    vertices: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int64]


def surface_mesh(
    volume: npt.NDArray[np.floating], level: float, pixel_size: float = 1.0
) -> SurfaceMesh:
    """Surface of a volume.

    Parameters
    ----------
    volume : (box, box, box) array
        Density, [z, y, x].
    level : float
        Contour level.
    pixel_size : float
        Å per voxel.

    Returns
    -------
    SurfaceMesh

    Raises
    ------
    InputError
        Where the level lies outside the volume's values.
    """
    if not volume.min() < level < volume.max():
        raise InputError(
            f"the contour level lies outside the volume's values "
            f"({volume.min():.4g} to {volume.max():.4g})",
            field="level",
            value=level,
        )
    box = volume.shape[0]
    zoom = max(1, round(SMOOTH_BOX / box))
    fine = _finer(volume, zoom)
    # A border below the level closes surfaces that reach the edge of the box.
    fine = np.pad(fine, 1, constant_values=min(float(volume.min()), level - 1e-6 * abs(level)))
    fine, first = _around_surface(fine, level)
    corners, faces, normals, _ = marching_cubes(fine, level, gradient_direction="descent")
    places = ((corners + first - 1) / zoom - box // 2) * pixel_size
    return SurfaceMesh(
        places[:, ::-1].astype(np.float32),
        _outward(fine, corners, normals),
        faces.astype(np.int64),
    )


def contour_level(volumes: list[npt.NDArray[np.float32]], *, enclosed: float = 0.045) -> float:
    """A contour level that shows several volumes at one scale.

    Parameters
    ----------
    volumes : list of (box, box, box) arrays
        Volumes to be compared.
    enclosed : float
        Share of the voxels within the inscribed ball that the surface encloses, on average;
        molecules fill about 3 to 6 % of their boxes.

    Returns
    -------
    float
    """
    box = volumes[0].shape[0]
    grid = np.arange(box) - box // 2
    radius2 = (grid[:, None, None] ** 2 + grid[:, None] ** 2 + grid**2).astype(float)
    ball = radius2 <= (box // 2) ** 2
    values = np.concatenate([volume[ball] for volume in volumes])
    return float(np.quantile(values, 1 - enclosed))


def _finer(volume: npt.NDArray[np.floating], zoom: int) -> npt.NDArray[np.float32]:
    """The volume on a grid `zoom` times finer, by padding its transform.

    Sample i of the result lies at i / zoom of the given grid. The Nyquist planes, which
    have no unique continuation, are left out.
    """
    n = volume.shape[0]
    spectrum = fft.rfftn(volume.astype(np.float32))
    kept = (n - 1) // 2
    low = np.r_[0 : kept + 1, -kept:0]
    side = n * zoom
    wider = np.zeros((side, side, side // 2 + 1), spectrum.dtype)
    wider[np.ix_(low, low, np.arange(kept + 1))] = spectrum[np.ix_(low, low, np.arange(kept + 1))]
    finer: npt.NDArray[np.float32] = fft.irfftn(wider, s=(side,) * 3) * np.float32(zoom**3)
    return finer


def _around_surface(
    fine: npt.NDArray[np.float32], level: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The part of a grid that holds the surface, and where it begins: most of a box is empty.

    The margin is what the smoothing of the normals reaches.
    """
    above = fine > level
    parts = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(above.any(axis=others))
        parts.append(slice(max(0, int(filled[0]) - _MARGIN), int(filled[-1]) + _MARGIN + 1))
    return fine[tuple(parts)], np.array([part.start for part in parts])


def _outward(
    fine: npt.NDArray[np.float32],
    corners: npt.NDArray[np.float32],
    normals: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Normals from the smoothed gradient, which shades without the facets of the mesh."""
    gradient = np.stack(
        [
            ndimage.map_coordinates(
                ndimage.gaussian_filter(fine, 1.0, order=[int(a == axis) for a in range(3)]),
                corners.T,
                order=1,
            )
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    smooth = np.where(length > 0, -gradient / np.maximum(length, 1e-20), normals)
    return smooth[:, ::-1].astype(np.float32)
