"""Analysis of a run: PCA, UMAP, k-means and their volumes, in cryoDRGN's layout."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders, replacing
from napari_cryodrgn.io.pickles import read_latents, write_array
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.latent.clustering import KMeansResult, kmeans_with_representatives
from napari_cryodrgn.latent.embedding import (
    principal_components,
    start_umap,
    wait_for_umap,
)
from napari_cryodrgn.latent.traversal import pc_traversal
from napari_cryodrgn.latent.umap_process import UmapProcess
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import AnalysisFolder, RunFolder
from napari_cryodrgn.workflows.analysis_files import (
    CENTERS,
    CENTERS_IND,
    LABELS,
    read_kmeans,
    read_umap,
)
from napari_cryodrgn.workflows.analysis_record import AnalysisRecord, digest
from napari_cryodrgn.workflows.analysis_volumes import (
    VolumeGroup,
    decode_plan,
    plan_volumes,
    settle_points,
)
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.run_inputs import find_pixel_size, with_box
from napari_cryodrgn.workflows.volume_files import (
    DeviceName,
    volume_settings,
)
from napari_cryodrgn.workflows.z_values import write_z_values

logger = logging.getLogger(__name__)

# cryoDRGN makes a UMAP only of what cannot be plotted as it is.
MAX_ZDIM_WITHOUT_UMAP = 2
N_NEIGHBORS, MIN_DIST = 15, 0.1


def analyze(
    run: RunFolder | Path | str,
    epoch: int | None = None,
    *,
    ksample: int = 20,
    n_pcs: int = 2,
    skip_umap: bool = False,
    skip_vol: bool = False,
    box: int | None = None,
    pixel_size: float | None = None,
    flip: bool = False,
    invert: bool = False,
    device: DeviceName = "auto",
    seed: int | None = None,
) -> Task[AnalysisFolder]:
    """Analyse the latent space of an epoch into ``analyze.N``.

    What is there already and belongs to these latents and weights is kept, be it
    cryoDRGN's or ours; what is damaged or stale is made again. Closing the task
    leaves what is finished, each file whole.

    Parameters
    ----------
    run : RunFolder or path-like
        The run.
    epoch : int, optional
        Which epoch; the latest if not given.
    ksample : int
        Clusters of k-means, each represented by a particle whose volume is decoded.
    n_pcs : int
        Principal components along which volumes are decoded; no more than zdim.
    skip_umap : bool
        Make no UMAP. None is made of 1 or 2 latent dimensions either.
    skip_vol : bool
        Decode no volumes.
    box, pixel_size, flip, invert, device
        How volumes are decoded, as in `decode`.
    seed : int, optional
        Seed of the UMAP, see `latent.embedding.start_umap`.

    Returns
    -------
    AnalysisFolder

    Raises
    ------
    InputError
        Where latents, weights or configuration cannot be used, there are fewer
        particles than clusters, or the folder cannot be written to.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.existing(run)
    number = folder.epoch_or_latest(epoch, folder.latent_epochs(), "latents")
    yield Progress(0, None, "Reading the latents")
    mu = read_latents(folder.latents(number)).mu
    if mu.size == 0:
        raise InputError(
            "there are no latent coordinates in it",
            file=folder.latents(number),
            field="z: shape",
            value=mu.shape,
        )
    if ksample > len(mu):
        raise InputError(
            f"there are only {len(mu)} particles to choose representatives from",
            file=folder.latents(number),
            field="--ksample",
            value=ksample,
        )
    if n_pcs < 0:
        raise InputError("a number of components is not negative", field="--pc", value=n_pcs)
    settings = None
    if not skip_vol:
        config = with_box(folder, read_run_config(folder.config), number)
        if config.model.zdim != mu.shape[1]:
            raise InputError(
                f"config.yaml says {config.model.zdim} latent dimensions",
                file=folder.latents(number),
                field="zdim",
                value=mu.shape[1],
            )
        known = None
        if pixel_size is None:
            report = Progress(0, None, "Looking for the pixel size")
            known = yield from in_thread(lambda: find_pixel_size(folder, config, len(mu)), report)
        settings = volume_settings(
            config.box, known, box=box, pixel_size=pixel_size, flip=flip, invert=invert
        )
    latents, analysis = folder.latents(number), folder.analysis(number)
    record = AnalysisRecord(folder, number)
    clusters, is_new = yield from _clusters(analysis.kmeans(ksample), mu, ksample)
    groups = [VolumeGroup(analysis.kmeans(ksample), clusters.centers)]
    groups += yield from _traversals(analysis, mu, min(n_pcs, mu.shape[1]))
    plan = None
    if settings is not None:
        plan = yield from plan_volumes(folder, number, record, groups, settings, device)
    # Whatever can be wrong has been found; from here on files are written.
    with making_folders(analysis.path, *(group.folder for group in groups)):
        umap = None
        if not skip_umap and mu.shape[1] > MAX_ZDIM_WITHOUT_UMAP:
            umap = _begin_umap(latents, analysis, record, mu, seed)
        try:
            if is_new:
                _write_kmeans(analysis.kmeans(ksample), clusters)
            for group in groups:
                settle_points(group, record, None if plan is None else plan.made_from)
            if plan is not None:
                yield from decode_plan(plan)
            if umap is not None:
                yield from _finish_umap(latents, analysis, record, umap, seed)
        finally:
            if umap is not None:
                umap.close()
    return analysis


