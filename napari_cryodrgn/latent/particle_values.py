"""Values of particles in a file: labels or coordinates, with the rows they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, replacing
from napari_cryodrgn.io.npy import read_npz
from napari_cryodrgn.particles import ParticleRows

_DAMAGE = (ValueError, KeyError, TypeError, RecursionError, OverflowError)


@dataclass(frozen=True, eq=False)
class ParticleValues:
    """Values of particles.

    Parameters
    ----------
    values : (N, …) array
        Of each particle.
    about : dict
        What else is known of them: plain values.
    """

    values: npt.NDArray[Any]
    about: dict[str, Any]


def write_values(path: Path, rows: ParticleRows, content: ParticleValues) -> None:
    """Write values of N particles, whole or not at all; the folder is made if missing."""
    about = {
        "n_source": rows.n_source,
        "fingerprint": rows.fingerprint,
        "about": content.about,
    }
    text = np.frombuffer(json.dumps(about).encode("utf-8"), dtype=np.uint8)
    with making_folders(path.parent), replacing(path) as file:
        np.savez_compressed(file, values=content.values, rows=rows.rows, about=text)


def read_values(path: Path, rows: ParticleRows, missing: float) -> ParticleValues:
    """Read values, for these particles.

    Parameters
    ----------
    path : Path
        As `write_values` wrote it.
    rows : ParticleRows
        The N particles wanted.
    missing : float
        Value of those that it has not.

    Raises
    ------
    InputError
        Where it is damaged or belongs to another particle table.
    """
    try:
        text, values, saved = read_npz(path, ("about", "values", "rows"))
        about = json.loads(text.tobytes().decode("utf-8"))
        if saved.ndim != 1 or saved.dtype.kind not in "iu":
            raise TypeError("its rows are no row numbers")
        known = ParticleRows(saved, int(about["n_source"]), str(about["fingerprint"]))
        plain = dict(about["about"])
        if len(values) != len(known) or values.dtype.kind not in "if":
            raise ValueError(f"{values.dtype} array of {len(values)} for {len(known)} rows")
    except InputError as error:
        raise InputError(f"it is damaged ({error.problem})", file=path) from error
    except _DAMAGE as error:
        raise InputError(f"it is damaged or no file of ours ({error})", file=path) from error
    try:
        rows.require_same_table(known)
    except InputError as error:
        raise InputError("it belongs to another particle table", file=path) from error
    if np.array_equal(known.rows, rows.rows):
        return ParticleValues(values, plain)
    table = np.full((rows.n_source, *values.shape[1:]), missing, dtype=values.dtype)
    table[known.rows] = values
    return ParticleValues(table[rows.rows], plain)
