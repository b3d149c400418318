"""Sound files of every kind that is read, ways to damage them, and what may come of it.

Shared by the tests and by ``scripts/fuzz_readers.py``. A reader may give a value or
raise `InputError`; anything else is a fault.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import starfile
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations, random_rotations
from napari_cryodrgn.io.cs import read_cs
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.io.mrc import read_volume, write_stack, write_volume
from napari_cryodrgn.io.pickles import (
    Latents,
    read_array,
    read_ctf,
    read_indices,
    read_latents,
    read_poses,
    write_array,
    write_ctf,
    write_indices,
    write_latents,
    write_poses,
)
from napari_cryodrgn.io.run_config import read_run_config, write_run_config
from napari_cryodrgn.io.star import read_star
from napari_cryodrgn.latent.clusters import Clustering
from napari_cryodrgn.latent.label_file import read_label_column
from napari_cryodrgn.latent.path import LatentPath, waypoint
from napari_cryodrgn.latent.path_files import PATHS_FILE, SavedPaths, read_paths, write_paths
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_book import SelectionState
from napari_cryodrgn.latent.selection_files import (
    ALL_SELECTIONS,
    read_run_selections,
    read_selection,
    write_run_selections,
    write_selection,
)
from napari_cryodrgn.latent.selection_marks import JunkMarks
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.model.checkpoint import load_model_files, read_checkpoint, write_checkpoint
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import lock_owner
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.source import RunSource, read_run_source, rows_of, write_run_source
from napari_cryodrgn.workflows.analysis_files import read_kmeans, read_positions, read_umap
from napari_cryodrgn.workflows.analysis_record import AnalysisRecord
from napari_cryodrgn.workflows.cluster_files import read_clustering, save_clustering
from napari_cryodrgn.workflows.decode_record import decode_record, volumes_there, write_record
from napari_cryodrgn.workflows.follow_status import read_status, stop_requested
from napari_cryodrgn.workflows.info import inspect_path
from napari_cryodrgn.workflows.launch_record import read_launch
from napari_cryodrgn.workflows.movie_recipe import make_recipe, read_recipe, write_recipe
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.simulate import read_settings
from napari_cryodrgn.workflows.volume_files import VolumeSettings
from napari_cryodrgn.workflows.z_values import read_z_values, write_z_values

N, BOX, ZDIM, PIXEL_SIZE = 24, 16, 2, 3.0
FINGERPRINT = "aa" * 16
MODEL = ModelConfig(zdim=ZDIM, enc_layers=1, enc_dim=8, dec_layers=1, dec_dim=8, feat_sigma=0.5)
ROWS = ParticleRows.every(N, FINGERPRINT)
ROW_STATISTICS = [BOX, PIXEL_SIZE, 15000, 14000, 30, 300, 2.7, 0.1, 0]


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


def make_sound(folder: Path) -> None:
    """Write one sound file of every kind."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(N, BOX, BOX)).astype(np.float32)
    write_stack(folder / "particles.mrcs", images, PIXEL_SIZE)
    write_volume(folder / "volume.mrc", images[:BOX], PIXEL_SIZE)
    poses = Poses(random_rotations(N, rng), rng.uniform(-0.1, 0.1, (N, 2)).astype(np.float32))
    write_poses(folder / "poses.pkl", poses)
    write_ctf(folder / "ctf.pkl", CTFParameters(np.tile(np.array(ROW_STATISTICS, float), (N, 1))))
    write_indices(folder / "ind.pkl", ParticleRows(np.arange(0, N, 2), N))
    _make_tables(folder, poses)
    mu = rng.normal(size=(N, ZDIM)).astype(np.float32)
    write_array(folder / "labels.pkl", np.arange(N) % 3)
    np.save(folder / "labels.npy", np.arange(N) % 3)
    lines = "".join(f"{row},{row % 3}\n" for row in range(N))
    (folder / "labels.csv").write_text("row,class\n" + lines)
    write_z_values(folder / "z_values.txt", mu[:5])
    (folder / "centers_ind.txt").write_text("3\n7\n11\n")
    mask = np.arange(N) < 5
    write_selection(folder / "selection.json", ROWS, mask, name="junk")
    write_recipe(folder / "movie.json", make_recipe(folder / "run", mu[:3]))
    settings = {"n_particles": 8, "box": 16}
    (folder / "simulation.yaml").write_text("settings:\n" + _yaml_lines(settings))
    _make_run(folder / "run", mu, folder)
    decode = decode_record(
        folder / "run" / "weights.1.pkl", 1, VolumeSettings(BOX, PIXEL_SIZE), 1, "vol_"
    )
    write_record(folder, decode)


def _yaml_lines(content: dict[str, Any]) -> str:
    return "".join(f"  {key}: {value}\n" for key, value in content.items())


