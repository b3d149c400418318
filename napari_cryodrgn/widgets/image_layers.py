"""Layers of image stacks and volumes, in true units; no Qt, and nothing is read too early."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.io.image_stack import FileSections
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.particles import ImageStack
from napari_cryodrgn.widgets.placement import (
    UNKNOWN_UNIT,
    image_placement,
    middle_at_origin,
    units,
)

LayerTuple = tuple[Any, dict[str, Any], str]

CONTRAST_IMAGES = 16
"""Images by which the contrast of a stack is set."""

CONTRAST_SPAN = (0.5, 99.5)
"""Percentiles shown black and white."""


@dataclass(frozen=True, eq=False)
class LazyImages:
    """A stack as napari wants an array: images are read when they are indexed.

    Parameters
    ----------
    images : ImageStack or FileSections
        The images.
    """

    images: ImageStack | FileSections

    ndim = 3
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows, columns."""
        if isinstance(self.images, FileSections):
            return self.images.shape
        return len(self.images), self.images.box, self.images.box

    @property
    def size(self) -> int:
        """Pixels in all."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Any) -> npt.NDArray[np.float32]:
        """Pixels of some images, as of an array of this shape."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        if isinstance(first, int | np.integer):
            chosen = np.arange(len(self))[first]
            pixels = self.images.read(np.array([chosen]))[0]
            return np.asarray(pixels[tuple(rest)])
        positions = np.arange(len(self))[first]
        return np.asarray(self.images.read(positions)[(slice(None), *rest)])

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """All images."""
        return self[:].astype(dtype or self.dtype)


def stack_layer(pixels: Any, name: str, pixel_size: float | None) -> LayerTuple:
    """An image layer with one particle image after the other.

    Parameters
    ----------
    pixels : (N, rows, columns) array-like
        Indexed lazily, but for a few images that set the contrast.
    name : str
        Of the layer.
    pixel_size : float or None
        Å; None where it is not known, and lengths are then in pixels.
    """
    some = np.unique(np.linspace(0, len(pixels) - 1, CONTRAST_IMAGES).astype(np.int64))
    low, high = np.percentile(np.asarray(pixels[some], np.float32), CONTRAST_SPAN)
    step, unit = (1.0, UNKNOWN_UNIT) if pixel_size is None else (pixel_size, "angstrom")
    options = {
        "name": name,
        "scale": (1.0, step, step),
        "units": (UNKNOWN_UNIT, unit, unit),
        "axis_labels": ("particle", "y", "x"),
        "contrast_limits": (float(low), float(max(high, low + 1e-6))),
        "multiscale": False,
    }
    return pixels, options, "image"


def volume_layer(path: Path) -> LayerTuple:
    """An image layer of a density map.

    It lies where its header says. Where the header says nothing, the middle of the
    box lies at the origin, as that of the volumes decoded here does. Like these it has
    its z axis pointing away from the viewer, for napari's own way would show it as its
    mirror image.

    Parameters
    ----------
    path : Path
        An MRC file.
    """
    volume = read_volume(path)
    known = volume.pixel_size is not None
    step = np.array(volume.pixel_size[::-1] if volume.pixel_size else (1.0, 1.0, 1.0))
    corner = np.array(volume.origin[::-1]) if known else np.zeros(3)
    if not corner.any():
        corner = middle_at_origin(volume.data.shape, step)
    sample = volume.data.reshape(-1)[:: max(1, volume.data.size // 1_000_000)]
    low, high = float(sample.mean()), float(np.percentile(sample, 99.95))
    options = {
        "name": path.stem,
        **image_placement(step, corner),
        "units": units(known),
        "axis_labels": ("z", "y", "x"),
        "contrast_limits": (low, max(high, low + 1e-6)),
        "rendering": "mip",
        "colormap": "gray",
        "metadata": {"pixel_size": volume.pixel_size, "path": str(path)},
    }
    return volume.data, options, "image"
