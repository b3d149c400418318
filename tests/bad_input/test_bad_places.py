"""Places that cannot be written to, disks without space, devices that are not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import napari_cryodrgn
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.info import inspect_path

NETWORK = [
    "--zdim",
    "2",
    "--enc-dim",
    "8",
    "--enc-layers",
    "1",
    "--dec-dim",
    "8",
    "--dec-layers",
    "1",
]
SETTINGS = [*NETWORK, "-n", "2", "--seed", "1", "--threads", "1", "--no-analysis"]
STACK = ["train", "particles.mrcs", "--poses", "poses.pkl", "--ctf", "ctf.pkl"]
TRAIN = [*STACK, *SETTINGS, "--device", "cpu"]
STAR = ["train", "particles.star", "--ind", "ind.pkl", *SETTINGS, "--device", "cpu"]
ANALYZE = ["analyze", "run", "--ksample", "4", "--pc", "1"]
DECODE = ["decode", "run", "-z", "0.1", "0.2", "0.3", "0.4"]
SIMULATE = ["simulate", "new/set", "-N", "12", "--box", "16", "--seed", "1"]
CPU = ["--device", "cpu"]
ERROR = "napari-cryodrgn: error: "

Refused = Callable[..., str]
Run = Callable[[list[str]], int]


@pytest.mark.parametrize(
    "words",
    [[*TRAIN[:-2], "-o", "new"], [*DECODE, "-o", "new"], ANALYZE],
    ids=["train", "decode", "analyze"],
)
def test_cuda_asked_for_and_absent(
    words: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused([*words, "--device", "cuda"], "--device = cuda", "not available", "finds only: cpu")


@pytest.mark.parametrize("words", [TRAIN, [*DECODE, *CPU]], ids=["train", "decode"])
@pytest.mark.parametrize("place", ["poses.pkl", "poses.pkl/below/new"])
def test_a_file_where_the_folder_should_be(words: list[str], place: str, refused: Refused) -> None:
    refused([*words, "-o", place], "poses.pkl")


@pytest.mark.parametrize("place", ["run", "poses.pkl", "poses.pkl/below"])
def test_simulation_into_a_place_in_use(place: str, refused: Refused) -> None:
    refused(["simulate", place, *SIMULATE[2:]], place.partition("/")[0])


def test_analysis_where_a_file_has_the_folders_name(folder: Path, refused: Refused) -> None:
    (folder / "run" / "analyze.1").write_text("")
    refused(["analyze", "run", "1", *ANALYZE[2:], *CPU], "analyze.1", "folder")


def test_poses_of_the_user_are_not_overwritten(folder: Path, refused: Refused) -> None:
    """A .star brings poses, which the run keeps in poses.pkl: here that name is taken."""
    refused([*STAR, "-o", "."], "poses.pkl", "overwritten")


def full_after(count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the disk full once `count` files are on it; the list tells how often it was asked."""
    real, asked = os.fsync, [0]

    def fsync(descriptor: int) -> None:
        asked[0] += 1
        if asked[0] > count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return asked


COMMANDS = {
    "train": [*TRAIN, "-o", "new/run"],
    "train star": [*STAR, "-o", "new/run"],
    "train on": [*TRAIN, "-o", "run", "--load", "latest", "-n", "3"],
    "analyze": [*ANALYZE, *CPU],
    "decode": [*DECODE, "-o", "new/volumes", *CPU],
    "simulate": SIMULATE,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_space_left_for_the_first_file(
    name: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_after(0, monkeypatch)
    refused(COMMANDS[name], "no space left")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_space_left_later(
    name: str,
    count: int,
    folder: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is there is whole, and the same command does the rest when there is space again."""
    with monkeypatch.context() as patched:
        asked = full_after(count, patched)
        done = run(COMMANDS[name])
    if done == 0 and asked[0] <= count:
        pytest.skip(f"it writes {asked[0]} files only")
    assert done == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(ERROR)
    assert "no space left" in last
    assert_nothing_half_written(folder)
    if name == "simulate":
        assert not (folder / "new").exists()
    words = COMMANDS[name]
    if name.startswith("train") and (folder / "new" / "run" / "config.yaml").exists():
        words = [*words, "--load", "latest"]
    assert run(words) == 0


def assert_nothing_half_written(folder: Path) -> None:
    assert not list(folder.rglob("*.part"))
    assert not list(folder.rglob("training.lock"))
    for run in (folder / "run", folder / "new" / "run"):
        if run.exists():
            RunFolder.existing(run)
            assert not inspect_path(run).faults


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 48 KiB, where this user may mount one."""
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("filled", [0, 16, 32, 40, 48])
@pytest.mark.parametrize(
    "words",
    [
        [*STAR, "--enc-dim", "64", "-o", "disk/new"],
        [*DECODE, "-d", "16", *CPU, "-o", "disk/new"],
        ["simulate", "disk/new", "-N", "60", "--box", "16"],
    ],
    ids=["train", "decode", "simulate"],
)
def test_a_disk_that_is_really_full(
    words: list[str],
    filled: int,
    small_disk: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if filled:
        (small_disk / "filled").write_bytes(bytes(filled * 1024))
    done = run(words)
    if done == 0 and not filled:
        pytest.skip("there was space enough")
    assert done == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(ERROR)
    assert "no space left" in last.lower()
    assert not list(small_disk.rglob("*.part"))
    new = small_disk / "new"
    if words[0] == "train" and new.exists():
        assert not inspect_path(new).faults
    elif words[0] == "simulate" or not list(small_disk.rglob("*.mrc")):
        assert not new.exists()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["train", "nowhere.star", "-o", "new"], 1),
        (["info", "poses.pkl"], 1),
        (["analyze", "run", "first"], 2),
    ],
)
def test_as_a_program(words: list[str], status: int, folder: Path) -> None:
    """One error, no traceback, from the program itself."""
    (folder / "poses.pkl").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-m", "napari_cryodrgn", *words]
    # The folder of the package, where it is not installed.
    search = {**os.environ, "PYTHONPATH": str(Path(napari_cryodrgn.__file__).parents[1])}
    done = subprocess.run(
        command, cwd=folder, env=search, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if status == 1:
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(ERROR)
    assert sorted(folder.rglob("*")) == before
