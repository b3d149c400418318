"""Which two columns are the axes of the latent plot, and where each particle lies in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

CUSTOM_VIEW = "Columns"
LATENT_VIEW = "z"

TITLES = {
    "z_norm": "|z|",
    "row": "Row",
    "image_name": "Image",
    "micrograph": "Micrograph",
    "optics_group": "Optics group",
    "defocus_u": "Defocus U (Å)",
    "defocus_v": "Defocus V (Å)",
    "defocus": "Defocus (Å)",
    "defocus_angle": "Astigmatism angle (°)",
    "phase_shift": "Phase shift (°)",
    "voltage": "Voltage (kV)",
    "spherical_aberration": "Cs (mm)",
    "amplitude_contrast": "Amplitude contrast",
    "pixel_size": "Pixel size (Å)",
    "angle_rot": "Rot (°)",
    "angle_tilt": "Tilt (°)",
    "angle_psi": "Psi (°)",
    "shift_x": "Shift x (box)",
    "shift_y": "Shift y (box)",
}


@dataclass(frozen=True)
class View:
    """A pair of axes that belong together.

    Parameters
    ----------
    name : str
        "UMAP", "PCA", "z" or "Columns".
    x, y : str
        Columns along the axes.
    """

    name: str
    x: str
    y: str


@dataclass(frozen=True, eq=False)
class PlotFrame:
    """Where the particles lie on the canvas.

    Parameters
    ----------
    points : (N, 2) float32 array
        Place of each particle, (y, x); NaN where it has no value.
    x, y : str
        Columns along the axes.
    """

    points: npt.NDArray[np.float32]
    x: str
    y: str


def column_title(name: str) -> str:
    """A column's name for people, with its unit: 'Defocus U (Å)', 'UMAP 1', 'k-means 20'."""
    if name in TITLES:
        return TITLES[name]
    if name.startswith("refined_"):
        return f"Refined {column_title(name.removeprefix('refined_')).lower()}"
    for pattern, words in ((r"UMAP(\d+)", "UMAP {}"), (r"PC(\d+)", "PC {}")):
        match = re.fullmatch(pattern, name)
        if match:
            return words.format(match.group(1))
    match = re.fullmatch(r"kmeans(\d+)", name)
    return f"k-means {match.group(1)}" if match else name


def axis_columns(columns: pd.DataFrame) -> list[str]:
    """Columns that can be an axis: numbers, whatever they mean."""
    return [
        str(name)
        for name in columns.columns
        if is_numeric_dtype(columns[name]) and not is_bool_dtype(columns[name])
    ]


def views(columns: pd.DataFrame) -> list[View]:
    """Pairs of axes that these columns offer, best first."""
    there = set(axis_columns(columns))
    offers = (
        View("UMAP", "UMAP1", "UMAP2"),
        View("PCA", "PC1", "PC2"),
        View(LATENT_VIEW, "z0", "z1"),
        View("PCA", "PC1", "row"),
    )
    found: list[View] = []
    for view in offers:
        if {view.x, view.y} <= there and view.name not in {other.name for other in found}:
            found.append(view)
    return found


def plot_frame(columns: pd.DataFrame, x: str, y: str) -> PlotFrame:
    """Places of the particles for two columns as axes.

    Axes of one kind (both UMAP, both z) keep their proportion, for distances
    mean something there. Others, such as defocus against z, are each brought
    to the same length.
    """
    across = columns[x].to_numpy(np.float32)
    up = columns[y].to_numpy(np.float32)
    if _kind(x) != _kind(y):
        across, up = _to_unit(across), _to_unit(up)
    return PlotFrame(np.column_stack([up, across]), x, y)


def with_steady_signs(columns: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """The columns, with principal components turned the way they were before.

    The sign of a component is arbitrary and changes from epoch to epoch of a
    training; without this the plot would flip over.

    Parameters
    ----------
    columns : DataFrame
        Columns of the epoch to show.
    before : DataFrame or None
        Columns as shown before, of the same particles in the same order.
    """
    if before is None or len(before) != len(columns):
        return columns
    names = [name for name in columns.columns if re.fullmatch(r"PC\d+", str(name))]
    flipped = {
        name: -columns[name]
        for name in names
        if name in before.columns and _opposed(columns[name], before[name])
    }
    return columns.assign(**flipped) if flipped else columns


def identity_text(columns: pd.DataFrame, position: int, names: Sequence[str]) -> str:
    """One particle's identity and some of its values, on one line."""
    parts = [f"particle {columns['row'].iat[position]}"]
    if "image_name" in columns:
        parts.append(str(columns["image_name"].iat[position]))
    for name in dict.fromkeys(names):
        if name in columns and name not in ("row", "image_name"):
            parts.append(f"{column_title(name)}: {value_text(columns[name].iat[position])}")
    return "  ·  ".join(parts)


def value_text(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, bool | np.bool_ | str | int | np.integer):
        return str(value)
    if not isinstance(value, float | np.floating):
        return str(value)
    number = float(value)
    if np.isnan(number):
        return "none"
    return f"{number:,.0f}" if 1e4 <= abs(number) < 1e9 else f"{number:.4g}"


def _kind(name: str) -> str:
    match = re.fullmatch(r"(UMAP|PC|z)\d+", name)
    return match.group(1) if match else name


def _to_unit(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    low, high = float(finite.min()), float(finite.max())
    return (values - low) / (high - low) if high > low else values - low


def _opposed(one: pd.Series, other: pd.Series) -> bool:
    a, b = one.to_numpy(np.float64), other.to_numpy(np.float64)
    return float(np.dot(a - a.mean(), b - b.mean())) < 0
