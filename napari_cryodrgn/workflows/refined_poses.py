"""``pose.N.pkl``: the poses that a run has refined, ours or cryoDRGN's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import check_rotations, euler_from_rotations
from napari_cryodrgn.io.checks import check_shifts
from napari_cryodrgn.io.pickles import as_float32, load_pickle
from napari_cryodrgn.particles import Particles, Poses


@dataclass(frozen=True, eq=False)
class RefinedPoses:
    """Poses of an epoch.

    Parameters
    ----------
    rotations : (N, 3, 3) float32 array
    shifts : (N, 2) float32 array or None
        Fractions of the box; None where nobody can say what unit they are in.
    """

    rotations: npt.NDArray[np.float32]
    shifts: npt.NDArray[np.float32] | None

    def columns(self, box: int) -> pd.DataFrame:
        """Angles in degrees and shifts in pixels, N rows, by names that begin with refined."""
        angles = euler_from_rotations(self.rotations)
        names = ("angle_rot", "angle_tilt", "angle_psi")
        found = dict(zip(names, angles, strict=True))
        if self.shifts is not None and box:
            x, y = (self.shifts.astype(np.float64) * box).T
            found |= {"shift_x": x, "shift_y": y}
        return pd.DataFrame(found).add_prefix("refined_")

    def of(self, particles: Particles) -> Particles:
        """The particles at these poses, where shifts are known; else at their own."""
        if self.shifts is None:
            return particles
        return replace(particles, poses=Poses(self.rotations, self.shifts))


def read_refined_poses(path: Path, n: int, config: RunConfig | None) -> RefinedPoses:
    """Read the refined poses of n particles.

    Shifts are fractions of the box, but for cryoDRGN's abinit, which writes pixels.

    Parameters
    ----------
    path : Path
        The file.
    n : int
        Particles of the run.
    config : RunConfig or None
        Its configuration, which says what wrote them.

    Raises
    ------
    InputError
        Where the file cannot be read, or has poses of other particles.
    """
    content = load_pickle(path)
    parts = content if isinstance(content, tuple) and content else (content,)
    rotations = as_float32(parts[0], path, "rotations")
    check_rotations(rotations, file=path)
    if len(rotations) != n:
        raise InputError(f"it has {len(rotations)} poses where the run has {n}", file=path)
    if len(parts) == 1:
        return RefinedPoses(rotations, np.zeros((n, 2), np.float32))
    shifts = as_float32(parts[1], path, "shifts")
    in_pixels = config is None or config.kind == "abinit"
    if in_pixels and (config is None or not config.box):
        return RefinedPoses(rotations, None)
    if in_pixels and config is not None:
        shifts = shifts / np.float32(config.box)
    elif shifts.size and np.abs(shifts).max() > 1:
        return RefinedPoses(rotations, None)
    check_shifts(shifts, n, file=path, box=None)
    return RefinedPoses(rotations, shifts)
