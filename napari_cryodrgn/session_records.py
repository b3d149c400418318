"""What a session says to its listeners: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.particles import ParticleRows

NoticeKind = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Notice:
    """A message for the person at the window.

    Parameters
    ----------
    text : str
        One or two sentences.
    kind : {"info", "warning", "error"}
        How bad it is.
    details : str
        What a developer would want to know; "" where there is nothing more.
    """

    text: str
    kind: NoticeKind = "info"
    details: str = ""


@dataclass(frozen=True, eq=False)
class Pick:
    """One particle of the open run, chosen in the latent space.

    Parameters
    ----------
    position : int
        Its position in the latent space shown.
    particle : ParticleRows
        Its one row in the source table: what it is, wherever else it appears.
    z : (zdim,) float32 array
        Its latent coordinates.
    name : str
        Its image as the source table names it; "" where that is unknown.
    """

    position: int
    particle: ParticleRows
    z: npt.NDArray[np.float32]
    name: str = ""

    @property
    def row(self) -> int:
        """Row of the source table, 0-based."""
        return int(self.particle.rows[0])


@dataclass(frozen=True, eq=False)
class State:
    """A latent point that was asked for: announced before anything of it is decoded.

    Parameters
    ----------
    z : (zdim,) float32 array
        The latent point.
    pick : Pick or None
        The particle whose z it is; None of a free point.
    source : str
        How one came there: "click", "slider z3", "drag in z0, z1" …
    moving : bool
        Whether a drag or a slider is still being moved.
    """

    z: npt.NDArray[np.float32]
    pick: Pick | None = None
    source: str = ""
    moving: bool = False


@dataclass(frozen=True)
class IntensityScale:
    """Density statistics of several volumes of one epoch, by which all of them are shown.

    Parameters
    ----------
    mean, sigma : float
        Mean and standard deviation over all voxels.
    lowest, highest : float
        Extreme values.
    level : float
        Density above which lies the densest fiftieth of the box, the middle of all volumes.
    top : float
        Density of the densest thousandth; single voxels reach far beyond it.
    n_volumes : int
        How many volumes it was taken from.
    """

    mean: float
    sigma: float
    lowest: float
    highest: float
    level: float
    top: float
    n_volumes: int = 1

    @classmethod
    def of(cls, data: npt.NDArray[np.float32]) -> IntensityScale:
        """Statistics of one volume; of every n-th voxel where it has very many."""
        sample = data.reshape(-1)[:: max(1, data.size // 2_000_000)]
        ranks = [int(sample.size * share) for share in (0.98, 0.999)]
        level, top = (float(value) for value in np.partition(sample, ranks)[ranks])
        mean, sigma = float(sample.mean()), float(sample.std())
        return cls(mean, sigma, float(data.min()), float(data.max()), level, top)

    @classmethod
    def over(cls, scales: list[IntensityScale]) -> IntensityScale:
        """One scale for several volumes: means, but the extremes of all."""
        return cls(
            float(np.mean([scale.mean for scale in scales])),
            float(np.mean([scale.sigma for scale in scales])),
            min(scale.lowest for scale in scales),
            max(scale.highest for scale in scales),
            float(np.median([scale.level for scale in scales])),
            float(np.median([scale.top for scale in scales])),
            len(scales),
        )

    def in_sigma(self, density: float) -> float:
        """A density as multiples of sigma above the mean; 0 of an even volume."""
        return (density - self.mean) / self.sigma if self.sigma > 0 else 0.0

    def density(self, in_sigma: float) -> float:
        """The density that lies so many sigma above the mean."""
        return self.mean + in_sigma * self.sigma


@dataclass(frozen=True, eq=False)
class ShownVolume:
    """The volume that the window shows now, and what it is.

    Parameters
    ----------
    data : (box, box, box) float32 array
        Density, axes z, y, x.
    pixel_size : float or None
        Å per voxel; None where nothing says it.
    z : (zdim,) float32 array
        The latent point that it belongs to.
    epoch : int
        Epoch of the weights or of the analysis.
    rung : str
        How good it is: "surrogate", "preview", "exact", "reduced…"; of a file its name.
    pick : Pick or None
        The particle whose z it is; None for a free latent point.
    seconds : float or None
        How long the decoding took; None for a volume read from a file.
    file : Path or None
        The file it was read from, where it was not decoded: the state nearest to `pick`.
    full_box : int or None
        Box the model was trained on; None where it was not decoded.
    error : float or None
        Of a surrogate, the relative error that is expected here.
    measured_error : float or None
        Of an exact volume, the relative error that the surrogate of the same z turned out to
        have: |surrogate - exact| / |exact|.
    last : bool
        Whether no better rung follows for this z.
    moving : bool
        Whether it was asked for by a drag or a slider that was being moved.
    """

    data: npt.NDArray[np.float32]
    pixel_size: float | None
    z: npt.NDArray[np.float32]
    epoch: int
    rung: str
    pick: Pick | None = None
    seconds: float | None = None
    file: Path | None = None
    full_box: int | None = field(default=None, kw_only=True)
    error: float | None = field(default=None, kw_only=True)
    measured_error: float | None = field(default=None, kw_only=True)
    last: bool = field(default=True, kw_only=True)
    moving: bool = field(default=False, kw_only=True)

    @property
    def box(self) -> int:
        """Side, px."""
        return int(self.data.shape[-1])
