"""Sound files of every kind that is read, ways to damage them, and what may come of it.

Shared by the tests and by ``scripts/fuzz_readers.py``. A reader may give a value or
raise `InputError`; anything else is a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_cryodrgn.commandline.traverse import read_anchors
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.cs import read_cs
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import (
    read_array,
    read_ctf,
    read_indices,
    read_latents,
    read_poses,
)
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.io.star import read_star
from napari_cryodrgn.latent.label_file import read_label_column
from napari_cryodrgn.latent.particle_values import read_values
from napari_cryodrgn.latent.path_files import PATHS_FILE, read_paths
from napari_cryodrgn.latent.selection_files import (
    ALL_SELECTIONS,
    read_run_selections,
    read_selection,
)
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.model.checkpoint import load_model_files, read_checkpoint
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import parsed_session
from napari_cryodrgn.simulation.atomic_model import read_models
from napari_cryodrgn.training.cache_folder import read_header
from napari_cryodrgn.training.lock import lock_owner
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.source import read_run_source, rows_of
from napari_cryodrgn.workflows.analysis_files import read_kmeans, read_positions, read_umap
from napari_cryodrgn.workflows.analysis_record import AnalysisRecord
from napari_cryodrgn.workflows.cluster_files import read_clustering, read_embedding
from napari_cryodrgn.workflows.decode_record import decode_record, volumes_there
from napari_cryodrgn.workflows.follow_status import read_status, stop_requested
from napari_cryodrgn.workflows.info import inspect_path
from napari_cryodrgn.workflows.launch_record import read_launch
from napari_cryodrgn.workflows.movie_recipe import read_recipe
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.refined_poses import read_refined_poses
from napari_cryodrgn.workflows.select import read_lasso
from napari_cryodrgn.workflows.simulate import read_settings
from napari_cryodrgn.workflows.volume_files import VolumeSettings
from napari_cryodrgn.workflows.z_values import read_z_values

from .sound_files import BOX, PIXEL_SIZE, ROWS, ZDIM, N


@dataclass(frozen=True)
class Reader:
    """Something that reads a file.

    Parameters
    ----------
    name : str
        Of the kind of file.
    file : str
        The file in `make_sound`'s folder that is damaged.
    read : callable
        Takes the damaged file's path, beside which the other files lie sound.
    """

    name: str
    file: str
    read: Callable[[Path], object]


def _table(path: Path) -> object:
    """Everything that a particle table can be asked, images included."""
    table = read_star(path) if path.suffix == ".star" else read_cs(path)
    asked = (
        lambda: table.metadata,
        lambda: table.box,
        lambda: table.pixel_size,
        lambda: table.poses(BOX),
        lambda: table.ctf(BOX, PIXEL_SIZE, {}),
        lambda: _particles(path),
    )
    answers = 0
    for ask in asked:
        try:
            ask()
            answers += 1
        except InputError:
            continue
    return answers


def _particles(path: Path) -> object:
    particles = read_particles(path)
    return particles.images.read(np.arange(min(4, len(particles))))


def _stack(path: Path) -> object:
    stack = FileImageStack.of_files([path])
    read_table(path)
    return stack.read(np.arange(min(4, len(stack))))


def _weights(path: Path) -> object:
    read_checkpoint(path)
    return load_model_files(path, path.parent / "config.yaml")


def _config(path: Path) -> object:
    read_run_config(path)
    return load_model_files(path.parent / "weights.1.pkl", path)


def _space() -> LatentSpace:
    mu = np.zeros((N, ZDIM), np.float32)
    return make_latent_space(mu, ROWS, epoch=1)


def _decode_record(path: Path) -> object:
    record = decode_record(
        path.parent / "run" / "weights.1.pkl", 1, VolumeSettings(BOX, PIXEL_SIZE), 1, "vol_"
    )
    return volumes_there(path.parent, record, None, [], VolumeSettings(BOX, PIXEL_SIZE))


def _run_of(path: Path) -> RunFolder:
    return RunFolder(next(parent for parent in path.parents if parent.name == "run"))


def _opened(path: Path) -> object:
    run = _run_of(path)
    opened = open_run(run.path)
    if opened.latent is not None:
        for problem in opened.problems:
            str(problem)
    return opened


def _source(path: Path) -> object:
    source = read_run_source(path)
    return rows_of(source, path.parent)


def _selections(path: Path) -> object:
    return read_run_selections(path.parent, ParticleRows.every(N, _run_fingerprint(path)))


def _run_fingerprint(path: Path) -> str:
    return read_run_source(_run_of(path).source).fingerprint


def _clustering(path: Path) -> object:
    return read_clustering(path, ParticleRows.every(N, _run_fingerprint(path)))


def _embedding(path: Path) -> object:
    return read_embedding(path, ParticleRows.every(N, _run_fingerprint(path)))


def _column(path: Path) -> object:
    return read_values(path, ParticleRows.every(N, _run_fingerprint(path)), np.nan)


def _refined_poses(path: Path) -> object:
    return read_refined_poses(path, N, read_run_config(path.parent / "config.yaml"))


def _kmeans(path: Path) -> object:
    return read_kmeans(path.parent, read_latents(_run_of(path).latents(1)).mu, 3)


READERS = (
    Reader("MRC volume", "volume.mrc", read_volume),
    Reader("MRC stack", "particles.mrcs", _stack),
    Reader("STAR", "particles.star", _table),
    Reader("cryoSPARC .cs", "particles.cs", _table),
    Reader("list of stacks", "particles.txt", _particles),
    Reader("poses.pkl", "poses.pkl", read_poses),
    Reader("ctf.pkl", "ctf.pkl", read_ctf),
    Reader("ind.pkl", "ind.pkl", lambda path: read_indices(path, N)),
    Reader("z.pkl", "run/z.1.pkl", read_latents),
    Reader("other .pkl", "labels.pkl", read_array),
    Reader("umap.pkl", "run/analyze.1/umap.pkl", lambda path: read_umap(path, N)),
    Reader("k-means folder", "run/analyze.1/kmeans3/labels.pkl", _kmeans),
    Reader("weights", "run/weights.1.pkl", _weights),
    Reader("config.yaml", "run/config.yaml", _config),
    Reader("simulation.yaml", "simulation.yaml", read_settings),
    Reader("labels .csv", "labels.csv", lambda path: read_label_column(path, _space())),
    Reader("labels .npy", "labels.npy", lambda path: read_label_column(path, _space())),
    Reader("labels .pkl", "labels.pkl", lambda path: read_label_column(path, _space())),
    Reader("latent points", "z_values.txt", read_z_values),
    Reader("row numbers", "centers_ind.txt", read_positions),
    Reader("selection", "selection.json", lambda path: read_selection(path, ROWS)),
    Reader("selections", f"run/napari-cryodrgn/selections/{ALL_SELECTIONS}", _selections),
    Reader("paths", f"run/napari-cryodrgn/{PATHS_FILE}", read_paths),
    Reader("clustering .npz", "run/napari-cryodrgn/clusterings/mine.npz", _clustering),
    Reader("movie recipe", "movie.json", read_recipe),
    Reader("decode.json", "decode.json", _decode_record),
    Reader("particles.json", "run/napari-cryodrgn/particles.json", _source),
    Reader("metrics", "run/napari-cryodrgn/metrics.jsonl", read_metrics),
    Reader("training.lock", "run/napari-cryodrgn/training.lock", lock_owner),
    Reader("training.json", "run/napari-cryodrgn/training.json", lambda p: read_status(_run_of(p))),
    Reader("launch.json", "run/napari-cryodrgn/launch.json", lambda p: read_launch(_run_of(p))),
    Reader(
        "analysis record",
        "run/napari-cryodrgn/analyze.1.json",
        lambda path: AnalysisRecord(_run_of(path), 1).of("umap"),
    ),
    Reader(
        "stop request", "run/napari-cryodrgn/stop.request", lambda p: stop_requested(_run_of(p))
    ),
    Reader("session", "run/napari-cryodrgn/session.json", parsed_session),
    Reader("embedding .npz", "run/napari-cryodrgn/embeddings/second.npz", _embedding),
    Reader("column .npz", "run/napari-cryodrgn/columns/junk_score.1.npz", _column),
    Reader("refined poses", "run/pose.1.pkl", _refined_poses),
    Reader("lasso", "outline.txt", read_lasso),
    Reader("anchors", "centers_ind.txt", lambda path: read_anchors([str(path)])),
    Reader("atomic model .pdb", "model.pdb", read_models),
    Reader("atomic model .cif", "model.cif", read_models),
    Reader("image cache", "prepared.images", read_header),
    Reader("run: config.yaml", "run/config.yaml", _opened),
    Reader("run: particles.json", "run/napari-cryodrgn/particles.json", _opened),
    Reader("run: z.pkl", "run/z.1.pkl", _opened),
    Reader("run: umap.pkl", "run/analyze.1/umap.pkl", _opened),
    Reader("run: k-means labels", "run/analyze.1/kmeans3/labels.pkl", _opened),
    Reader("run: column", "run/napari-cryodrgn/columns/junk_score.1.npz", _opened),
    Reader("run: refined poses", "run/pose.1.pkl", _opened),
    Reader("run: STAR", "particles.star", lambda path: _opened(path.parent / "run" / "x")),
    Reader("run: clustering", "run/napari-cryodrgn/clusterings/mine.npz", _opened),
    Reader("run: volume", "run/analyze.1/kmeans3/vol_001.mrc", _opened),
    Reader("info: weights", "run/weights.1.pkl", inspect_path),
    Reader("info: STAR", "particles.star", inspect_path),
    Reader("info: poses", "poses.pkl", inspect_path),
    Reader("info: config", "run/config.yaml", inspect_path),
)


def outcome(reader: Reader, path: Path) -> str:
    """What reading comes to: "value" or "refused"; anything else is raised.

    A message must be short enough to read.
    """
    try:
        reader.read(path)
    except InputError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            raise RuntimeError(f"a message of {len(str(error))} characters") from error
        return "refused"
    return "value"


LONGEST_MESSAGE = 6000
