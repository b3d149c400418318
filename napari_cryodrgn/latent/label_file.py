"""A user's own labels or values of particles, from a file, matched to the particles they name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text, require_file
from napari_cryodrgn.io.npy import read_npy
from napari_cryodrgn.io.pickles import read_array
from napari_cryodrgn.latent.space import LatentSpace

ROW_NAMES = ("row", "index", "ind", "particle")
"""Headings of a column that gives rows of the source table."""

IMAGE_NAMES = ("image_name", "rlnImageName", "_rlnImageName")
"""Headings of a column that names images as the source table does."""

LARGEST = 256 << 20
"""Bytes of a table of labels: millions of lines."""

MOST_COLUMNS = 100
"""Columns of a table that may be looked at for the two that are wanted."""

FEW_LABELS = 64
"""Whole numbers with at most this many values are labels rather than a quantity."""


def read_label_column(path: str | Path, latent: LatentSpace) -> pd.Series:
    """Read one value for each particle of a latent space.

    Parameters
    ----------
    path : path-like
        A ``.pkl`` or ``.npy`` array with one value for each particle of the latent space, in
        its order, or for each row of the source table; or a ``.csv`` table with headings:
        values in one column, and rows of the source table (``row``, ``index``, ``ind``,
        ``particle``) or image names (``image_name``, ``rlnImageName``) in another, or as many
        lines as there are particles.
    latent : LatentSpace
        The particles.

    Returns
    -------
    Series
        N values named after the file and, of a table, its column; categorical for labels; none
        where a table leaves a particle out.

    Raises
    ------
    InputError
        Where it cannot be read, or which particle each value belongs to cannot be told.
    """
    path = Path(path)
    require_file(path)
    kind = path.suffix.lower()
    if kind == ".csv":
        return _from_table(path, latent)
    if kind == ".npy":
        values = _read_npy(path)
    elif kind == ".pkl":
        values = read_array(path)
    else:
        raise InputError(
            "labels are read from .pkl, .npy and .csv files", file=path, field="suffix", value=kind
        )
    if values.ndim != 1:
        raise InputError(
            "labels are one value for each particle", file=path, field="shape", value=values.shape
        )
    return _column(_name(path.stem, latent), _matched(values, path, latent))


def _read_npy(path: Path) -> npt.NDArray[np.generic]:
    values = read_npy(path)
    if values.dtype.kind not in "biufSU":
        raise InputError(
            "an array of numbers or words was expected", file=path, field="type", value=values.dtype
        )
    return values


def _matched(
    values: npt.NDArray[np.generic], path: Path, latent: LatentSpace
) -> npt.NDArray[np.generic]:
    """Values of the latent space's particles, by how many there are."""
    n, n_source = len(latent), latent.rows.n_source
    if len(values) == n_source and n_source != n:
        return values[latent.rows.rows]
    if len(values) == n:
        return values
    source = "" if n_source == n else f", and its particle table {n_source:,} rows"
    raise InputError(
        f"it has {len(values):,} values; the latent space has {n:,} particles{source}",
        file=path,
        field="length",
        value=len(values),
    )


def _from_table(path: Path, latent: LatentSpace) -> pd.Series:
    text = read_text(path, LARGEST)
    # Each column that a single line has takes hundreds of bytes.
    if max((line.count(",") for line in text.split("\n")), default=0) > MOST_COLUMNS:
        raise InputError(
            "beside the column of rows or image names it must have one column of values",
            file=path,
            field="columns",
            value=f"more than {MOST_COLUMNS}",
        )
    try:
        table = pd.read_csv(io.StringIO(text), skipinitialspace=True, low_memory=False)
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"it cannot be read as a table ({error})", file=path) from error
    rows = next((name for name in ROW_NAMES if name in table.columns), None)
    images = next((name for name in IMAGE_NAMES if name in table.columns), None)
    keys = {rows, images}
    content = [str(name) for name in table.columns if name not in keys]
    if len(content) != 1:
        raise InputError(
            "beside the column of rows or image names it must have one column of values",
            file=path,
            field="columns",
            value=", ".join(map(str, table.columns)),
        )
    name = _name(f"{path.stem} {content[0]}", latent)
    values = table[content[0]]
    if rows is not None:
        keyed = _rows_of(table[rows], path, latent)
        return _column(name, _by_key(keyed, values, pd.Index(latent.rows.rows), path, rows))
    if images is not None:
        if "image_name" not in latent.columns:
            raise InputError(
                "the image names of these particles are not known", file=path, field=images
            )
        known = pd.Index(latent.columns["image_name"].astype(str))
        keyed = pd.Index(table[images].astype(str))
        return _column(name, _by_key(keyed, values, known, path, images))
    return _column(name, _matched(values.to_numpy(), path, latent))


def _rows_of(column: pd.Series, path: Path, latent: LatentSpace) -> pd.Index:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(numbers) | (numbers % 1 != 0)
    bad |= (numbers < 0) | (numbers >= latent.rows.n_source)
    if bad.any():
        raise InputError(
            f"rows of the particle table are whole numbers from 0 to {latent.rows.n_source - 1:,}",
            file=path,
            field=str(column.name),
            value=str(column[bad].iloc[0]),
        )
    return pd.Index(numbers.astype(np.int64))


def _by_key(
    keys: pd.Index, values: pd.Series, wanted: pd.Index, path: Path, field: str
) -> npt.NDArray[np.generic]:
    """Values in the order of the particles, missing where the table leaves one out."""
    if keys.has_duplicates:
        raise InputError(
            "a particle is named more than once",
            file=path,
            field=field,
            value=str(keys[keys.duplicated()][0]),
        )
    where = keys.get_indexer(wanted)
    if not (where >= 0).any():
        raise InputError("none of its particles are in the latent space", file=path, field=field)
    return values.take(np.maximum(where, 0)).where(where >= 0).to_numpy()


def _column(name: str, values: npt.NDArray[np.generic]) -> pd.Series:
    series = pd.Series(values, name=name)
    number = series.dtype.kind in "iuf"
    if number:
        there = series.dropna()
        whole = series.dtype.kind == "f" and len(there) and (there.abs() < 2**53).all()
        if whole and (there % 1 == 0).all():
            series = series.astype("Int64")  # whole numbers, floating for those that are missing
        if series.dtype.kind == "f" or series.nunique() > FEW_LABELS:
            return series.astype(np.float64) if series.dtype == "Int64" else series
    return series.astype("category")


def _name(stem: str, latent: LatentSpace) -> str:
    """The file's name, told apart from the columns of the latent space."""
    return f"{stem} (file)" if stem in latent.columns else stem
