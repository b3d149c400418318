"""The columns that an expression can name, and other names for them."""

from __future__ import annotations

import difflib
import re

import pandas as pd

DESCRIPTIONS = {
    "row": "row of the particle in its table, from 0",
    "z_norm": "distance from the origin of the latent space",
    "defocus_u": "larger defocus, Å",
    "defocus_v": "smaller defocus, Å",
    "defocus_angle": "direction of the astigmatism, °",
    "angle_rot": "first Euler angle, °",
    "angle_tilt": "second Euler angle, °",
    "angle_psi": "third Euler angle (in the plane), °",
    "shift_x": "shift that centres the image, px",
    "shift_y": "shift that centres the image, px",
    "voltage": "kV",
    "spherical_aberration": "mm",
    "amplitude_contrast": "share, 0 to 1",
    "phase_shift": "of a phase plate, °",
    "micrograph": "name of the micrograph",
    "image_name": "image of the particle, as its table names it",
}
_PATTERNS = {
    r"z\d+": "latent coordinate",
    r"PC\d+": "principal component of the latent space",
    r"UMAP\d+": "UMAP coordinate",
    r"kmeans\d+": "k-means cluster",
    r"gmm\d+": "cluster of a Gaussian mixture",
    r"hdbscan": "HDBSCAN cluster, -1 for none",
}


def is_labels(series: pd.Series) -> bool:
    """Whether a column has labels of clusters or classes."""
    return isinstance(series.dtype, pd.CategoricalDtype)


def described(name: str) -> str:
    """What a column is, for people; "" where only its table knows."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    for pattern, words in _PATTERNS.items():
        if re.match(pattern, name):
            return words
    return ""


def column_named(name: str, columns: pd.DataFrame) -> tuple[str | None, str | None]:
    """The column that a name means.

    Parameters
    ----------
    name : str
        A column, in any case where only one has it, or the beginning of the only column of
        labels that goes on with a number: "kmeans" for "kmeans20".
    columns : DataFrame

    Returns
    -------
    column : str or None
        None where there is none, or several are meant.
    hint : str or None
        Then, what to write instead.
    """
    names = [str(one) for one in columns.columns]
    if name in names:
        return name, None
    alike = [one for one in names if one.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0], None
    pattern = re.compile(re.escape(name) + r"\d+", re.IGNORECASE)
    labels = [one for one in names if pattern.fullmatch(one) and is_labels(columns[one])]
    if len(labels) == 1:
        return labels[0], None
    if labels:
        return None, f"There are {' and '.join(labels)}"
    lower = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.5)
    if close:
        return None, f"Did you mean {' or '.join(_written(lower[one]) for one in close)}"
    return None, f"There are {', '.join(map(_written, names[:12]))}{' …' if names[12:] else ''}"


def _written(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"
