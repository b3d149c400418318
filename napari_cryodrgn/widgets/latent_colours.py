"""Colours of the particles by any column, and the legend that says what they mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.utils.colormaps import ensure_colormap
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype
from qtpy.QtGui import QColor

from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.theme import CATEGORY_COLOURS, MISSING_COLOUR, OTHER_COLOUR

COLORMAPS = (
    "viridis",
    "plasma",
    "inferno",
    "magma",
    "turbo",
    "twilight_shifted",
    "coolwarm",
    "gray",
)
CYCLIC_COLUMNS = ("angle_rot", "angle_psi", "refined_angle_rot", "refined_angle_psi")
CYCLIC_COLORMAP = "twilight_shifted"
MOST_CATEGORIES = len(CATEGORY_COLOURS)
MOST_NUMBERED = 64
"""Numbered clusters told apart by colour at most; names beyond the palette are 'other'."""

FEW_INTEGERS = 12
"""Whole numbers with at most this many values are classes rather than a quantity."""

PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True)
class ScaleLegend:
    """Legend of a quantity: its colormap between two values."""

    title: str
    colormap: str
    low: float
    high: float
    missing: int = 0


@dataclass(frozen=True)
class Category:
    """One class: its name, colour ('#rrggbb') and number of particles.

    `real` is False for those that stand for several or for none.
    """

    name: str
    colour: str
    count: int
    real: bool = True


@dataclass(frozen=True)
class CategoryLegend:
    """Legend of classes, all of them in order."""

    title: str
    categories: tuple[Category, ...]


Legend = ScaleLegend | CategoryLegend


@dataclass(frozen=True, eq=False)
class Colouring:
    """Colours of all N particles, and what they mean.

    Parameters
    ----------
    table : (K, 4) float32 array
        The colours that there are.
    codes : (N,) uint16 array
        Which of them each particle has.
    legend : ScaleLegend or CategoryLegend or None
        None for one colour for all.
    """

    table: npt.NDArray[np.float32]
    codes: npt.NDArray[np.uint16]
    legend: Legend | None

    @property
    def rgba(self) -> npt.NDArray[np.float32]:
        """Colours of all particles, (N, 4)."""
        return self.table[self.codes]

    def of(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Colours of some particles, (M, 4)."""
        return self.table[self.codes[positions]]


def is_category(values: pd.Series) -> bool:
    """Whether a column names classes, rather than measuring something."""
    if isinstance(values.dtype, pd.CategoricalDtype) or is_bool_dtype(values):
        return True
    if not is_numeric_dtype(values):
        return True
    if is_float_dtype(values):
        return False
    # A look at the first tells most columns from classes at a thousandth of the cost.
    return values.iloc[:1000].nunique() <= FEW_INTEGERS and values.nunique() <= FEW_INTEGERS


def colour_by(
    values: pd.Series | None,
    colormap: str,
    n: int,
    limits: tuple[float, float] | None = None,
) -> Colouring:
    """Colours of N particles by a column.

    Parameters
    ----------
    values : Series or None
        The column, N rows; None for one colour for all.
    colormap : str
        Colormap of quantities; classes have colours of their own.
    n : int
        Number of particles.
    limits : (float, float), optional
        Values at the ends of the colormap; percentiles of a quantity if not given.
    """
    if values is None:
        return Colouring(_rgba(CATEGORY_COLOURS[0])[None], np.zeros(n, np.uint16), None)
    return _by_class(values) if is_category(values) else _by_quantity(values, colormap, limits)


def default_colormap(column: str) -> str:
    """Colormap that suits a column: a cyclic one for angles that go round."""
    return CYCLIC_COLORMAP if column in CYCLIC_COLUMNS else COLORMAPS[0]


def _by_quantity(values: pd.Series, colormap: str, limits: tuple[float, float] | None) -> Colouring:
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    finite = np.isfinite(numbers)
    title = column_title(str(values.name))
    low, high = 0.0, 1.0
    if limits is not None:
        low, high = limits
    elif str(values.name) in CYCLIC_COLUMNS:
        low, high = -180.0, 180.0
    elif finite.any():
        # Percentiles of a hundred thousand are those of a million for the eye.
        sample = numbers[finite]
        sample = sample[:: max(1, len(sample) // 100_000)]
        low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    share = np.clip((numbers - low) / (high - low if high > low else 1.0), 0, 1)
    # A table of 256 colours: asking the colormap for a million values takes seconds.
    table = ensure_colormap(colormap).map(np.linspace(0, 1, 256)).astype(np.float32)
    codes = np.round(np.where(finite, share, 0) * 255).astype(np.uint16)
    codes[~finite] = len(table)
    legend = ScaleLegend(title, colormap, low, high, int((~finite).sum()))
    return Colouring(np.concatenate([table, _rgba(MISSING_COLOUR)[None]]), codes, legend)


def _by_class(values: pd.Series) -> Colouring:
    codes, names, numbered = _classes(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    if numbered and len(names) <= MOST_NUMBERED:
        shown = len(names)
    else:
        # Those with the most particles keep a colour; the rest are one class.
        order = np.argsort(-counts, kind="stable")
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        codes = np.where(codes >= 0, rank[codes], -1)
        names, counts = [names[index] for index in order], counts[order]
        shown = len(names) if len(names) <= MOST_CATEGORIES else MOST_CATEGORIES - 1
    colours = _palette(shown)
    table = np.array([*map(_rgba, colours), _rgba(OTHER_COLOUR), _rgba(MISSING_COLOUR)])
    index = np.where(codes < 0, shown + 1, np.minimum(codes, shown)).astype(np.uint16)
    entries = [
        Category(name, colour, int(count))
        for name, colour, count in zip(names[:shown], colours, counts[:shown], strict=True)
    ]
    rest = len(names) - shown
    if rest:
        entries.append(
            Category(f"{rest:,} others", OTHER_COLOUR, int(counts[shown:].sum()), real=False)
        )
    missing = int((codes < 0).sum())
    if missing:
        entries.append(Category("no value", MISSING_COLOUR, missing, real=False))
    legend = CategoryLegend(column_title(str(values.name)), tuple(entries))
    return Colouring(table.astype(np.float32), index, legend)


def _classes(values: pd.Series) -> tuple[npt.NDArray[np.int64], list[str], bool]:
    """Class of each particle (-1 for none), the classes' names, and whether they are numbered."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        kinds = values.cat.categories
        codes = np.asarray(values.cat.codes, dtype=np.int64)
    else:
        found, kinds = pd.factorize(values, sort=True)
        codes = np.asarray(found, dtype=np.int64)
    numbered = is_numeric_dtype(kinds) and not is_bool_dtype(kinds)
    return codes, [str(kind) for kind in kinds], numbered


def _palette(n: int) -> list[str]:
    """Colours told apart: the palette, or hues all round where it does not reach."""
    if n <= len(CATEGORY_COLOURS):
        return list(CATEGORY_COLOURS[:n])
    steps = np.arange(n)
    hues = (steps * 0.618034) % 1.0  # golden ratio: neighbours lie far apart
    lightness = 0.48 + 0.2 * (steps % 3) / 2
    return [
        QColor.fromHslF(float(h), 0.65, float(v)).name()
        for h, v in zip(hues, lightness, strict=True)
    ]


def _rgba(colour: str) -> npt.NDArray[np.float32]:
    return np.array(QColor(colour).getRgbF(), dtype=np.float32)
