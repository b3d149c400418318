"""Columns by which odd particles stand out: made, kept with the run, and read again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.classifier import SCORE_COLUMN, JunkScores, score_junk
from napari_cryodrgn.latent.classifier_features import classifier_features, outlier_columns
from napari_cryodrgn.latent.particle_values import ParticleValues, read_values, write_values
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.progress import Task
from napari_cryodrgn.run import RunFolder

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.open_run import OpenRun

AGREEMENT_COLUMN = "image_agreement"


@dataclass(frozen=True)
class KeptColumns:
    """Columns of an epoch's particles.

    Parameters
    ----------
    columns : DataFrame
    problem : str
        Why they could not be kept with the run; empty where they were. They took long, so that
        a folder that cannot be written to is no reason to be without them.
    """

    columns: pd.DataFrame
    problem: str = ""


def junk_columns(
    run: OpenRun,
    latent: LatentSpace,
    good: npt.NDArray[np.int64],
    bad: npt.NDArray[np.int64],
) -> Task[tuple[JunkScores, KeptColumns]]:
    """Score all particles by examples, and keep the scores and what they rest on with the run.

    Parameters
    ----------
    run : OpenRun
    latent : LatentSpace
        Its latent space.
    good, bad : (n,) int64 array
        Positions of examples.

    Returns
    -------
    scores : JunkScores
    columns : KeptColumns
        Of `outlier_columns`, and the scores as ``junk_score``.

    Raises
    ------
    InputError
        As `score_junk`.
    """
    outliers = yield from outlier_columns(latent)
    scores = yield from score_junk(classifier_features(latent, outliers), good, bad)
    columns = outliers.assign(**{SCORE_COLUMN: scores.scores})
    return scores, _kept(run.folder, latent, columns)


def agreement_columns(run: OpenRun) -> Task[KeptColumns]:
    """Compare every image with what the model expects of it, and keep that with the run.

    Returns
    -------
    KeptColumns
        ``image_agreement``: see `particle_evidence.particle_scores`. The error of
        reconstruction, with the noise's scale taken out: junk agrees badly.

    Raises
    ------
    InputError
        Where images, poses or weights are missing.
    """
    from napari_cryodrgn.workflows.particle_evidence import particle_scores

    scores = yield from particle_scores(run)
    columns = pd.DataFrame({AGREEMENT_COLUMN: scores})
    return KeptColumns(columns) if run.latent is None else _kept(run.folder, run.latent, columns)


def with_columns(latent: LatentSpace, columns: pd.DataFrame) -> LatentSpace:
    """A latent space with these columns, N rows, in place of those of their names."""
    if len(columns) != len(latent):
        raise InputError(
            f"it has {len(columns)} values where there are {len(latent)} particles",
            field=", ".join(map(str, columns)),
        )
    known = latent.columns.copy(deep=False)
    for name, values in columns.items():
        known[name] = values.to_numpy()
    return replace(latent, columns=known)


def _kept(run: RunFolder, latent: LatentSpace, columns: pd.DataFrame) -> KeptColumns:
    try:
        _save_columns(run, latent, columns)
    except InputError as error:
        return KeptColumns(columns, str(error))
    return KeptColumns(columns)


def _save_columns(run: RunFolder, latent: LatentSpace, columns: pd.DataFrame) -> None:
    """Keep columns of an epoch's particles with the run, a file each, whole or not at all."""
    for name, values in columns.items():
        content = ParticleValues(
            values.to_numpy(np.float32), {"name": str(name), "epoch": latent.epoch}
        )
        write_values(run.columns / f"{name}.{latent.epoch}.npz", latent.rows, content)


def restored_columns(latent: LatentSpace, run: RunFolder) -> tuple[LatentSpace, list[str]]:
    """A latent space with the columns that were kept of its epoch, and why some cannot be used."""
    problems: list[str] = []
    for path in sorted(run.columns.glob(f"*.{latent.epoch}.npz")):
        try:
            found = read_values(path, latent.rows, np.nan)
            name = found.about.get("name")
            if found.values.ndim != 1 or not isinstance(name, str):
                raise InputError("this is no column", file=path)
            latent = with_columns(latent, pd.DataFrame({name: found.values}))
        except InputError as error:
            problems.append(str(error))
    return latent, problems
