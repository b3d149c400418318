"""What a surface is coloured by: how its density differs from another, or varies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from napari_cryodrgn.imaging.volume_filter import Map, VolumeFilter

Kind = Literal["difference", "change"]


@dataclass(frozen=True, eq=False)
class SurfaceColouring:
    """What the vertices of a surface are coloured by.

    Parameters
    ----------
    kind : {"difference", "change"}
        "difference": the density shown less that of a reference. "change": how much the
        density varies from state to state.
    density : (box, box, box) float32 array
        The reference; or the standard deviation of each voxel, see `Spread`.
    """

    kind: Kind
    density: Map

    def values(
        self, data: Map, vertices: npt.NDArray[np.float32], volume_filter: VolumeFilter, step: float
    ) -> npt.NDArray[np.float32]:
        """One value for each vertex, in units of density.

        The two boxes may differ; their middle voxels, n // 2, lie in the same place.

        Parameters
        ----------
        data : (n, n, n) float32 array
            The density shown, filtered.
        vertices : (V, 3) float32 array
            z, y, x in its voxels.
        volume_filter : VolumeFilter
            What was done to it, and is done to the reference. Of a standard deviation only
            the hand is changed: that of filtered maps is not a filtered one.
        step : float
            Its voxels, Å.
        """
        n, box = data.shape[0], self.density.shape[0]
        other = _filtered(self, volume_filter, step * n / box)
        places = (vertices - n // 2) * (box / n) + box // 2
        there = values_at(other, places)
        if self.kind == "change":
            return there
        return np.asarray(values_at(data, vertices) - there, dtype=np.float32)


class Spread:
    """Mean and standard deviation of maps that come one by one (Welford, 1962)."""

    def __init__(self) -> None:
        self.number = 0
        self._mean: npt.NDArray[np.float32] | None = None
        self._squares: npt.NDArray[np.float32] | None = None

    def add(self, data: Map) -> None:
        """Take in another map; all are of one box."""
        self.number += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = data.copy(), np.zeros_like(data)
            return
        away = data - self._mean
        self._mean = self._mean + away / np.float32(self.number)
        self._squares = self._squares + away * (data - self._mean)

    @property
    def mean(self) -> Map | None:
        """None without any map."""
        return self._mean

    @property
    def deviation(self) -> Map | None:
        """Standard deviation over the maps so far, each voxel; None of fewer than two."""
        if self._squares is None or self.number < 2:
            return None
        return np.asarray(np.sqrt(self._squares / np.float32(self.number)), dtype=np.float32)


def values_at(data: Map, places: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Density between the voxels, linearly interpolated.

    Parameters
    ----------
    data : (z, y, x) float32 array
    places : (V, 3) array
        z, y, x in voxels; beyond the map it goes on as at its border.
    """
    values = map_coordinates(data, np.asarray(places).T, order=1, mode="nearest")
    return np.asarray(values, dtype=np.float32)


@lru_cache(maxsize=1)
def _filtered(colouring: SurfaceColouring, volume_filter: VolumeFilter, step: float) -> Map:
    """The reference as the density shown is filtered; kept for the next surface."""
    if colouring.kind == "change":
        volume_filter = VolumeFilter(flip_hand=volume_filter.flip_hand)
    return volume_filter.apply(colouring.density, step)
