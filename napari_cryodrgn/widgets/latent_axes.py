"""Which columns are the axes of the latent plot, and where each particle lies in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

if TYPE_CHECKING:
    from napari_cryodrgn.latent.embedding import PrincipalComponents
    from napari_cryodrgn.latent.space import LatentSpace

AxesKind = Literal["umap", "z", "pca", "columns"]

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
    """Axes that belong together.

    Parameters
    ----------
    name : str
        "UMAP", "PCA", "z", "PCA 3D", "z 3D" or "Columns".
    x, y : str
        Columns along the axes.
    third : str
        Column along the third axis; "" for a flat plot.
    """

    name: str
    x: str
    y: str
    third: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, two or three."""
        return (self.x, self.y, self.third) if self.third else (self.x, self.y)


@dataclass(frozen=True, eq=False)
class PlotAxes:
    """What the axes of the plot are, and what a place between them means.

    Parameters
    ----------
    names : tuple of str
        Columns along x, y and, in 3D, the third axis.
    kind : {"umap", "z", "pca", "columns"}
        "columns" where they are of no one kind.
    components : PrincipalComponents or None
        Of the latent space, for axes along them.
    signs : tuple of float
        1, or -1 for a component that is shown turned round.
    """

    names: tuple[str, ...]
    kind: AxesKind
    components: PrincipalComponents | None = None
    signs: tuple[float, ...] = (1.0, 1.0)

    @property
    def free(self) -> bool:
        """Whether every place of the plot is a latent point: two axes in z, or two components."""
        return len(self.names) == 2 and self.kind in ("z", "pca")

    def to_z(
        self, place: npt.ArrayLike, base_z: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float32] | None:
        """Latent point (zdim,) at a place (y, x), elsewhere as `base_z`; None where not free."""
        if not self.free:
            return None
        wanted = np.asarray(place, dtype=np.float64)[::-1] * self.signs
        z = np.array(base_z, dtype=np.float64)
        if self.kind == "z":
            z[self._numbers()] = wanted
        elif self.components is not None:
            axes = self.components.axes[self._numbers()]
            z += (wanted - axes @ (z - self.components.mean)) @ axes
        return z.astype(np.float32)

    def from_z(self, z: npt.NDArray[np.floating]) -> npt.NDArray[np.float64] | None:
        """Place of a latent point, (y, x) or (third, y, x); None where the axes do not tell."""
        point = np.asarray(z, dtype=np.float64)
        if self.kind == "z":
            along = point[self._numbers()]
        elif self.kind == "pca" and self.components is not None:
            along = self.components.axes[self._numbers()] @ (point - self.components.mean)
        else:
            return None
        return np.asarray((along * self.signs)[::-1], dtype=np.float64)

    def _numbers(self) -> list[int]:
        """Index of each axis among the latent dimensions, or the components."""
        first = 1 if self.kind == "pca" else 0
        return [int(re.sub(r"\D", "", name)) - first for name in self.names]


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
    """Axes that these columns offer, best first."""
    there = set(axis_columns(columns))
    offers = (
        View("UMAP", "UMAP1", "UMAP2"),
        View("PCA", "PC1", "PC2"),
        View(LATENT_VIEW, "z0", "z1"),
        View("PCA", "PC1", "row"),
        View("PCA 3D", "PC1", "PC2", "PC3"),
        View("z 3D", "z0", "z1", "z2"),
        View("UMAP 3D", "UMAP1", "UMAP2", "UMAP3"),
    )
    found: list[View] = []
    for view in offers:
        if set(view.names) <= there and view.name not in {other.name for other in found}:
            found.append(view)
    for name in axis_columns(columns):
        # Embeddings that were made beside the analysis: "UMAP (k 30) 1", "UMAP (k 30) 2".
        match = re.fullmatch(r"(UMAP .+) 1", name)
        if match and f"{match.group(1)} 2" in there:
            found.append(View(match.group(1), name, f"{match.group(1)} 2"))
    return found


def plot_points(columns: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Places of the particles for two or three columns as axes.

    Axes of one kind (all UMAP, all z) keep their proportion, for distances
    mean something there. Others, such as defocus against z, are each brought
    to the same length.

    Parameters
    ----------
    columns : DataFrame
        N rows.
    names : sequence of str
        Columns along x, y and, in 3D, the third axis.

    Returns
    -------
    (N, 2 or 3) float32 array
        Places (y, x) or (third, y, x); NaN where a particle has no value.
    """
    values = [columns[name].to_numpy(np.float32) for name in reversed(names)]
    if len({_kind(name) for name in names}) > 1:
        values = [_to_unit(each) for each in values]
    return np.column_stack(values)


def plot_axes(
    names: Sequence[str], latent: LatentSpace | None, signs: dict[str, float] | None = None
) -> PlotAxes:
    """What these columns are as axes of a latent space.

    Parameters
    ----------
    names : sequence of str
        Columns along x, y and, in 3D, the third axis.
    latent : LatentSpace or None
        Whose components they may be.
    signs : dict of str to float, optional
        -1 for the components that are shown turned round.
    """
    kinds = {_kind(name) for name in names}
    found: dict[str, AxesKind] = {"UMAP": "umap", "PC": "pca", "z": "z"}
    kind = found.get(kinds.pop(), "columns") if len(kinds) == 1 else "columns"
    turned = tuple((signs or {}).get(name, 1.0) for name in names)
    return PlotAxes(tuple(names), kind, None if latent is None else latent.components, turned)


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
    match = re.fullmatch(r"(UMAP|PC|z|UMAP .+ )\d+", name)
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
