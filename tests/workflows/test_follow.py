"""Following a training through its run folder, and stopping it there."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from napari_cryodrgn.commandline.drive import drive
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_poses
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import LockOwner, training_lock
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.workflows import follow
from napari_cryodrgn.workflows.follow import follow_run
from napari_cryodrgn.workflows.follow_status import (
    TrainingStatus,
    read_status,
    reported,
    request_stop,
    write_status,
)
from napari_cryodrgn.workflows.launch import launch_in_background, make_ready, under_way
from napari_cryodrgn.workflows.launch_record import Launch, read_launch, write_launch
from napari_cryodrgn.workflows.train import train

REPORT = TrainingProgress(
    50, 200, "Training, epoch 1 of 4", 12.5, phase="training", epoch=1, n_epochs=4, loss=0.5
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.own.mkdir(parents=True)
    return run


def config_for(folder: Path, **options: object) -> TrainingConfig:
    n, box = 32, 16
    rotations = random_rotations(n, np.random.default_rng(0))
    images = np.random.default_rng(0).normal(size=(n, box, box)).astype(np.float32)
    write_stack(folder / "particles.mrcs", images, 3.0)
    write_poses(folder / "poses.pkl", Poses(rotations, np.zeros((n, 2), np.float32)))
    small = {"enc_dim": 8, "dec_dim": 8, "enc_layers": 1, "dec_layers": 1, "num_epochs": 3}
    return TrainingConfig(
        particles=folder / "particles.mrcs",
        poses=folder / "poses.pkl",
        outdir=folder / "run",
        zdim=2,
        device="cpu",
        threads=1,
        **(small | options),
    )


def dead_process() -> LockOwner:
    out = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    return dataclasses.replace(LockOwner.this_process(), pid=int(out.stdout))


def ended(folder: Path) -> tuple[list[TrainingProgress], follow.Ending]:
    """All that following says, and the ending."""
    task, reports = follow_run(folder), []
    while True:
        try:
            reports.append(next(task))
        except StopIteration as stop:
            return reports, stop.value


def test_a_status_comes_back_as_it_was_written(run):
    status = TrainingStatus("running", LockOwner.this_process(), REPORT)
    write_status(run, status)
    assert read_status(run) == status


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "running"}', '{"state": 1, "owner": 2}']
)
def test_a_status_that_cannot_be_read_is_none(run, text):
    run.status.write_text(text)
    assert read_status(run) is None


def test_training_says_how_it_goes_and_how_it_ended(tmp_path):
    config = config_for(tmp_path)
    run = RunFolder(config.outdir)
    task = train(config)
    seen = set()
    for _ in task:
        status = read_status(run)
        if status is not None:
            seen.add(status.state)
            assert status.owner == LockOwner.this_process()
            assert under_way(run)
    assert seen == {"running"}
    status = read_status(run)
    assert (status.state, status.progress.epoch) == ("finished", 3)
    assert not under_way(run)
    reports, ending = ended(run.path)
    assert ending.state == "finished"
    assert reports[-1].finished_epoch is None  # none since the following began


def test_a_request_to_stop_after_the_epoch_leaves_it_whole(tmp_path):
    config = config_for(tmp_path, num_epochs=500)
    run = RunFolder(config.outdir)
    task = train(config)
    epochs = []
    with pytest.raises(Cancelled):
        for report in task:
            if report.epoch == 2 and report.finished_epoch is None and not epochs:
                request_stop(run, "epoch")
                epochs.append(report.epoch)
    assert run.weight_epochs() == [1, 2]
    assert not run.lock.exists()
    assert not run.stop_request.exists()
    assert read_status(run).state == "stopped"
    # It goes on, and is not stopped again.
    again = config.model_copy(update={"load": "latest", "num_epochs": 3})
    run_to_end(train(again))
    assert run.weight_epochs() == [1, 2, 3]


def test_a_request_to_stop_now_ends_a_command_as_a_signal_does(tmp_path):
    config = config_for(tmp_path, num_epochs=500)
    run = RunFolder(config.outdir)

    def asking():
        task = train(config)
        for report in task:
            if report.finished_epoch == 2:
                request_stop(run, "now")
            yield report

    with pytest.raises(typer.Exit) as caught:
        drive(asking())
    assert caught.value.exit_code == 143
    assert run.weight_epochs() == [1, 2]


def test_a_failure_is_told_to_followers(run):
    def failing():
        with training_lock(run.lock):
            yield REPORT
            raise InputError("the loss is not a finite number")

    with pytest.raises(InputError):
        run_to_end(reported(run, failing()))
    _, ending = ended(run.path)
    assert (ending.state, ending.text) == ("failed", "the loss is not a finite number")


def test_one_that_is_refused_leaves_the_word_of_the_one_that_runs(run):
    write_status(run, TrainingStatus("running", LockOwner.this_process(), REPORT))

    def refused():
        raise InputError("a training is under way in this folder")
        yield

    with pytest.raises(InputError):
        run_to_end(reported(run, refused()))
    assert read_status(run).state == "running"


def test_a_killed_training_is_noticed(run):
    run.launch_log.write_text("one\ntwo\n")
    write_status(run, TrainingStatus("running", dead_process(), REPORT))
    _, ending = ended(run.path)
    assert ending.state == "died"
    assert "two" in ending.details


def test_a_folder_without_training_is_said_to_be_so(run):
    assert ended(run.path)[1].state == "none"


def test_a_silent_training_on_another_computer_is_reported_as_silent(run, monkeypatch):
    monkeypatch.setattr(follow, "SILENT_SECONDS", 0.0)
    write_status(run, TrainingStatus("running", LockOwner(1, "another-host", 0.0), REPORT))
    task = follow_run(run.path)
    report = next(task)
    assert "No word from another-host" in report.message
    assert report.loss == REPORT.loss
    task.close()


def test_a_background_training_says_what_is_wrong(tmp_path):
    config = config_for(tmp_path)
    launch = launch_in_background(config.model_copy(update={"particles": tmp_path / "no.star"}))
    assert launch.owner.pid
    reports, ending = ended(config.outdir)
    assert ending.state == "failed"
    assert "no.star" in ending.text
    assert reports[0].message == "Starting …"
    make_ready(RunFolder(config.outdir))  # it is free for another try


def test_a_second_training_is_not_started_beside_the_first(run):
    launch = Launch("background", 1.5, LockOwner.this_process())
    write_launch(run, launch)
    assert read_launch(run) == launch
    with pytest.raises(InputError, match="already"):
        make_ready(run)
