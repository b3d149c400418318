"""Two processes that train together, over gloo, as torchrun starts them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import read_latents, read_poses, write_poses
from napari_cryodrgn.model.checkpoint import read_checkpoint
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training import distributed
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.workflows.train import train

# 21 images in batches of 4: the last one has an image for one of the two only.
N_IMAGES, BOX, N_EPOCHS = 21, 16, 2

TRAIN = """
import os
os.environ.update({surroundings!r})
import sys
sys.stderr = open({said!r}, "w")
from napari_cryodrgn.cli import main
main({words!r})
"""


@pytest.fixture(scope="module")
def starter() -> multiprocessing.context.BaseContext:
    """Starts processes that need not import torch again."""
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload(["napari_cryodrgn.workflows.train", "torch._dynamo"])
    return context


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def start(starter, folder: Path, words: list[str], count: int = 2) -> list:
    port = str(free_port())
    started = []
    for rank in range(count):
        surroundings = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        code = TRAIN.format(
            surroundings=surroundings, said=str(folder / f"said{rank}"), words=words
        )
        started.append(starter.Process(target=exec, args=(code, {})))
        started[-1].start()
    return started


def ended(processes: list) -> list[int]:
    for process in processes:
        process.join(60)
        assert process.exitcode is not None
    return [process.exitcode for process in processes]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(N_IMAGES, BOX, BOX)).astype(np.float32)
    write_stack(tmp_path / "particles.mrcs", images, 3.0)
    shifts = np.full((N_IMAGES, 2), 0.02, np.float32)
    write_poses(tmp_path / "poses.pkl", Poses(random_rotations(N_IMAGES, rng), shifts))
    return tmp_path


def config_for(inputs: Path, out: str, **options: object) -> TrainingConfig:
    small = {"enc_dim": 8, "dec_dim": 8, "enc_layers": 1, "dec_layers": 1, "batch_size": 4}
    return TrainingConfig(
        particles=inputs / "particles.mrcs",
        poses=inputs / "poses.pkl",
        outdir=inputs / out,
        zdim=2,
        seed=3,
        device="cpu",
        threads=1,
        **(small | {"num_epochs": N_EPOCHS, "lr": 1e-3} | options),
    )


def words_of(config: TrainingConfig) -> list[str]:
    from napari_cryodrgn.workflows.train_files import command

    return [*command(config)[1:], "--no-analysis"]


def test_two_processes_train_as_one(starter, inputs):
    """The same losses, weights and latents; only the first writes; one goes on alone."""
    refining = {"do_pose_sgd": True, "pose_lr": 1e-3}  # from the second epoch on
    alone = run_to_end(train(config_for(inputs, "alone", **refining)))
    config = config_for(inputs, "together", **refining)
    together = RunFolder(config.outdir)
    assert ended(start(starter, inputs, words_of(config))) == [0, 0]
    ours, theirs = read_metrics(together.metrics), read_metrics(alone.metrics)
    assert [one.epoch for one in ours] == [1, 2]
    for one, other in zip(ours, theirs, strict=True):
        assert one.n_images == other.n_images == N_IMAGES
        for name in ("loss", "gen_loss", "kld"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5, abs=1e-7)
    a, b = (read_checkpoint(run.weights(N_EPOCHS)).model_state for run in (together, alone))
    assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in b)
    a, b = (read_latents(run.latents(N_EPOCHS)).mu for run in (together, alone))
    np.testing.assert_allclose(a, b, atol=1e-4)
    one, other = (read_poses(run.poses(N_EPOCHS)) for run in (together, alone))
    np.testing.assert_allclose(one.rotations, other.rotations, atol=1e-4)
    np.testing.assert_allclose(one.shifts, other.shifts, atol=1e-4)
    assert np.abs(one.rotations - read_poses(inputs / "poses.pkl").rotations).max() > 5e-4
    assert (inputs / "said1").read_text() == ""
    # Taken up by one process.
    again = config.model_copy(update={"load": "latest", "num_epochs": 3})
    assert run_to_end(train(again)).weight_epochs() == [1, 2, 3]


def test_one_that_dies_stops_all_and_the_run_goes_on(starter, inputs):
    config = config_for(inputs, "killed", num_epochs=100_000)
    run = RunFolder(config.outdir)
    first, second = start(starter, inputs, words_of(config))
    deadline = time.monotonic() + 60
    while len(run.weight_epochs()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(second.pid, signal.SIGKILL)
    assert ended([first, second])[0] == 1
    errors = [one for one in (inputs / "said0").read_text().splitlines() if ": error: " in one]
    assert len(errors) == 1
    assert "another process of this training has ended" in errors[0]
    assert (inputs / "said1").read_text() == ""
    assert not run.lock.exists()
    reached = max(run.weight_epochs())
    more = {"load": "latest", "num_epochs": reached + 1}
    run_to_end(train(config.model_copy(update=more)))
    assert max(run.weight_epochs()) == reached + 1


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_make_up_the_batch(monkeypatch, count):
    """Every image in one part, and the weights add up to one."""
    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: count)
    for n_images in (1, 2, 4, 7):
        counted, weight = [], 0.0
        for rank in range(count):
            monkeypatch.setattr(distributed.dist, "get_rank", lambda rank=rank: rank)
            part = distributed.part_of(n_images)
            weight += part.weight
            assert len(range(n_images)[part.where]) >= 1
            if part.weight:
                counted += range(n_images)[part.where]
        assert sorted(counted) == list(range(n_images))
        assert weight == pytest.approx(1)


def test_what_several_cannot_do_is_refused(inputs, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="--beta-control"):
        run_to_end(train(config_for(inputs, "refused", beta_control=1.0)))
    assert not (inputs / "refused").exists()
