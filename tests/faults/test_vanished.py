"""A drive that vanishes while it is written to: one message, and nothing begun in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_poses
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.progress import Task, run_to_end
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.train import train


@pytest.fixture
def config(tmp_path: Path, rng: np.random.Generator) -> TrainingConfig:
    write_stack(tmp_path / "p.mrcs", rng.normal(size=(24, 16, 16)).astype(np.float32), 3.0)
    poses = Poses(random_rotations(24, rng), np.zeros((24, 2), np.float32))
    write_poses(tmp_path / "poses.pkl", poses)
    return TrainingConfig(
        particles=tmp_path / "p.mrcs",
        poses=tmp_path / "poses.pkl",
        outdir=tmp_path / "drive" / "run",
        zdim=2,
        enc_dim=8,
        enc_layers=1,
        dec_dim=8,
        dec_layers=1,
        num_epochs=1,
        device="cpu",
        threads=1,
    )


def vanish_when(task: Task[object], there: Path, drive: Path, found: Callable[[], bool]) -> None:
    """Run a task; its drive goes as soon as something is found on it."""
    gone = False
    while True:
        next(task)
        if not gone and found():
            drive.rename(drive.with_name("gone"))
            gone = True
        assert not (gone and there.exists())


def test_training_stops_with_one_message(config: TrainingConfig) -> None:
    config = config.model_copy(update={"num_epochs": 50})
    drive, run = config.outdir.parent, config.outdir
    first = run / "weights.1.pkl"
    with pytest.raises(InputError, match="the folder does not exist; nothing was written"):
        vanish_when(train(config), run, drive, first.is_file)
    assert not drive.exists()


def test_training_stops_where_its_images_vanish(config: TrainingConfig, tmp_path: Path) -> None:
    config = config.model_copy(update={"num_epochs": 50, "lazy": True, "cache": "none"})
    first, images = config.outdir / "weights.1.pkl", tmp_path / "p.mrcs"
    task = train(config)
    with pytest.raises(InputError, match=r"p\.mrcs: it cannot be read any more"):
        while True:
            next(task)
            if first.is_file():
                images.unlink(missing_ok=True)
    assert not (config.outdir / "napari-cryodrgn" / "training.lock").exists()


def test_decoding_stops_with_one_message(config: TrainingConfig, tmp_path: Path) -> None:
    run = run_to_end(train(config))
    drive = tmp_path / "other"
    drive.mkdir()
    out = drive / "volumes"
    task = decode(run, None, np.zeros((200, 2)), out, device="cpu")
    with pytest.raises(InputError, match="the folder does not exist; nothing was written"):
        vanish_when(task, out, drive, (out / "vol_001.mrc").is_file)
    assert not drive.exists()
