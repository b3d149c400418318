"""The RELION 3.1 table of a simulated set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import starfile

from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.particles import CTFParameters, Poses

_MICROSCOPE = {
    "voltage": "rlnVoltage",
    "spherical_aberration": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}

# Columns that tell of the images or the optics groups of the table that the set is like, and
# would be wrong of these.
_OF_OTHER_IMAGES = (
    "rlnOriginX",
    "rlnOriginY",
    "rlnDetectorPixelSize",
    "rlnMagnification",
    "rlnMicrographOriginalPixelSize",
    "rlnMicrographPixelSize",
    "rlnPhaseShift",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnOriginalImageName",
    "rlnOriginalImageSize",
)


def relion_table(
    stack: str,
    poses: Poses,
    ctf: CTFParameters | None,
    micrographs: npt.NDArray[np.int64],
    truth: pd.DataFrame,
    box: int,
    pixel_size: float,
    others: pd.DataFrame | None = None,
) -> str:
    """Text of a ``particles.star`` with an optics block.

    Parameters
    ----------
    stack : str
        Path of the image stack as the table is to name it.
    poses : Poses
        What the table claims, N rows.
    ctf : CTFParameters or None
        N rows; without it the table has no CTF columns.
    micrographs : (N,) int64 array
        Micrograph of each particle, from 0.
    truth : DataFrame
        See `Truth.table`; goes in as columns ``truth…``, which RELION passes over, so that
        plots can be coloured by them.
    box : int
        Side of the images, px.
    pixel_size : float
        Å per pixel.
    others : DataFrame, optional
        N rows of another table, by RELION's names, whose further columns are kept.

    Returns
    -------
    str
    """
    optics, groups = _optics(ctf, len(poses), box, pixel_size)
    particles: dict[str, npt.ArrayLike] = {
        "rlnImageName": [f"{number + 1:06d}@{stack}" for number in range(len(poses))],
        "rlnMicrographName": [f"micrograph_{number + 1:04d}.mrc" for number in micrographs],
        "rlnOpticsGroup": groups,
    }
    rot, tilt, psi = euler_from_rotations(poses.rotations)
    shifts = poses.shifts.astype(np.float64) * box * pixel_size
    particles |= {
        "rlnAngleRot": rot,
        "rlnAngleTilt": tilt,
        "rlnAnglePsi": psi,
        "rlnOriginXAngst": shifts[:, 0],
        "rlnOriginYAngst": shifts[:, 1],
    }
    if ctf is not None:
        particles |= {
            "rlnDefocusU": ctf.column("defocus_u"),
            "rlnDefocusV": ctf.column("defocus_v"),
            "rlnDefocusAngle": ctf.column("defocus_angle"),
            "rlnPhaseShift": ctf.column("phase_shift"),
        }
    particles["truthJunk"] = truth["junk"].replace("", "none")
    if truth["class"].nunique() > 1:
        particles["truthClass"] = truth["class"].fillna(0).astype(int)
    if truth["coordinate"].notna().any():
        particles["truthCoordinate"] = truth["coordinate"]
    table = pd.DataFrame(particles)
    if others is not None:
        if "rlnMicrographName" in others:
            table["rlnMicrographName"] = others["rlnMicrographName"]
        taken = {*table.columns, *optics.columns, *_OF_OTHER_IMAGES}
        kept = others[[name for name in others if name not in taken]]
        table = pd.concat([table, kept], axis=1)
    blocks = {"optics": optics, "particles": table}
    text = str(starfile.to_string(blocks, na_rep="nan"))
    # Its first line tells the time; the same seed shall make the same file.
    return "# version 30001" + text[text.index("\n") :]


def _optics(
    ctf: CTFParameters | None, n: int, box: int, pixel_size: float
) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """The optics block, one row for each microscope, and the group of each particle from 1."""
    microscopes, groups = np.empty((1, 0)), np.zeros(n, np.int64)
    if ctf is not None:
        values = np.stack([ctf.column(name) for name in _MICROSCOPE], axis=1)
        microscopes, groups = np.unique(values, axis=0, return_inverse=True)
    numbers = range(1, len(microscopes) + 1)
    columns: dict[str, object] = {
        "rlnOpticsGroup": list(numbers),
        "rlnOpticsGroupName": ["simulated" if n == 1 else f"simulated{n}" for n in numbers],
        "rlnImagePixelSize": pixel_size,
        "rlnImageSize": box,
        "rlnImageDimensionality": 2,
    }
    if ctf is not None:
        columns |= dict(zip(_MICROSCOPE.values(), microscopes.T, strict=True))
    return pd.DataFrame(columns), groups.reshape(-1).astype(np.int64) + 1