def _begin_umap(
    latents: Path,
    analysis: AnalysisFolder,
    record: AnalysisRecord,
    mu: npt.NDArray[np.float32],
    seed: int | None,
) -> UmapProcess | None:
    """Begin a UMAP, to run beside the decoding; None where a good one is there."""
    known = record.of("umap")
    wanted = _umap_record(latents, seed)
    if analysis.umap.is_file():
        # Any layout of these latents will do, unless a seed asks for one in particular.
        fits = known is None or known["latents"] == wanted["latents"]
        if seed is not None:
            fits = known == wanted
        if fits:
            try:
                read_umap(analysis.umap, len(mu))
            except InputError as error:
                logger.warning("Making the UMAP again: %s", error)
            else:
                return None
    return start_umap(mu, n_neighbors=N_NEIGHBORS, min_dist=MIN_DIST, seed=seed)


def _finish_umap(
    latents: Path,
    analysis: AnalysisFolder,
    record: AnalysisRecord,
    process: UmapProcess,
    seed: int | None,
) -> Task[None]:
    embedding = yield from wait_for_umap(process)
    write_array(analysis.umap, embedding)
    record.note("umap", _umap_record(latents, seed))


def _umap_record(latents: Path, seed: int | None) -> dict[str, object]:
    return {
        "latents": digest(latents),
        "n_neighbors": N_NEIGHBORS,
        "min_dist": MIN_DIST,
        "seed": seed,
    }


def _clusters(
    folder: Path, mu: npt.NDArray[np.float32], ksample: int
) -> Task[tuple[KMeansResult, bool]]:
    """The clusters, and whether they are new: those that are there are kept if they fit."""
    try:
        return read_kmeans(folder, mu, ksample), False
    except InputError as error:
        if (folder / LABELS).exists():
            logger.warning("Clustering again: %s", error)
    report = Progress(0, None, f"Clustering {len(mu)} particles")
    new = yield from in_thread(lambda: kmeans_with_representatives(mu, ksample), report)
    return new, True


def _traversals(
    analysis: AnalysisFolder, mu: npt.NDArray[np.float32], n_pcs: int
) -> Task[list[VolumeGroup]]:
    """The latent points along each principal component."""
    if not n_pcs:
        return []
    report = Progress(0, None, "Finding the principal components")
    components = yield from in_thread(lambda: principal_components(mu), report)
    return [
        VolumeGroup(analysis.pc(number), pc_traversal(components, number))
        for number in range(1, n_pcs + 1)
    ]


def _write_kmeans(folder: Path, clusters: KMeansResult) -> None:
    write_array(folder / LABELS, clusters.labels)
    write_z_values(folder / CENTERS, clusters.centers)
    with replacing(folder / CENTERS_IND) as file:
        np.savetxt(file, clusters.positions, fmt="%d")
