"""Particle sets as RELION and cryoSPARC would write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.imaging.rotation import euler_from_rotations
from napari_cryodrgn.particles import Poses

STACK = "particles.mrcs"


def star_blocks(
    poses: Poses, defocus: npt.ArrayLike, box: int, pixel_size: float
) -> dict[str, pd.DataFrame]:
    """The two tables of RELION 3.1, of images in the stack beside them."""
    rot, tilt, psi = euler_from_rotations(poses.rotations)
    particles = {
        "rlnImageName": [f"{i + 1}@{STACK}" for i in range(len(rot))],
        "rlnAngleRot": rot,
        "rlnAngleTilt": tilt,
        "rlnAnglePsi": psi,
        "rlnOriginXAngst": poses.shifts[:, 0] * box * pixel_size,
        "rlnOriginYAngst": poses.shifts[:, 1] * box * pixel_size,
        "rlnDefocusU": defocus,
        "rlnDefocusV": defocus,
        "rlnDefocusAngle": 0.0,
        "rlnOpticsGroup": 1,
    }
    optics = {
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [pixel_size],
        "rlnImageSize": [box],
    }
    return {"optics": pd.DataFrame(optics), "particles": pd.DataFrame(particles)}


def cs_columns(n: int, box: int, pixel_size: float) -> dict[str, np.ndarray]:
    """The columns of a cryoSPARC table of `n` particles."""
    return {
        "uid": np.arange(n, dtype="u8") + 7,
        "blob/path": np.full(n, STACK.encode()),
        "blob/idx": np.arange(n, dtype="u4"),
        "blob/shape": np.full((n, 2), box, "u4"),
        "blob/psize_A": np.full(n, pixel_size, "f4"),
        "ctf/accel_kv": np.full(n, 300, "f4"),
        "ctf/cs_mm": np.full(n, 2.7, "f4"),
        "ctf/amp_contrast": np.full(n, 0.1, "f4"),
        "ctf/df1_A": np.full(n, 15000, "f4"),
        "ctf/df2_A": np.full(n, 14000, "f4"),
        "ctf/df_angle_rad": np.full(n, 0.5, "f4"),
        "ctf/phase_shift_rad": np.zeros(n, "f4"),
        "alignments3D/pose": np.full((n, 3), 0.3, "f4"),
        "alignments3D/shift": np.full((n, 2), 0.5, "f4"),
        "alignments3D/psize_A": np.full(n, pixel_size, "f4"),
    }


def write_cs(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write a cryoSPARC table."""
    kinds = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
    table = np.zeros(len(next(iter(columns.values()))), kinds)
    for name, values in columns.items():
        table[name] = values
    with path.open("wb") as file:  # np.save would add .npy to the name
        np.save(file, table)
