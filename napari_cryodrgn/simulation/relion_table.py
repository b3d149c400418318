"""The RELION 3.1 table of a simulated set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import starfile

from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.particles import CTFParameters, Poses


def relion_table(
    stack: str,
    poses: Poses,
    ctf: CTFParameters | None,
    micrographs: npt.NDArray[np.int64],
    truth: pd.DataFrame,
    box: int,
    pixel_size: float,
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

    Returns
    -------
    str
    """
    optics: dict[str, list[object]] = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["simulated"],
        "rlnImagePixelSize": [pixel_size],
        "rlnImageSize": [box],
        "rlnImageDimensionality": [2],
    }
    particles: dict[str, npt.ArrayLike] = {
        "rlnImageName": [f"{number + 1:06d}@{stack}" for number in range(len(poses))],
        "rlnMicrographName": [f"micrograph_{number + 1:04d}.mrc" for number in micrographs],
        "rlnOpticsGroup": np.ones(len(poses), np.int64),
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
        optics |= {
            "rlnVoltage": [float(ctf.column("voltage")[0])],
            "rlnSphericalAberration": [float(ctf.column("spherical_aberration")[0])],
            "rlnAmplitudeContrast": [float(ctf.column("amplitude_contrast")[0])],
        }
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
    blocks = {"optics": pd.DataFrame(optics), "particles": pd.DataFrame(particles)}
    text = str(starfile.to_string(blocks, na_rep="nan"))
    # Its first line tells the time; the same seed shall make the same file.
    return "# version 30001" + text[text.index("\n") :]
