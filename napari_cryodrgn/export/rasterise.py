"""Triangles to pixels: a z-buffer in numpy, for small triangles in large numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Candidate pixels tested at once; bounds memory at about 200 MB.
_CHUNK_PIXELS = 1_500_000


@dataclass(frozen=True, eq=False)
class Raster:
    """The foremost surface in each pixel.

    Parameters
    ----------
    depth : (height, width) float32 array
        Towards the viewer, px; -inf where nothing is.
    normals : (height, width, 3) float32 array
        x right, y down, z to the viewer; not normalised.
    colours : (height, width, 3) float32 array
        0 to 1.
    """

    depth: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float32]

    @classmethod
    def empty(cls, height: int, width: int) -> Raster:
        """A raster with nothing in it."""
        return cls(
            np.full((height, width), -np.inf, np.float32),
            np.zeros((height, width, 3), np.float32),
            np.zeros((height, width, 3), np.float32),
        )


def draw_triangles(
    raster: Raster,
    vertices: npt.NDArray[np.float32],
    normals: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int64],
    colours: npt.NDArray[np.float32],
) -> None:
    """Draw triangles into a raster, in front of what lies behind them.

    Parameters
    ----------
    raster : Raster
        Changed in place.
    vertices : (V, 3) float32 array
        Column and row in pixels (pixel centres at whole numbers), and depth.
    normals : (V, 3) float32 array
        At the vertices, in the raster's axes.
    faces : (F, 3) int64 array
        Rows of `vertices`; those that face away are not drawn.
    colours : (3,) or (V, 3) float32 array
        One colour, or one for each vertex, 0 to 1.
    """
    corners = vertices[faces]  # (F, 3, 3)
    facing = normals[faces].sum(axis=1)[:, 2] > 0
    low = np.ceil(corners[..., :2].min(axis=1)).astype(np.int64)
    high = np.floor(corners[..., :2].max(axis=1)).astype(np.int64)
    height, width = raster.depth.shape
    inside = ((high >= 0) & (low < [width, height])).all(axis=1)
    extent = (high - low + 1).max(axis=1)
    drawable = np.flatnonzero(facing & inside & (extent > 0))
    # Triangles of like size share one square of candidate pixels.
    sizes = 2 ** np.ceil(np.log2(np.maximum(extent[drawable], 1))).astype(np.int64)
    for size in np.unique(sizes):
        chosen = drawable[sizes == size]
        step = max(1, _CHUNK_PIXELS // int(size) ** 2)
        for start in range(0, len(chosen), step):
            part = chosen[start : start + step]
            shades = colours if colours.ndim == 1 else colours[faces[part]]
            _draw_squares(raster, corners[part], low[part], int(size), normals[faces[part]], shades)


def _draw_squares(
    raster: Raster,
    corners: npt.NDArray[np.float32],
    low: npt.NDArray[np.int64],
    size: int,
    normals: npt.NDArray[np.float32],
    shades: npt.NDArray[np.float32],
) -> None:
    """Draw triangles whose pixels lie in squares of `size` from `low`."""
    rows, columns = np.divmod(np.arange(size * size), size)
    x = low[:, 0, None] + columns
    y = low[:, 1, None] + rows
    shares, triangle, candidate = _barycentric(corners, x, y)
    x, y = x[triangle, candidate], y[triangle, candidate]
    height, width = raster.depth.shape
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, triangle, shares = x[seen], y[seen], triangle[seen], shares[seen]
    depth = (shares * corners[triangle, :, 2]).sum(axis=1)
    pixel = y * width + x
    flat = raster.depth.reshape(-1)
    np.maximum.at(flat, pixel, depth)
    front = flat[pixel] == depth
    pixel, triangle, shares = pixel[front], triangle[front], shares[front]
    raster.normals.reshape(-1, 3)[pixel] = (shares[:, :, None] * normals[triangle]).sum(axis=1)
    # Of one colour exactly that, without the rounding of a mean.
    mixed = shades if shades.ndim == 1 else (shares[:, :, None] * shades[triangle]).sum(axis=1)
    raster.colours.reshape(-1, 3)[pixel] = mixed


def _barycentric(
    corners: npt.NDArray[np.float32], x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Shares of the corners (n, 3) at the pixels within triangles, and which those are."""
    a, b, c = (corners[:, i, :2].astype(np.float64)[:, :, None] for i in range(3))
    twice_area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (
        b[:, 1] - a[:, 1]
    )
    twice_area = np.where(np.abs(twice_area) < 1e-9, np.nan, twice_area)
    of_b = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / twice_area
    of_c = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / twice_area
    # A hair of tolerance leaves no pinholes along shared edges; NaN compares false.
    triangle, candidate = np.nonzero((of_b >= -1e-6) & (of_c >= -1e-6) & (of_b + of_c <= 1 + 1e-6))
    of_b, of_c = of_b[triangle, candidate], of_c[triangle, candidate]
    shares = np.stack([1 - of_b - of_c, of_b, of_c], axis=1).astype(np.float32)
    return shares, triangle, candidate
