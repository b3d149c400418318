"""Training killed at random moments: the folder opens, and resumed it gives the same bits.

`NAPARI_CRYODRGN_KILLS` sets how often it is killed.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import read_latents, write_poses
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import load_model, read_checkpoint
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics

KILLS = int(os.environ.get("NAPARI_CRYODRGN_KILLS", "6"))
N_IMAGES, BOX, N_EPOCHS = 100, 24, 4

TRAIN = """
import sys
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.train import train
run_to_end(train(TrainingConfig.model_validate_json({!r})))
"""


class Starter:
    """Starts trainings in processes that need not import torch again."""

    def __init__(self) -> None:
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        self.context = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            # torch._dynamo is what the first optimiser imports.
            preload = ["napari_cryodrgn.workflows.train", "torch._dynamo"]
            self.context.set_forkserver_preload(preload)

    def train(self, config: TrainingConfig, seconds: float | None = None) -> float:
        """Train to the end, or kill the training after `seconds`; returns how long it ran."""
        process = self.context.Process(target=exec, args=(TRAIN.format(config.model_dump_json()),))
        started = time.monotonic()
        process.start()
        process.join(120 if seconds is None else seconds)
        took = time.monotonic() - started
        if seconds is None:
            assert process.exitcode == 0
        process.kill()
        process.join()
        return took


def config_for(folder: Path, out: str) -> TrainingConfig:
    return TrainingConfig(
        particles=folder / "particles.mrcs",
        poses=folder / "poses.pkl",
        outdir=folder / out,
        zdim=3,
        enc_dim=192,
        dec_dim=192,
        enc_layers=1,
        dec_layers=1,
        num_epochs=N_EPOCHS,
        batch_size=8,
        seed=2,
        device="cpu",
        threads=1,
    )


def resume(config: TrainingConfig) -> TrainingConfig:
    """To be continued where it became a run at all before it was killed."""
    began = RunFolder(config.outdir).config.exists()
    return config.model_copy(update={"load": "latest"}) if began else config


def assert_opens(run: RunFolder) -> None:
    """What a killed training leaves can be read: everything that has its name is whole."""
    if not run.config.exists():
        assert run.weight_epochs() == run.latent_epochs() == []
        return
    assert read_run_config(run.config).box == BOX
    for epoch in run.weight_epochs():
        assert load_model(run, epoch).epoch == epoch
        assert epoch in run.latent_epochs()
    for epoch in run.latent_epochs():
        assert read_latents(run.latents(epoch)).mu.shape == (N_IMAGES, 3)
    recorded = [metrics.epoch for metrics in read_metrics(run.metrics)]
    assert recorded == list(range(1, len(recorded) + 1))
    assert len(recorded) >= len(run.weight_epochs())


def assert_same(run: RunFolder, whole: RunFolder) -> None:
    for epoch in (*range(1, N_EPOCHS + 1), None):
        assert run.latents(epoch).read_bytes() == whole.latents(epoch).read_bytes()
        ours, theirs = (read_checkpoint(each.weights(epoch)) for each in (run, whole))
        assert ours.model_state.keys() == theirs.model_state.keys()
        for name, weights in ours.model_state.items():
            assert torch.equal(weights, theirs.model_state[name]), name
    ours, theirs = (
        [dataclasses.replace(metrics, seconds=0) for metrics in read_metrics(each.metrics)]
        for each in (run, whole)
    )
    assert ours == theirs
    assert not run.lock.exists()
    assert not list(run.path.rglob(".*.part"))


@pytest.mark.timeout(900)
def test_killed_training_opens_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    # No seed: other moments each time.
    moments = np.random.default_rng()
    rotations = random_rotations(N_IMAGES, np.random.default_rng(0))
    images = np.random.default_rng(0).normal(size=(N_IMAGES, BOX, BOX)).astype(np.float32)
    write_stack(tmp_path / "particles.mrcs", images, 3.0)
    shifts = np.full((N_IMAGES, 2), 0.02, np.float32)
    write_poses(tmp_path / "poses.pkl", Poses(rotations, shifts))

    starter = Starter()
    starter.train(config_for(tmp_path, "warm-up"))
    whole = config_for(tmp_path, "whole")
    total = starter.train(whole)
    killed = 0
    while killed < KILLS:
        config = config_for(tmp_path, f"killed-{killed}")
        run = RunFolder(config.outdir)
        # Twice each: while it trains, and while it resumes.
        for _ in range(2):
            seconds = moments.uniform(0, total)
            starter.train(resume(config), seconds)
            killed += 1
            assert_opens(run)
        starter.train(resume(config))
        assert_same(run, RunFolder(whole.outdir))
