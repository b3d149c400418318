"""Trainings whose images are read from disk: exact, and independent of the cache."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_cryodrgn.cli import app
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_poses
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import read_checkpoint
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training import data, epoch_order, step
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.workflows.train import train

N_IMAGES, BOX = 50, 16


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(epoch_order, "CHUNK_BYTES", 4 * 4 * BOX * BOX)
    monkeypatch.setattr(epoch_order, "SHUFFLED_BYTES", 16 * 4 * BOX * BOX)
    rng = np.random.default_rng(0)
    write_stack(tmp_path / "p.mrcs", rng.normal(size=(N_IMAGES, BOX, BOX)).astype(np.float32), 3.0)
    shifts = rng.uniform(-0.05, 0.05, (N_IMAGES, 2)).astype(np.float32)
    write_poses(tmp_path / "poses.pkl", Poses(random_rotations(N_IMAGES, rng), shifts))
    return tmp_path


def config_for(inputs: Path, out: str, **options: object) -> TrainingConfig:
    usual: dict[str, object] = {
        "enc_dim": 8,
        "dec_dim": 8,
        "enc_layers": 1,
        "dec_layers": 1,
        "batch_size": 8,
    }
    usual |= {"zdim": 2, "num_epochs": 3, "lr": 1e-3, "seed": 3, "device": "cpu", "threads": 1}
    usual |= {"lazy": True, "cache": str(inputs / "cache")}
    return TrainingConfig(
        particles=inputs / "p.mrcs",
        poses=inputs / "poses.pkl",
        outdir=inputs / out,
        **(usual | options),
    )


def assert_same(one: RunFolder, other: RunFolder) -> None:
    first, second = (read_checkpoint(run.weights(3)).model_state for run in (one, other))
    for name, weights in first.items():
        assert torch.equal(weights, second[name]), name
    assert one.latents(3).read_bytes() == other.latents(3).read_bytes()
    metrics = [
        [dataclasses.replace(record, seconds=0) for record in read_metrics(run.metrics)]
        for run in (one, other)
    ]
    assert metrics[0] == metrics[1]


def test_cached_uncached_and_taken_up_are_the_same_training(inputs: Path) -> None:
    whole = run_to_end(train(config_for(inputs, "whole")))
    log = whole.log.read_text()
    assert "images read as needed, cached on disk" in log
    assert "All images are cached now" in log
    found = run_to_end(train(config_for(inputs, "found")))
    assert "taken from the cache" in found.log.read_text()
    without = run_to_end(train(config_for(inputs, "without", cache="none")))
    task = train(config := config_for(inputs, "stopped"))
    for record in task:
        assert isinstance(record, TrainingProgress)
        if record.epoch == 2 and record.phase == "training":
            break
    task.close()
    # What was decided at first holds, whatever is asked for later.
    later = config.model_copy(update={"load": "latest", "lazy": False, "cache": "none"})
    stopped = run_to_end(train(later))
    assert read_run_config(stopped.config).training["lazy"] is True
    for other in (found, without, stopped):
        assert_same(whole, other)


def test_set_that_does_not_fit_is_read_from_disk(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = run_to_end(train(config_for(inputs, "lazy")))
    monkeypatch.setattr(data, "MEMORY_SHARE", 0.0)
    run = run_to_end(train(config_for(inputs, "large", lazy=False)))
    assert read_run_config(run.config).training["lazy"] is True
    assert_same(lazy, run)


def test_set_prepared_as_it_goes_is_trained_like_one_prepared_before(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_to_end(train(config_for(inputs, "before", lazy=False)))
    monkeypatch.setattr(data, "PIXELS_AT_ONCE", 0)
    along = run_to_end(train(config_for(inputs, "along", lazy=False)))
    assert_same(before, along)
    assert not (inputs / "cache").exists()


def test_bad_image_in_a_streamed_set_stops_with_its_name(inputs: Path) -> None:
    images = np.random.default_rng(0).normal(size=(2000, BOX, BOX)).astype(np.float32)
    images[1235, 3, 3] = np.nan  # not one that the contrast is measured by
    write_stack(inputs / "p.mrcs", images, 3.0)
    rotations = random_rotations(2000, np.random.default_rng(0))
    write_poses(inputs / "poses.pkl", Poses(rotations, np.zeros((2000, 2), np.float32)))
    with pytest.raises(InputError, match=r"NaN or infinite|counted from 1\) = 1236"):
        run_to_end(train(config_for(inputs, "bad", norm=(0.0, 16.0))))
    assert "= 1236" in RunFolder(inputs / "bad").log.read_text()
    assert list((inputs / "cache").iterdir()) == []


def test_cache_is_listed_and_cleaned(inputs: Path) -> None:
    run_to_end(train(config_for(inputs, "run", num_epochs=1)))
    listed = CliRunner().invoke(app, ["cache", "list", "--cache", str(inputs / "cache")])
    assert f"{N_IMAGES} images of {BOX} px  {inputs / 'p.mrcs'}" in listed.output
    cleaned = CliRunner().invoke(app, ["cache", "clean", "--cache", str(inputs / "cache")])
    assert cleaned.exit_code == 0
    assert list((inputs / "cache").iterdir()) == []
    missing = CliRunner().invoke(app, ["cache", "list", "--cache", str(inputs / "none")])
    assert missing.exit_code == 1


@pytest.mark.parametrize("options", [{}, {"do_pose_sgd": True, "pretrain": 0}, {"zdim": 0}])
@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_full_memory_makes_smaller_parts_and_goes_on(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], error: type
) -> None:
    options = options | {"lazy": False, "num_epochs": 1}
    whole = run_to_end(train(config_for(inputs, "whole", **options)))
    compute = step._loss

    def full(state: object, compared: object, batch: data.Batch, *rest: object) -> object:
        if len(batch.rotations) > 4:
            raise error("no memory")
        return compute(state, compared, batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(step, "_loss", full)
    run = run_to_end(train(config_for(inputs, "parts", **options)))
    assert run.log.read_text().count("in 2 parts of 4 images") == 1
    first, second = (read_checkpoint(each.weights(1)).model_state for each in (whole, run))
    for name, weights in first.items():
        torch.testing.assert_close(weights, second[name], rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(step, "_loss", lambda *given: (_ for _ in ()).throw(error("no memory")))
    with pytest.raises(InputError, match="memory is full"):
        run_to_end(train(config_for(inputs, "none", **options)))


def test_threads_are_chosen_and_written_down(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = run_to_end(train(config_for(inputs, "given")))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run = run_to_end(train(config_for(inputs, "chosen", threads=None)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert "CPU threads, the quickest of those tried" in run.log.read_text()
    assert_same(given, run)
