"""Surfaces of constant density, as triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
from skimage.measure import marching_cubes

from napari_cryodrgn.widgets.placement import surface_vertices

LARGEST_BOX = 160
"""Beyond it every second voxel is taken: more triangles than pixels gain nothing."""

SMALL_BOX = 72
"""Up to it the density is interpolated to twice the box, or one would see the triangles."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface in voxel units.

    Parameters
    ----------
    vertices : (V, 3) float32 array
        z, y, x.
    faces : (F, 3) int array
        Vertices of each triangle.
    level : float
        Density along it.
    normals : (V, 3) float32 array
        Of unit length, towards lower density.
    """

    vertices: npt.NDArray[np.float32]
    faces: npt.NDArray[np.int32]
    level: float
    normals: npt.NDArray[np.float32]

    @property
    def empty(self) -> bool:
        """Whether no density reaches the level."""
        return len(self.faces) == 0


# A layer needs something to hold where there is no surface; this has no area.
_NOTHING = (np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))


def mesh_of(data: npt.NDArray[np.float32], level: float, *, smooth: bool = True) -> Mesh:
    """The surface at a density; finer than the voxels where the box is small, coarser where large.

    Parameters
    ----------
    data : (box, box, box) float32 array
        Density, z, y, x.
    level : float
        Density along the surface.
    smooth : bool
        Whether to interpolate a small box; without, it takes an eighth of the time.

    Returns
    -------
    Mesh
        Empty where the density does not cross the level.
    """
    if not float(data.min()) < level < float(data.max()):
        none = np.zeros((0, 3), np.float32)
        return Mesh(none, np.zeros((0, 3), np.int32), level, none)
    step = 1 if max(data.shape) <= LARGEST_BOX else 2
    fine = 2 if smooth and max(data.shape) <= SMALL_BOX else 1
    vertices, faces, normals, _ = marching_cubes(
        doubled(data) if fine == 2 else data,
        level,
        step_size=step,
        gradient_direction="descent",
        allow_degenerate=False,
    )
    return Mesh((vertices / fine).astype(np.float32), faces.astype(np.int32), level, normals)


def doubled(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same density at twice as many points along each axis, by padding its transform.

    That is the one density of no finer detail which passes through the voxels, but for
    what they hold at the very limit of their resolution, which is left out.
    """
    transform = scipy.fft.rfftn(data)
    wide = np.zeros((*(2 * n for n in data.shape[:2]), data.shape[2] + 1), transform.dtype)
    low = [(slice(0, n // 2), slice(-(n // 2) + 1, None)) for n in data.shape[:2]]
    for rows in low[0]:
        for columns in low[1]:
            wide[rows, columns, : data.shape[2] // 2] = transform[
                rows, columns, : data.shape[2] // 2
            ]
    fine = scipy.fft.irfftn(wide, [2 * n for n in data.shape], overwrite_x=True)
    return (8 * fine).astype(np.float32)


def layer_data(
    mesh: Mesh,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Vertices (-z, y, x), faces and values (all 1) for a Surface layer.

    Of an empty mesh there is nothing to see. Why -z, see ``placement``.
    """
    vertices, faces = _NOTHING if mesh.empty else (mesh.vertices, mesh.faces)
    return surface_vertices(vertices), faces, np.ones(len(vertices), np.float32)
