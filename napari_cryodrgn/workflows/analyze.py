"""Analysis of a run: PCA, UMAP, k-means and their volumes, in cryoDRGN's layout."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
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
    Z_VALUES,
    read_kmeans,
    read_umap,
    volume_name,
)
from napari_cryodrgn.workflows.analysis_record import AnalysisRecord, digest
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.run_inputs import find_pixel_size
from napari_cryodrgn.workflows.volume_files import (
    DeviceName,
    VolumeSettings,
    decode_files,
    is_whole,
    make_folder,
    volume_settings,
)
from napari_cryodrgn.workflows.z_values import read_z_values, write_z_values

logger = logging.getLogger(__name__)

# cryoDRGN makes a UMAP only of what cannot be plotted as it is.
MAX_ZDIM_WITHOUT_UMAP = 2
N_NEIGHBORS, MIN_DIST = 15, 0.1


@dataclass(frozen=True, eq=False)
class _VolumeGroup:
    """A folder of volumes and the latent points they belong to."""

    folder: Path
    z: npt.NDArray[np.float32]

    @property
    def files(self) -> list[Path]:
        return [self.folder / volume_name(number) for number in range(1, len(self.z) + 1)]


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
        config = read_run_config(folder.config)
        known = None
        if pixel_size is None:
            report = Progress(0, None, "Looking for the pixel size")
            known = yield from in_thread(lambda: find_pixel_size(folder, config, len(mu)), report)
        settings = volume_settings(
            config.box, known, box=box, pixel_size=pixel_size, flip=flip, invert=invert
        )
    analysis = folder.analysis(number)
    make_folder(analysis.path)
    record = AnalysisRecord(folder, number)
    umap = None
    if not skip_umap and mu.shape[1] > MAX_ZDIM_WITHOUT_UMAP:
        umap = _begin_umap(folder.latents(number), analysis, record, mu, seed)
    try:
        groups = yield from _points(analysis, mu, ksample, min(n_pcs, mu.shape[1]))
        if settings is None:
            for group in groups:
                _settle_points(group, record, None)
        else:
            yield from _volumes(folder, number, record, groups, settings, device)
        if umap is not None:
            yield from _finish_umap(folder.latents(number), analysis, record, umap, seed)
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


def _points(
    analysis: AnalysisFolder, mu: npt.NDArray[np.float32], ksample: int, n_pcs: int
) -> Generator[Progress, None, list[_VolumeGroup]]:
    """Clusters and traversals: the latent points whose volumes are wanted."""
    report = Progress(0, None, f"Clustering {len(mu)} particles")
    folder = analysis.kmeans(ksample)
    try:
        clusters = read_kmeans(folder, mu, ksample)
    except InputError:
        clusters = yield from in_thread(lambda: kmeans_with_representatives(mu, ksample), report)
        make_folder(folder)
        _write_kmeans(folder, clusters)
    groups = [_VolumeGroup(folder, clusters.centers)]
    if n_pcs:
        components = yield from in_thread(lambda: principal_components(mu), report)
        for number in range(1, n_pcs + 1):
            groups.append(_VolumeGroup(analysis.pc(number), pc_traversal(components, number)))
    return groups


def _write_kmeans(folder: Path, clusters: KMeansResult) -> None:
    write_array(folder / LABELS, clusters.labels)
    write_z_values(folder / CENTERS, clusters.centers)
    with replacing(folder / CENTERS_IND) as file:
        np.savetxt(file, clusters.positions, fmt="%d")


def _volumes(
    run: RunFolder,
    epoch: int,
    record: AnalysisRecord,
    groups: list[_VolumeGroup],
    settings: VolumeSettings,
    device: DeviceName,
) -> Task[None]:
    """Decode the volumes that are missing, damaged or of something else."""
    weights = run.weights(epoch)
    if not weights.is_file() and all(_is_complete(group, settings) for group in groups):
        return
    if not weights.is_file():
        raise InputError(
            "the weights of this epoch are missing, and volumes cannot be decoded",
            file=weights,
            hint="Leave the volumes out with --skip-vol",
        )
    made_from: dict[str, object] = {
        "weights": digest(weights),
        "flip": settings.flip,
        "invert": settings.invert,
    }
    stale = [not _belongs(group, record, made_from) for group in groups]
    wanted: list[tuple[npt.NDArray[np.float32], Path]] = []
    for group, is_stale in zip(groups, stale, strict=True):
        wanted += [
            (z, file)
            for z, file in zip(group.z, group.files, strict=True)
            if is_stale or not is_whole(file, settings)
        ]
    if wanted:
        # torch is only needed, and the model only loaded, where something is to be decoded.
        from napari_cryodrgn.model.checkpoint import load_model
        from napari_cryodrgn.training.device import choose_device

        yield Progress(0, len(wanted), "Loading the model")
        model = load_model(run, epoch, choose_device(device))
    for group in groups:
        _settle_points(group, record, made_from)
    if wanted:
        z = np.stack([point for point, _ in wanted])
        yield from decode_files(model, z, [file for _, file in wanted], settings)


def _is_complete(group: _VolumeGroup, settings: VolumeSettings) -> bool:
    return _same_points(group) and all(is_whole(file, settings) for file in group.files)


def _belongs(group: _VolumeGroup, record: AnalysisRecord, made_from: dict[str, object]) -> bool:
    """Whether the volumes of a group are of these points, weights and signs."""
    known = record.of(group.folder.name)
    if known is None:
        # cryoDRGN's own: neither mirrored nor inverted, as far as anyone can tell.
        return _same_points(group) and not made_from["flip"] and not made_from["invert"]
    return _same_points(group) and known == made_from


def _same_points(group: _VolumeGroup) -> bool:
    try:
        there = read_z_values(group.folder / Z_VALUES, group.z.shape[1])
    except InputError:
        return False
    scale = float(np.abs(group.z).max(initial=0.0))
    return there.shape == group.z.shape and np.allclose(there, group.z, rtol=0, atol=1e-4 * scale)


def _settle_points(
    group: _VolumeGroup, record: AnalysisRecord, made_from: dict[str, object] | None
) -> None:
    """Make a group's folder say what its volumes are, and remove volumes of anything else.

    Done before the first volume is decoded: where the work is cut short, the
    volumes that are there are of the points and weights that the folder names.
    """
    make_folder(group.folder)
    same = _same_points(group)
    stale = not same or (made_from is not None and not _belongs(group, record, made_from))
    if stale:
        for file in group.folder.glob("vol_*.mrc"):
            file.unlink(missing_ok=True)
    if not same:
        write_z_values(group.folder / Z_VALUES, group.z)
    if made_from is not None:
        record.note(group.folder.name, made_from)
