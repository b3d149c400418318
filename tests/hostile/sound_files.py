"""One sound file of every kind that is read, to be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import starfile
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.mrc import write_stack, write_volume
from napari_cryodrgn.io.pickles import (
    Latents,
    write_array,
    write_ctf,
    write_indices,
    write_latents,
    write_poses,
)
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.latent.clusters import Clustering
from napari_cryodrgn.latent.embedding import UmapSettings
from napari_cryodrgn.latent.particle_values import ParticleValues, write_values
from napari_cryodrgn.latent.path import LatentPath, waypoint
from napari_cryodrgn.latent.path_files import PATHS_FILE, SavedPaths, write_paths
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_files import (
    write_run_selections,
    write_selection,
)
from napari_cryodrgn.latent.selection_marks import JunkMarks
from napari_cryodrgn.latent.selection_state import SelectionState
from napari_cryodrgn.model.checkpoint import write_checkpoint
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import WindowState, write_session
from napari_cryodrgn.training.cache_folder import pack_header
from napari_cryodrgn.training.source import RunSource, write_run_source
from napari_cryodrgn.workflows.cluster_files import save_clustering, save_embedding
from napari_cryodrgn.workflows.decode_record import decode_record, write_record
from napari_cryodrgn.workflows.follow_status import request_stop
from napari_cryodrgn.workflows.movie_recipe import make_recipe, write_recipe
from napari_cryodrgn.workflows.volume_files import VolumeSettings
from napari_cryodrgn.workflows.z_values import write_z_values

from ..particle_tables import cs_columns, star_blocks, write_cs

N, BOX, ZDIM, PIXEL_SIZE = 24, 16, 2, 3.0
FINGERPRINT = "aa" * 16
MODEL = ModelConfig(zdim=ZDIM, enc_layers=1, enc_dim=8, dec_layers=1, dec_dim=8, feat_sigma=0.5)
ROWS = ParticleRows.every(N, FINGERPRINT)
ROW_STATISTICS = [BOX, PIXEL_SIZE, 15000, 14000, 30, 300, 2.7, 0.1, 0]

LOOK = {"mode": "surface", "colour": "#aabbcc", "level": 2.5}
SESSION: dict[str, Any] = {
    "state": {"z": [0.5, -1.0], "row": 3},
    "camera": {"center": [24.0, 24.0, 24.0], "zoom": 8.0, "angles": [10.0, 20.0, 30.0]},
    "volume": {**LOOK, "style": "iso", "contrast": [0.0, 5.0]},
    "kept": [{**LOOK, "z": [1.0, 1.0], "row": 5, "name": "open"}],
    "plot": {"view": "UMAP", "axes": ["UMAP1", "UMAP2"], "colour": "z0", "limits": [-1.0, 1.0]},
    "hidden_docks": ["Evidence"],
}


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
    starfile.write(star_blocks(poses, 15000.0, BOX, PIXEL_SIZE), folder / "particles.star")
    write_cs(folder / "particles.cs", cs_columns(N, BOX, PIXEL_SIZE))
    (folder / "particles.txt").write_text("particles.mrcs\n")
    mu = rng.normal(size=(N, ZDIM)).astype(np.float32)
    write_array(folder / "labels.pkl", np.arange(N) % 3)
    np.save(folder / "labels.npy", np.arange(N) % 3)
    lines = "".join(f"{row},{row % 3}\n" for row in range(N))
    (folder / "labels.csv").write_text("row,class\n" + lines)
    write_z_values(folder / "z_values.txt", mu[:5])
    (folder / "centers_ind.txt").write_text("3\n7\n11\n")
    (folder / "outline.txt").write_text("# x y\n-1 -1\n1.5, -1\n0 2\n")
    (folder / "prepared.images").write_bytes(pack_header({"version": 1, "n_images": N}))
    _make_models(folder)
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


def _make_models(folder: Path) -> None:
    """Atomic models as PDB and mmCIF files, of four atoms."""
    atoms = [("N", 1.0), ("CA", 2.5), ("C", 3.9), ("O", 4.4)]
    lines = [
        f"ATOM  {number:5d}  {name:<3} ALA A   1    {x:8.3f}{2.0:8.3f}{3.0:8.3f}  1.00 10.00"
        f"           {name[0]}  "
        for number, (name, x) in enumerate(atoms, start=1)
    ]
    (folder / "model.pdb").write_text("\n".join([*lines, "TER", "END", ""]))
    fields = "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id"
    fields += " label_seq_id Cartn_x Cartn_y Cartn_z auth_seq_id auth_asym_id pdbx_PDB_model_num"
    table = [f"_atom_site.{field}" for field in fields.split()]
    table += [
        f"ATOM {number} {name[0]} {name} . ALA A 1 {x} 2 3 1 A 1"
        for number, (name, x) in enumerate(atoms, start=1)
    ]
    (folder / "model.cif").write_text("\n".join(["data_model", "loop_", *table, "#", ""]))


def _yaml_lines(content: dict[str, Any]) -> str:
    return "".join(f"  {key}: {value}\n" for key, value in content.items())


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
    save_embedding(run, rows, "second", mu, UmapSettings(), "ab" * 16)
    score = ParticleValues(mu[:, 0], {"name": "junk_score", "epoch": 1})
    write_values(run.columns / "junk_score.1.npz", rows, score)
    assert particles.poses is not None
    write_poses(run.poses(1), particles.poses)
    write_session(run.session, WindowState.model_validate(SESSION))
    request_stop(run, "epoch")
    write_run_selections(run.selections, SelectionState(some, bits, "", (), JunkMarks.none(N - 2)))
