"""Particles of a run chosen without a window: by an expression, a shape, a cluster, a name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.latent.clusters import space_points
from napari_cryodrgn.latent.expression import matching
from napari_cryodrgn.latent.expression_columns import column_named, is_labels
from napari_cryodrgn.latent.selection import inside_polygon
from napari_cryodrgn.latent.selection_files import (
    INDICES_ENDING,
    OWN_ENDING,
    read_run_selections,
    read_selection,
    write_selection,
)
from napari_cryodrgn.latent.selection_state import carried_over
from napari_cryodrgn.latent.space import PCA_NAME, UMAP_NAME, LatentSpace
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.open_run import open_run


@dataclass(frozen=True)
class SelectionRequest:
    """What to select; several conditions all have to hold.

    Parameters
    ----------
    where : str
        Expression, see ``latent.expression``.
    lasso : Path or None
        Text file with a vertex, x and y, in each line.
    axes : str
        What the lasso was drawn in: the name of an embedding ("UMAP"), or two columns with
        a comma between ("z0,z3"). "" for the UMAP, or the PCA where there is none.
    cluster : str
        "column:label" or "column:label,label"; the column may be left out where there is
        one column of labels only.
    name : str
        A selection saved with the run, or the path of a selection file or ``ind.pkl``.
    without : str
        A selection, given as `name` is, whose particles are left out.
    """

    where: str = ""
    lasso: Path | None = None
    axes: str = ""
    cluster: str = ""
    name: str = ""
    without: str = ""


@dataclass(frozen=True, eq=False)
class SelectionResult:
    """What was selected and written.

    Parameters
    ----------
    rows : ParticleRows
        The particles.
    n : int
        Particles of the run.
    path : Path
        The file.
    """

    rows: ParticleRows
    n: int
    path: Path

    def __str__(self) -> str:
        share = 100 * len(self.rows) / self.n
        return f"{len(self.rows)} of {self.n} particles ({share:.1f} %) in {self.path}"


def select(
    run: str | Path, epoch: int | None, out: str | Path, request: SelectionRequest
) -> SelectionResult:
    """Select particles of a run and write them to a file.

    Parameters
    ----------
    run : path-like
        The run folder.
    epoch : int or None
        Which epoch; the latest if None.
    out : path-like
        ``.pkl`` for cryoDRGN's indices, ``.json`` for a selection file.
    request : SelectionRequest

    Returns
    -------
    SelectionResult

    Raises
    ------
    InputError
        Where something asked for is not there, or nothing is selected; nothing is written.
    """
    opened = open_run(run, epoch)
    if opened.latent is None:
        raise InputError("the run has no latent space to select in", file=opened.folder.path)
    mask, made = selected(opened.folder, opened.latent, request)
    rows = write_selection(out, opened.latent.rows, mask, name=Path(out).stem, made=made)
    return SelectionResult(rows, len(opened.latent), Path(out))


def selected(
    run: RunFolder, latent: LatentSpace, request: SelectionRequest
) -> tuple[npt.NDArray[np.bool_], str]:
    """Which particles a request means, (N,) bool, and how that is said in words."""
    masks: list[tuple[npt.NDArray[np.bool_], str]] = []
    if request.where:
        masks.append((matching(request.where, latent.columns), request.where))
    if request.lasso is not None:
        masks.append(_in_lasso(latent, request.lasso, request.axes))
    if request.cluster:
        masks.append(_in_clusters(latent, request.cluster))
    if request.name:
        masks.append((_named(run, latent, request.name), f"'{request.name}'"))
    if request.without:
        masks.append((~_named(run, latent, request.without), f"all but '{request.without}'"))
    if not masks:
        raise InputError(
            "nothing says which particles",
            hint="Give --where, --lasso, --cluster, --selection or --invert",
        )
    mask = np.logical_and.reduce([one for one, _ in masks])
    return mask, " and ".join(words for _, words in masks)


LARGEST_LASSO = 8 << 20
"""Bytes of an outline with some hundred thousand vertices."""


def read_lasso(path: Path) -> npt.NDArray[np.float64]:
    """Vertices of a polygon, (M, 2) x and y, from a text file with one in each line.

    Numbers are separated by blanks or commas; lines that begin with # are left out.

    Raises
    ------
    InputError
        Where the file is missing, a line has not two numbers, or there are fewer than three.
    """
    vertices = []
    for number, line in enumerate(read_text(path, LARGEST_LASSO).splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words or line.lstrip().startswith("#"):
            continue
        try:
            x, y = map(float, words)
        except ValueError as error:
            raise InputError(
                "a vertex is two numbers, x and y", file=path, field=f"line {number}", value=line
            ) from error
        if not np.isfinite([x, y]).all():
            raise InputError(
                "a vertex has finite numbers", file=path, field=f"line {number}", value=line
            )
        vertices.append((x, y))
    if len(vertices) < 3:
        raise InputError(f"a lasso has 3 vertices or more; here are {len(vertices)}", file=path)
    return np.array(vertices)


def _in_lasso(latent: LatentSpace, path: Path, axes: str) -> tuple[npt.NDArray[np.bool_], str]:
    vertices = read_lasso(path)
    axes = axes or (UMAP_NAME if UMAP_NAME in latent.embeddings else PCA_NAME)
    if "," in axes:
        names = [_column(latent, one.strip()) for one in axes.split(",")]
        if len(names) != 2:
            raise InputError("a lasso is drawn in two columns", field="--axes", value=axes)
        points = latent.columns[names].to_numpy(dtype=np.float64)
    else:
        points = space_points(latent, axes)[:, :2]
    if points.shape[1] < 2:
        raise InputError("it has only one axis", field="--axes", value=axes)
    mask = inside_polygon(points[:, ::-1], vertices[:, ::-1])
    if not mask.any():
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        raise InputError(
            "no particle lies in this lasso",
            file=path,
            hint=f"In {axes} they lie from ({low[0]:.3g}, {low[1]:.3g}) to "
            f"({high[0]:.3g}, {high[1]:.3g})",
        )
    return mask, f"lasso {path.name} in {axes}"


def _in_clusters(latent: LatentSpace, wanted: str) -> tuple[npt.NDArray[np.bool_], str]:
    column, _, listed = wanted.rpartition(":")
    if not column:
        labels = [str(one) for one in latent.columns if is_labels(latent.columns[one])]
        if len(labels) != 1:
            raise InputError(
                f"say of which labels: {', '.join(labels) or 'there are none'}",
                field="--cluster",
                value=wanted,
                hint="Write column:label, such as kmeans20:4",
            )
        column = labels[0]
    name = _column(latent, column)
    if not is_labels(latent.columns[name]):
        raise InputError("this column has no labels", field="--cluster", value=name)
    values = latent.columns[name].astype(str)
    asked = [one.strip() for one in listed.split(",")]
    present = [str(one) for one in latent.columns[name].cat.categories]
    for one in asked:
        if one not in present:
            raise InputError(
                f"{name} has no such label (it has {', '.join(present)})",
                field="--cluster",
                value=one,
            )
    return values.isin(asked).to_numpy(dtype=bool), f"{name} in {', '.join(asked)}"


def _column(latent: LatentSpace, name: str) -> str:
    found, hint = column_named(name, latent.columns)
    if found is None:
        raise InputError("there is no such column", field="column", value=name, hint=hint)
    return found


def _named(run: RunFolder, latent: LatentSpace, name: str) -> npt.NDArray[np.bool_]:
    """Particles of a selection: one saved with the run, else a file."""
    state = read_run_selections(run.selections, latent.rows)
    if state is not None:
        for one in carried_over(state, latent.rows).named:
            if one.name == name:
                return one.bits.unpacked()
    if Path(name).suffix in (OWN_ENDING, INDICES_ENDING):
        return read_selection(name, latent.rows).mask
    listed = ", ".join(f"'{one.name}'" for one in state.named) if state is not None else ""
    raise InputError(
        f"the run has no selection of this name; it has {listed or 'none'}",
        field="selection",
        value=name,
        hint="A file of one ends in .json or .pkl",
    )
