"""Pictures of surfaces on the CPU, without a display: z-buffer, soft light, occlusion.

Orthographic: what is farther away is no smaller, so that lengths compare. The light comes
from the upper left, as in napari's and ChimeraX's default scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_cryodrgn.export.palette import BACKGROUND, Colour
from napari_cryodrgn.export.rasterise import Raster, draw_triangles
from napari_cryodrgn.export.surface_mesh import SurfaceMesh

_KEY_LIGHT = np.array([-0.45, -0.6, 0.66])
_FILL_LIGHT = np.array([0.75, 0.1, 0.45])
_SUPERSAMPLING = 2
_COARSENING = 4


@dataclass(frozen=True, eq=False)
class View:
    """How surfaces are looked at.

    Parameters
    ----------
    rotation : (3, 3) array
        Applied to positions (x, y, z) in the volume frame; the result's x goes right, y up
        and z to the viewer. A proper one, so that hands are seen as they are.
    half_width : float
        Å from the picture's centre to its nearer edge.
    size : (int, int)
        Width and height of the picture, px.
    """

    rotation: npt.NDArray[np.floating]
    half_width: float
    size: tuple[int, int] = (480, 480)


def view_rotation(azimuth: float, elevation: float) -> npt.NDArray[np.float64]:
    """Rotation that shows the volume's z axis upright, seen from around and above.

    Parameters
    ----------
    azimuth : float
        Turn about the z axis, degrees.
    elevation : float
        How far above the xy plane the viewer is, degrees.

    Returns
    -------
    (3, 3) float64 array
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    up = np.array([-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)])
    return np.stack([np.cross(up, toward), up, toward])


def render_surfaces(
    surfaces: Sequence[tuple[SurfaceMesh, Colour | npt.NDArray[np.floating]]],
    view: View,
    *,
    background: Colour = BACKGROUND,
) -> npt.NDArray[np.uint8]:
    """Picture of one or several surfaces.

    Parameters
    ----------
    surfaces : sequence of (SurfaceMesh, colour)
        What to show, all in one frame; a colour (r, g, b) for all of a surface, or (V, 3) for
        its vertices, 0 to 255.
    view : View
        From where, and how large.
    background : (r, g, b)
        Colour behind them.

    Returns
    -------
    (height, width, 3) uint8 array
    """
    width, height = (side * _SUPERSAMPLING for side in view.size)
    scale = min(width, height) / 2 / view.half_width
    # Rows of a picture go down.
    screen = np.asarray(view.rotation, np.float32) * np.array([[1], [-1], [1]], np.float32)
    raster = Raster.empty(height, width)
    for mesh, colour in surfaces:
        places = mesh.vertices @ screen.T * np.float32(scale)
        places[:, :2] += np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
        draw_triangles(
            raster,
            places,
            mesh.normals @ screen.T,
            mesh.faces,
            np.asarray(np.array(colour) / 255, dtype=np.float32),
        )
    behind = np.asarray(np.array(background) / 255, dtype=np.float32)
    picture = _shade(raster, scale * view.half_width, behind)
    blocks = picture.reshape(view.size[1], _SUPERSAMPLING, view.size[0], _SUPERSAMPLING, 3)
    return np.asarray(np.clip(blocks.mean(axis=(1, 3)) * 255 + 0.5, 0, 255), dtype=np.uint8)


def _shade(
    raster: Raster, half_size: float, background: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Colours of the pixels under two lights, with occlusion; `half_size` in pixels."""
    covered = np.isfinite(raster.depth)
    if not covered.any():
        return np.broadcast_to(background, raster.normals.shape).astype(np.float32)
    # Only where a surface is, and in single precision: this takes most of a frame's time.
    normals = raster.normals[covered]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.float32(1e-9))
    key = np.clip(normals @ _unit(_KEY_LIGHT), 0, None)
    fill = np.clip(normals @ _unit(_FILL_LIGHT), 0, None)
    halfway = _KEY_LIGHT / np.linalg.norm(_KEY_LIGHT) + [0, 0, 1]
    gleam = np.clip(normals @ _unit(halfway), 0, None) ** 40
    sky, depth = _openness(raster.depth, covered, half_size)
    open_sky, distance = sky[covered], depth[covered]
    light = open_sky * (0.34 + 0.66 * key + 0.2 * fill) * (1 - 0.25 * distance)
    picture = np.broadcast_to(background, raster.normals.shape).astype(np.float32)
    picture[covered] = raster.colours[covered] * light[:, None] + 0.16 * (gleam * open_sky)[:, None]
    return picture


def _unit(direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """A direction with length 1."""
    return np.asarray(direction / np.linalg.norm(direction), dtype=np.float32)


def _openness(
    depth: npt.NDArray[np.float32], covered: npt.NDArray[np.bool_], half_size: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """How much of the sky each pixel sees, and how far back it lies, both 0 to 1.

    Screen-space occlusion: a pixel that lies behind the mean depth around it is in a
    hollow. Two radii give both grooves and clefts.
    """
    farthest, nearest = depth[covered].min(), depth[covered].max()
    filled = np.where(covered, depth, farthest)
    # What is smooth is computed on a coarser grid, a tenth of the work.
    share, sums = _coarse(covered.astype(np.float32)), _coarse(filled * covered)
    shadow = np.zeros_like(filled)
    for radius in (0.025 * half_size, 0.09 * half_size):
        width = radius / _COARSENING
        weight = ndimage.gaussian_filter(share, width)
        around = ndimage.gaussian_filter(sums, width) / np.maximum(weight, 1e-3)
        smooth = ndimage.zoom(around, _COARSENING, order=1, grid_mode=True, mode="nearest")
        smooth = smooth[: depth.shape[0], : depth.shape[1]]
        shadow += np.clip((smooth - filled) / (2.2 * radius), 0, 1) * 0.42
    distance = (nearest - filled) / max(float(nearest - farthest), 1e-6)
    return 1 - np.clip(shadow, 0, 0.75), distance.astype(np.float32)


def _coarse(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Means of square blocks of pixels."""
    height, width = picture.shape
    edges = ((0, -height % _COARSENING), (0, -width % _COARSENING))
    padded = np.pad(picture, edges, mode="edge")
    rows, columns = (side // _COARSENING for side in padded.shape)
    means = padded.reshape(rows, _COARSENING, columns, _COARSENING).mean(axis=(1, 3))
    return np.asarray(means, dtype=np.float32)
