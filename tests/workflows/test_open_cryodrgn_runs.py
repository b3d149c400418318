"""Run folders as each command and version of cryoDRGN leaves them."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import torch
import yaml

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import write_checkpoint
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.open_run import open_run

MakeRun = Callable[..., RunFolder]

EXISTING_RUNS = Path(__file__).parents[2] / "docs" / "existing_runs.md"


def configuration(version: int) -> dict[str, Any]:
    """Settings of a run of 16 px and 3 latents, with the keys that the version wrote."""
    dataset: dict[str, Any] = {"particles": "p.mrcs", "norm": [0, 3.5], "invert_data": True}
    dataset |= {"ind": None, "keepreal": False, "window": True, "window_r": 0.85}
    dataset |= {"datadir": None, "ctf": None, "poses": "p.pkl", "do_pose_sgd": False}
    model: dict[str, Any] = {"qlayers": 1, "qdim": 8, "players": 1, "pdim": 8, "zdim": 3}
    model |= {"encode_mode": "resid", "enc_mask": 8, "pe_type": "geom_lowf", "pe_dim": None}
    model |= {"domain": "fourier"}
    lattice = {"D": 17, "extent": 0.5, "ignore_DC": True}
    whole: dict[str, Any] = {"dataset_args": dataset, "lattice_args": lattice, "model_args": model}
    if version >= 2:
        model |= {"pe_type": "gaussian", "feat_sigma": 0.5, "activation": "relu"}
        whole["seed"] = 7
    if version >= 3:
        model["tilt_params"] = {"ntilts": 10, "t_emb_dim": 64, "tdim": 1024, "tlayers": 3}
        dataset["ntilts"] = None
        whole |= {"cmd": ["cryodrgn", "train_vae", "p.mrcs"], "version": f"{version}.3.1"}
        whole["time"] = "2024-06-18 13:09:39.968051"
    return whole


def configured(run: RunFolder, version: int) -> None:
    """Gives a run the configuration of a version, and the weights that go with it."""
    run.config.write_text(yaml.safe_dump(configuration(version)))
    vae = build_vae(read_run_config(run.config).model, 16, generator=torch.Generator())
    write_checkpoint(run.weights(2), epoch=2, model=vae, extra={})


def decoded(run: RunFolder, zdim: int, out: Path) -> np.ndarray:
    run_to_end(decode(run, 2, np.full((1, zdim), 0.3, np.float32), out, box=16, pixel_size=1.0))
    return np.array(mrcfile.read(out / "vol_001.mrc"))


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_configurations_of_every_version_open_and_decode(
    make_run: MakeRun, tmp_path: Path, version: int
) -> None:
    run = make_run(epochs=(2,))
    configured(run, version)
    opened = open_run(run.path)
    assert opened.config is not None
    assert (opened.config.kind, opened.config.box, opened.config.norm) == ("vae", 16, (0, 3.5))
    assert opened.config.model.feat_sigma == (None if version == 1 else 0.5)
    assert opened.config.version == ("" if version < 3 else f"{version}.3.1")
    assert not opened.config.tilt_series
    assert opened.latent is not None
    assert opened.latent.zdim == 3
    assert opened.weights == run.weights(2)
    assert decoded(run, 3, tmp_path / "out").std() > 0


def test_a_config_pkl_is_named_with_what_to_do_and_the_rest_is_shown(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(epochs=(2,))
    configured(run, 2)
    settings = configuration(2)
    settings["dataset_args"]["norm"] = (0, np.float32(3.5))
    run.config.unlink()
    (run.path / "config.pkl").write_bytes(pickle.dumps(settings))

    opened = open_run(run.path)
    assert opened.latent is not None
    (problem,) = [str(one) for one in opened.problems if "config" in str(one)]
    assert "had no config.yaml yet" in problem
    assert "existing_runs.md" in problem
    with pytest.raises(InputError, match=r"config\.pkl.*had no config\.yaml yet"):
        decoded(run, 3, tmp_path / "none")

    recipe = re.search(r"```python\n(.*?)```", EXISTING_RUNS.read_text(), re.DOTALL)
    assert recipe is not None
    monkeypatch.chdir(run.path)
    exec(recipe[1], {})
    converted = open_run(run.path)
    assert converted.config is not None
    assert converted.config.norm == (0, 3.5)
    assert decoded(run, 3, tmp_path / "out").std() > 0


@pytest.mark.parametrize("parts", [1, 2])
def test_a_run_that_refined_poses_opens_at_them(
    make_run: MakeRun, rng: np.random.Generator, parts: int
) -> None:
    """``--do-pose-sgd``: shifts as fractions of the box, or none at all."""
    run = make_run(epochs=(2,), pixel_size=None)
    configured(run, 4)
    content = configuration(4)
    content["dataset_args"] |= {"do_pose_sgd": True, "particles": str(run.path / "p.mrcs")}
    run.config.write_text(yaml.safe_dump(content))
    write_stack(run.path / "p.mrcs", rng.normal(size=(40, 16, 16)).astype(np.float32), 2.0)
    refined = (
        random_rotations(40, rng).astype(np.float32),
        rng.uniform(-0.2, 0.2, (40, 2)).astype(np.float32),
    )
    run.poses(2).write_bytes(pickle.dumps(refined[:parts]))

    opened = open_run(run.path)
    assert opened.config is not None
    assert opened.config.refines_poses
    assert opened.particles is not None
    assert opened.particles.poses is not None
    np.testing.assert_array_equal(opened.particles.poses.rotations, refined[0])
    shifts = refined[1] if parts == 2 else np.zeros((40, 2))
    np.testing.assert_array_equal(opened.particles.poses.shifts, shifts)
    assert opened.latent is not None
    np.testing.assert_allclose(
        opened.latent.columns["refined_shift_x"], shifts[:, 0] * 16, atol=1e-6
    )


@pytest.mark.data
def test_a_folder_of_abinit_het_old_opens_and_decodes(
    data_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    data, run = data_folder / "cryodrgn-tests", RunFolder(tmp_path / "project" / "run")
    run.path.mkdir(parents=True)
    shutil.copy(data / "het_config.yaml", run.config)
    for weights in (run.weights(2), run.weights()):
        os.symlink(data / "het_weights.pkl", weights)
    mu = rng.normal(size=(100, 8)).astype(np.float32)
    poses = (random_rotations(100, rng).astype(np.float32), np.full((100, 2), 0.05, np.float32))
    for latents, refined in ((run.latents(2), run.poses(2)), (run.latents(), run.poses())):
        latents.write_bytes(pickle.dumps(mu) + pickle.dumps(np.zeros_like(mu)))
        refined.write_bytes(pickle.dumps(poses))
    # Where the configuration's testing/data/hand.mrcs is found from a folder that has moved.
    images = tmp_path / "project" / "testing" / "data"
    images.mkdir(parents=True)
    os.symlink(data / "hand.mrcs", images / "hand.mrcs")

    opened = open_run(run.path)
    assert opened.epoch == 2
    assert opened.latent is not None
    np.testing.assert_array_equal(opened.latent.mu, mu)
    assert opened.particles is not None
    assert len(opened.particles) == 100
    assert opened.particles.poses is not None
    np.testing.assert_array_equal(opened.particles.poses.rotations, poses[0])
    assert "refined_shift_x" in opened.latent.columns
    assert opened.weights == run.weights(2)
    assert [problem.what for problem in opened.problems if "poses" in problem.what] == []
    assert decoded(run, 8, tmp_path / "out").std() > 0
