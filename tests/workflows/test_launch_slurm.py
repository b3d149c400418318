"""Training as a SLURM job, before commands that stand in for SLURM's."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from napari_cryodrgn.cli import main
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import LockOwner
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.workflows import launch_slurm
from napari_cryodrgn.workflows.follow import follow_run
from napari_cryodrgn.workflows.follow_status import TrainingStatus, stop_requested, write_status
from napari_cryodrgn.workflows.launch import under_way
from napari_cryodrgn.workflows.launch_options import SlurmOptions
from napari_cryodrgn.workflows.launch_record import Launch, read_launch, write_launch
from napari_cryodrgn.workflows.launch_slurm import launch_on_slurm, stop_training

COMMANDS = {
    "sbatch": 'cp "$1" "{0}/script"; echo "PENDING|Resources" > "{0}/state"; '
    "echo Submitted batch job 77",
    "squeue": 'if [ -e "{0}/state" ]; then cat "{0}/state"; '
    'else echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; fi',
    "scancel": 'echo "$1" > "{0}/cancelled"; rm -f "{0}/state"',
    "srun": "exit 0",
}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with SLURM's commands, which keep the state of the one job there is."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in COMMANDS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text.format(folder)}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(launch_slurm, "ASK_SECONDS", 0.0)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.own.mkdir(parents=True)
    write_launch(run, Launch("slurm", time.time() - 125, None, "77"))
    return run


def config_for(tmp_path: Path) -> TrainingConfig:
    return TrainingConfig(particles=tmp_path / "particles.star", outdir=tmp_path / "new", zdim=2)


def test_a_job_is_handed_over_with_what_it_needs(tmp_path, slurm):
    pytest.importorskip("submitit")
    options = SlurmOptions(partition="gpu", gpus=2, hours=1.5, memory=64)
    launch = launch_on_slurm(config_for(tmp_path), options)
    run = RunFolder(tmp_path / "new")
    assert (launch.kind, launch.job) == ("slurm", "77")
    assert read_launch(run) == launch
    script = (slurm / "script").read_text()
    for line in ("partition=gpu", "ntasks-per-node=2", "gpus-per-node=2", "time=90", "mem=64GB"):
        assert f"#SBATCH --{line}" in script
    assert under_way(run)
    with pytest.raises(InputError, match="already"):
        launch_on_slurm(config_for(tmp_path), options)


def test_a_job_that_waits_says_for_how_long_and_for_what(run, slurm):
    (slurm / "state").write_text("PENDING|Priority\n")
    task = follow_run(run.path)
    assert next(task).message == (
        "SLURM job 77 has been queued for 2 min 05 s and waits for jobs before it"
    )
    (slurm / "state").write_text("RUNNING|None\n")
    assert "has a computer" in next(task).message
    task.close()


def test_a_job_that_is_cancelled_in_the_queue_is_said_to_be_so(run, slurm):
    (slurm / "state").write_text("PENDING|Resources\n")
    task = follow_run(run.path)
    next(task)
    stop_training(run, "now")
    assert (slurm / "cancelled").read_text() == "77\n"
    with pytest.raises(StopIteration) as stop:
        while True:
            next(task)
    assert stop.value.value.state == "failed"
    assert "was cancelled" in stop.value.value.text
    assert not under_way(run)  # the folder is free again


def test_a_job_that_is_killed_while_it_trains_leaves_the_folder_free(run, slurm):
    elsewhere = LockOwner(12, "node7", 0.0)
    run.lock.write_text('{"pid": 12, "host": "node7", "started": 0.0}')
    write_status(run, TrainingStatus("running", elsewhere, TrainingProgress(1, 4, "Training")))
    (slurm / "state").write_text("RUNNING|None\n")
    task = follow_run(run.path)
    assert next(task).message == "Training"
    stop_training(run, "epoch")
    assert stop_requested(run) == "epoch"  # of one that trains, SLURM is not asked
    (slurm / "state").unlink()
    with pytest.raises(StopIteration) as stop:
        while True:
            next(task)
    assert stop.value.value.state == "died"
    assert not run.lock.exists()


def test_without_slurm_nothing_is_claimed(run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    task = follow_run(run.path)
    assert "cannot be asked from this computer" in next(task).message
    assert under_way(run)
    task.close()
    with pytest.raises(InputError, match="cannot be asked"):
        stop_training(run, "now")


def test_without_submitit_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match=r"napari-cryodrgn\[slurm\]"):
        launch_on_slurm(config_for(tmp_path), SlurmOptions())
    assert not (tmp_path / "new").exists()


def test_the_command_line_follows_and_stops(run, slurm, capsys):
    """The commands work on the folder alone."""
    (slurm / "state").write_text("PENDING|Resources\n")

    def said(name: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main([name, str(run.path)])
        return int(end.value.code or 0), capsys.readouterr().err

    assert said("stop")[0] == 0
    assert (slurm / "cancelled").exists()
    status, text = said("follow")
    assert status == 1
    assert "was cancelled" in text
    assert "no training is under way" in said("stop")[1]
