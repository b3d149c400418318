"""``z_values.txt``: latent points as text, one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.checks import read_text

LARGEST = 32 << 20
"""Bytes: a hundred thousand points."""


def read_z_values(path: str | Path, zdim: int | None = None) -> npt.NDArray[np.float32]:
    """Read latent points from text, separated by blanks or commas, one point a line.

    Parameters
    ----------
    path : path-like
        ``z_values.txt``, ``centers.txt``, ``z-path.txt`` or the like.
    zdim : int, optional
        Latent dimensions that each line must have.

    Returns
    -------
    (n, zdim) float32 array

    Raises
    ------
    InputError
        Where the file is missing or empty, a value is no finite number, or a
        line has another length than the first or than `zdim`.
    """
    path = Path(path)
    text = read_text(path, LARGEST)
    points: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        points.append([_coordinate(word, path, number) for word in words])
        expected = zdim if zdim is not None else len(points[0])
        if len(words) != expected:
            raise InputError(
                f"there are {len(words)} numbers where a latent point has {expected}",
                file=path,
                field="line",
                value=number,
            )
    if not points:
        raise InputError("there are no latent points in it", file=path)
    return np.array(points, dtype=np.float32)


def write_z_values(path: str | Path, z: npt.NDArray[np.floating]) -> None:
    """Write latent points (n, zdim), one a line, in the digits that give them back exactly."""
    with replacing(path) as file:
        np.savetxt(file, np.asarray(z, dtype=np.float32))


def _coordinate(word: str, path: Path, line: int) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    # Latents are float32; NaN is no less than anything either.
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise InputError("this is no finite number", file=path, field=f"line {line}", value=word)
    return value