def _make_tables(folder: Path, poses: Poses) -> None:
    rot, tilt, psi = euler_from_rotations(poses.rotations)
    particles = {
        "rlnImageName": [f"{i + 1}@particles.mrcs" for i in range(N)],
        "rlnAngleRot": rot,
        "rlnAngleTilt": tilt,
        "rlnAnglePsi": psi,
        "rlnOriginXAngst": poses.shifts[:, 0] * BOX * PIXEL_SIZE,
        "rlnOriginYAngst": poses.shifts[:, 1] * BOX * PIXEL_SIZE,
        "rlnDefocusU": 15000.0,
        "rlnDefocusV": 14000.0,
        "rlnDefocusAngle": 0.0,
        "rlnOpticsGroup": 1,
    }
    optics = {
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL_SIZE],
        "rlnImageSize": [BOX],
    }
    blocks = {"optics": pd.DataFrame(optics), "particles": pd.DataFrame(particles)}
    starfile.write(blocks, folder / "particles.star")
    columns = {
        "uid": np.arange(N, dtype="u8") + 7,
        "blob/path": np.full(N, b"particles.mrcs"),
        "blob/idx": np.arange(N, dtype="u4"),
        "blob/shape": np.full((N, 2), BOX, "u4"),
        "blob/psize_A": np.full(N, PIXEL_SIZE, "f4"),
        "ctf/accel_kv": np.full(N, 300, "f4"),
        "ctf/cs_mm": np.full(N, 2.7, "f4"),
        "ctf/amp_contrast": np.full(N, 0.1, "f4"),
        "ctf/df1_A": np.full(N, 15000, "f4"),
        "ctf/df2_A": np.full(N, 14000, "f4"),
        "ctf/df_angle_rad": np.full(N, 0.5, "f4"),
        "ctf/phase_shift_rad": np.zeros(N, "f4"),
        "alignments3D/pose": np.full((N, 3), 0.3, "f4"),
        "alignments3D/shift": np.full((N, 2), 0.5, "f4"),
        "alignments3D/psize_A": np.full(N, PIXEL_SIZE, "f4"),
    }
    kinds = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
    table = np.zeros(N, kinds)
    for name, values in columns.items():
        table[name] = values
    with (folder / "particles.cs").open("wb") as file:
        np.save(file, table)
    (folder / "particles.txt").write_text("particles.mrcs\n")


def _make_run(path: Path, mu: np.ndarray, inputs: Path) -> None:
    """A run as a training leaves it, with an analysis and everything of ours."""
    run = RunFolder(path)
    (run.analysis(1).path / "kmeans3").mkdir(parents=True)
    run.own.mkdir()
    named = {name: str(inputs / f"{name}.pkl") for name in ("poses", "ctf")}
    config = RunConfig(
        box=BOX, model=MODEL, norm=(0.0, 3.0), particles=str(inputs / "particles.mrcs"), **named
    )
    write_run_config(run.config, config)
    vae = build_vae(MODEL, BOX, generator=torch.Generator().manual_seed(0))
    write_checkpoint(
        run.weights(1), epoch=1, model=vae, optimizer=torch.optim.Adam(vae.parameters())
    )
    write_latents(run.latents(1), Latents(mu, np.zeros_like(mu)))
    write_array(run.analysis(1).umap, mu)
    kmeans = run.analysis(1).kmeans(3)
    write_array(kmeans / "labels.pkl", np.arange(N) % 3)
    write_z_values(kmeans / "centers.txt", mu[:3])
    (kmeans / "centers_ind.txt").write_text("0\n1\n2\n")
    write_z_values(kmeans / "z_values.txt", mu[:3])
    write_volume(kmeans / "vol_001.mrc", np.zeros((4, 4, 4)), PIXEL_SIZE)
    particles = read_particles(inputs / "particles.mrcs", **named)
    write_run_source(run.source, RunSource.of(particles, None))
    epoch = {"epoch": 1, "loss": 1.0, "gen_loss": 1.0, "kld": 0.1, "beta": 0.5}
    epoch |= {"n_images": N, "seconds": 1.0}
    run.metrics.write_text(json.dumps(epoch) + "\n")
    process = {"pid": 1, "host": "elsewhere", "started": 0.0}
    run.lock.write_text(json.dumps(process))
    launch = {"kind": "background", "submitted": 1.0, "owner": process, "job": ""}
    run.launch.write_text(json.dumps(launch))
    status = {"state": "running", "owner": process, "progress": {}, "text": ""}
    run.status.write_text(json.dumps(status))
    (run.own / "analyze.1.json").write_text('{"umap": {"seed": 1}}\n')
    rows = particles.rows
    save_clustering(run, rows, Clustering("mine", np.arange(N) % 2, ("a", "b"), "by hand"))
    path_ = LatentPath(name="first", waypoints=(waypoint(mu[0], 0), waypoint(mu[1])))
    write_paths(
        run.own / PATHS_FILE,
        SavedPaths(paths=(path_,), epoch=1, n_source=N, fingerprint=rows.fingerprint),
    )
    some = ParticleRows(np.arange(2, N), N, rows.fingerprint)
    bits = PackedMask.of(np.arange(N - 2) < 3)
    write_run_selections(run.selections, SelectionState(some, bits, "", (), JunkMarks.none(N - 2)))


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
        "stop request", "run/napari-cryodrgn/training.lock", lambda p: stop_requested(_run_of(p))
    ),
    Reader("run: config.yaml", "run/config.yaml", _opened),
    Reader("run: particles.json", "run/napari-cryodrgn/particles.json", _opened),
    Reader("run: z.pkl", "run/z.1.pkl", _opened),
    Reader("run: clustering", "run/napari-cryodrgn/clusterings/mine.npz", _opened),
    Reader("run: volume", "run/analyze.1/kmeans3/vol_001.mrc", _opened),
    Reader("info: weights", "run/weights.1.pkl", inspect_path),
    Reader("info: STAR", "particles.star", inspect_path),
    Reader("info: poses", "poses.pkl", inspect_path),
    Reader("info: config", "run/config.yaml", inspect_path),
)


def copy_beside(sound: Path, folder: Path) -> None:
    """A copy of the sound files; paths in them still name the originals."""
    shutil.copytree(sound, folder)


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
