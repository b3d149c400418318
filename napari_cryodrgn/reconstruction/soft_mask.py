"""Masks with soft edges: from a map, and spheres."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage

from napari_cryodrgn.reconstruction.fsc import check_cubes, shell_numbers

# Densities this share of the brightest ones belong to the particle.
_THRESHOLD_SHARE = 0.25
_BRIGHTEST = 99.99
# Noise is smoothed away at this many steps of frequency before the threshold is applied.
_SMOOTHING_SHELLS = 12


def soft_mask(
    volume: npt.ArrayLike, *, dilation: float, edge: float, threshold: float | None = None
) -> npt.NDArray[np.float32]:
    """Mask around the particle in a map: 1 inside, falling to 0 along a cosine.

    Parameters
    ----------
    volume : (box, box, box) array-like
        Map with positive density; it is smoothed first, so that noise leaves no holes.
    dilation : float
        How far the mask reaches beyond the threshold's surface, px.
    edge : float
        Width of the fall, px.
    threshold : float, optional
        Density that belongs to the particle, after smoothing; if not given, a quarter of the
        99.99th percentile.

    Returns
    -------
    (box, box, box) float32 array
        0 to 1; nothing but a sphere where no voxel reaches the threshold.
    """
    density = np.asarray(volume, np.float32)
    check_cubes(density)
    smooth = low_passed(density, min(_SMOOTHING_SHELLS, len(density) // 4))
    # Whatever lies outside the sphere is no part of the particle.
    smooth = np.where(sphere_mask(len(density), edge=0.0) > 0, smooth, -np.inf)
    if threshold is None:
        inside = smooth[np.isfinite(smooth)]
        threshold = _THRESHOLD_SHARE * float(np.percentile(inside, _BRIGHTEST))
    particle = smooth >= threshold
    if not particle.any():
        return sphere_mask(len(density), edge=edge)
    distance = scipy.ndimage.distance_transform_edt(~particle)
    return _falling(distance.astype(np.float32), dilation, edge)


def sphere_mask(
    box: int, radius: float | None = None, *, edge: float = 3.0
) -> npt.NDArray[np.float32]:
    """Sphere in the middle of a box: 1 inside, falling to 0 along a cosine.

    Parameters
    ----------
    box : int
        Side of the map, px.
    radius : float, optional
        Where the mask reaches 0, px; half the box if not given.
    edge : float
        Width of the fall inside of it, px.

    Returns
    -------
    (box, box, box) float32 array
    """
    axis = np.arange(box, dtype=np.float32) - box // 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    outer = box / 2 if radius is None else radius
    return _falling(distance, outer - edge, edge)


def low_passed(volume: npt.NDArray[np.float32], shell: int) -> npt.NDArray[np.float32]:
    """A map without what is finer than a shell, with a Gaussian fall-off (1/e² there)."""
    box = len(volume)
    spectrum = scipy.fft.rfftn(volume)
    spectrum *= np.exp(-2.0 * np.square(shell_numbers(box) / np.float32(shell)))
    return np.asarray(scipy.fft.irfftn(spectrum, volume.shape), np.float32)


def _falling(
    distance: npt.NDArray[np.float32], start: float, edge: float
) -> npt.NDArray[np.float32]:
    """1 up to a distance, then a half period of a cosine down to 0."""
    share = np.clip((distance - start) / max(edge, 1e-6), 0.0, 1.0)
    return np.asarray(0.5 + 0.5 * np.cos(math.pi * share), np.float32)
