"""Opening a run: whatever of it is there, and by name what is not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.config import RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import Latents, read_latents
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.run import AnalysisFolder, RunFolder
from napari_cryodrgn.workflows.analysis_files import (
    LABELS,
    AnalysisVolume,
    list_volumes,
    read_labels,
    read_umap,
)
from napari_cryodrgn.workflows.cluster_files import restored
from napari_cryodrgn.workflows.findings import Problem, RunInputs
from napari_cryodrgn.workflows.outliers import restored_columns
from napari_cryodrgn.workflows.refined_poses import RefinedPoses, read_refined_poses
from napari_cryodrgn.workflows.run_inputs import find_inputs, with_box

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OpenRun:
    """A run as it lies there, whole or not.

    Parameters
    ----------
    folder : RunFolder
        Where it is.
    config : RunConfig or None
        Its configuration.
    epoch : int or None
        The epoch opened; None where no file of the run names one.
    latent : LatentSpace or None
        Its latent space; None for a single volume, or where the latents are missing.
    particles : Particles or None
        Its particles, where table and images are found; at the poses that the run had refined
        by that epoch, where it did.
    analysis : AnalysisFolder or None
        ``analyze.N`` of the epoch.
    volumes : tuple of AnalysisVolume
        Volumes that are in the folder already.
    weights : Path or None
        Checkpoint of the epoch, with which any latent point can be decoded.
    pixel_size : float or None
        Å per pixel of the training images; None where nothing says it.
    files : dict of str to Path
        Files that the configuration names, by option, where they were found.
    problems : tuple of Problem
        What is missing or unusable, and where it was looked for.
    inputs : RunInputs or None
        What its particles were found to be, for another epoch of it to take over.
    """

    folder: RunFolder
    config: RunConfig | None
    epoch: int | None
    latent: LatentSpace | None
    particles: Particles | None
    analysis: AnalysisFolder | None
    volumes: tuple[AnalysisVolume, ...]
    weights: Path | None
    pixel_size: float | None
    files: dict[str, Path]
    problems: tuple[Problem, ...]
    inputs: RunInputs | None = None


def open_run(path: str | Path, epoch: int | None = None, before: OpenRun | None = None) -> OpenRun:
    """Open a run folder, of cryoDRGN's or ours, with all that is there.

    Parameters
    ----------
    path : path-like
        The run folder.
    epoch : int, optional
        Which epoch. If not given, the latest whose latents can be read.
    before : OpenRun, optional
        What was opened before. Where it is of the same run, its particles are taken over and
        their table, which may be large, is not read again.

    Returns
    -------
    OpenRun
        What is missing or unusable is named in its `problems`.

    Raises
    ------
    InputError
        Where the folder holds no run, or the epoch asked for is not there or
        its latents cannot be read.
    """
    folder = RunFolder.existing(path)
    found = RunInputs()
    config = None
    if folder.config.is_file() or folder.config.with_name("config.pkl").is_file():
        config = found.attempt("The configuration cannot be used", read_run_config, folder.config)
    else:
        found.problems.append(
            Problem("config.yaml is missing: volumes cannot be decoded", (str(folder.config),))
        )
    number, latents = _latents(folder, config, epoch, found)
    if config is not None and not config.box:
        whole = found.attempt("The box is not known", with_box, folder, config, number)
        config = whole or config
    inputs = _inputs(folder, config, None if latents is None else len(latents.mu), before)
    problems = [*found.problems, *inputs.problems]
    found.problems = problems
    weights = _weights(folder, number, found)
    analysis = None
    if number is not None and folder.analysis(number).path.is_dir():
        analysis = folder.analysis(number)
    particles, metadata, latent = inputs.particles, inputs.metadata, None
    counted = particles if latents is None else latents.mu
    n = None if counted is None else len(counted)
    refined = _refined(folder, number, config, n, found)
    if refined is not None:
        metadata = _with_poses(metadata, refined, 0 if config is None else config.box)
        particles = None if particles is None else refined.of(particles)
    if latents is not None and inputs.rows is not None:
        latent = _latent_space(folder, number, latents, inputs.rows, metadata, found)
        latent, unusable = restored(latent, folder)
        latent, unread = restored_columns(latent, folder)
        problems += [Problem(f"A saved clustering or embedding: {one}") for one in unusable]
        problems += [Problem(f"A saved column: {one}") for one in unread]
    if inputs.pixel_size is None:
        problems.append(Problem("The pixel size is not known: lengths cannot be shown in Å"))
    return OpenRun(
        folder,
        config,
        number,
        latent,
        particles,
        analysis,
        tuple(_volumes(folder, number, analysis)),
        weights,
        inputs.pixel_size,
        inputs.files,
        tuple(problems),
        inputs,
    )


def _inputs(
    folder: RunFolder, config: RunConfig | None, n: int | None, before: OpenRun | None
) -> RunInputs:
    """The particles of a run, as they were found before where they are the same."""
    if (
        before is not None
        and before.inputs is not None
        and before.folder == folder
        and before.particles is not None
        and len(before.particles) == n
        and _named_files(before.config) == _named_files(config)
    ):
        return before.inputs
    return find_inputs(folder, config, n)


def _named_files(config: RunConfig | None) -> tuple[str | None, ...]:
    if config is None:
        return ()
    return config.particles, config.poses, config.ctf, config.ind, config.datadir


def _latents(
    folder: RunFolder, config: RunConfig | None, epoch: int | None, found: RunInputs
) -> tuple[int | None, Latents | None]:
    """The epoch to open and its latents; the latest readable ones where none is asked for."""
    epochs = folder.latent_epochs()
    others = folder.weight_epochs() or folder.analysis_epochs()
    if epoch is not None and not epochs:
        return folder.epoch_or_latest(epoch, others, "file"), None
    if epoch is not None:
        folder.epoch_or_latest(epoch, epochs, "latents")
        return epoch, _read_latents(folder.latents(epoch), config)
    candidates: list[int | None] = [*reversed(epochs)]
    if folder.latents().is_file():
        candidates.append(None)
    for number in candidates:
        latents = found.attempt(
            "These latents cannot be used", _read_latents, folder.latents(number), config
        )
        if latents is not None:
            if number != candidates[0]:  # a command shows no problems of a run
                logger.warning(
                    "The latest latents cannot be used: epoch %s is taken", number or "unnumbered"
                )
            return number, latents
    latest = others[-1] if others else None
    has_none = config is not None and config.model.zdim == 0
    if not has_none:
        named = f"z.{'N' if latest is None else latest}.pkl"
        tried = tuple(str(folder.path / name) for name in (named, "z.pkl"))
        found.problems.append(
            Problem("The latents are missing: there are no particles to show", tried)
        )
    return latest, None


def _read_latents(path: Path, config: RunConfig | None) -> Latents:
    latents = read_latents(path)
    zdim = latents.mu.shape[1]
    if len(latents.mu) == 0 or zdim == 0:
        raise InputError("there are no particles in it", file=path)
    if config is not None and config.model.zdim != zdim:
        raise InputError(
            f"config.yaml says {config.model.zdim} latent dimensions",
            file=path,
            field="zdim",
            value=zdim,
        )
    return latents


def _latent_space(
    folder: RunFolder,
    epoch: int | None,
    latents: Latents,
    rows: ParticleRows,
    metadata: pd.DataFrame | None,
    found: RunInputs,
) -> LatentSpace:
    n = len(latents.mu)
    umap: npt.NDArray[np.float32] | None = None
    labels: dict[str, npt.NDArray[np.int64]] = {}
    if epoch is not None:
        analysis = folder.analysis(epoch)
        if analysis.umap.is_file():
            umap = found.attempt("The UMAP cannot be used", read_umap, analysis.umap, n)
        for count in analysis.kmeans_counts():
            path = analysis.kmeans(count) / LABELS
            if not path.is_file():
                continue
            read = found.attempt("These cluster labels cannot be used", read_labels, path, n, count)
            if read is not None:
                labels[f"kmeans{count}"] = read
    return make_latent_space(
        latents.mu,
        rows,
        epoch=epoch,
        logvar=latents.logvar,
        umap=umap,
        labels=labels,
        metadata=metadata,
    )


def _refined(
    folder: RunFolder, epoch: int | None, config: RunConfig | None, n: int | None, found: RunInputs
) -> RefinedPoses | None:
    """Poses that the run had refined by that epoch."""
    path = folder.poses(epoch)
    if n is None or not path.is_file():
        return None
    refined = found.attempt("The refined poses cannot be used", read_refined_poses, path, n, config)
    if refined is not None and refined.shifts is None:
        found.problems.append(
            Problem(f"The unit of the shifts in {path.name} is not known: given poses are used")
        )
    return refined


def _with_poses(metadata: pd.DataFrame | None, refined: RefinedPoses, box: int) -> pd.DataFrame:
    """Metadata with the poses that the run has refined beside those it began with."""
    columns = refined.columns(box)
    if metadata is None:
        return columns.rename(columns=lambda name: name.removeprefix("refined_"))
    return pd.concat([metadata.reset_index(drop=True), columns], axis=1)


def _weights(folder: RunFolder, epoch: int | None, found: RunInputs) -> Path | None:
    places = [] if epoch is None else [folder.weights(epoch)]
    latest = max([*folder.latent_epochs(), *folder.weight_epochs()], default=None)
    # The unnumbered file is the last epoch's, and stands for no other.
    if epoch is None or epoch == latest:
        places.append(folder.weights())
    for place in places:
        if place.is_file():
            return place
    which = "the run" if epoch is None else f"epoch {epoch}"
    found.problems.append(
        Problem(
            f"The weights of {which} are missing: only volumes that are already there can be shown",
            tuple(map(str, places)),
        )
    )
    return None


def _volumes(
    folder: RunFolder, epoch: int | None, analysis: AnalysisFolder | None
) -> list[AnalysisVolume]:
    volumes = [] if analysis is None else list_volumes(analysis)
    if folder.reconstruction(epoch).is_file():
        volumes.append(AnalysisVolume(folder.reconstruction(epoch), "reconstruction", 1, None))
    return volumes
