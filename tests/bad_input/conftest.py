"""A small particle set, a run trained on it, and what "refused" means."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile

from napari_cryodrgn import cli
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_array, write_ctf, write_poses
from napari_cryodrgn.particles import CTFParameters, Poses

from ..particle_tables import cs_columns, star_blocks, write_cs

N, BOX, PIXEL_SIZE = 24, 16, 3.0
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
TRAINING = [*NETWORK, "-n", "2", "--seed", "1", "--device", "cpu", "--threads", "1"]
ERROR = "napari-cryodrgn: error: "

Refused = Callable[..., str]


class Code:
    """Its pickle leaves a file named 'executed' where it is loaded without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


CODE = pickle.dumps(Code())


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing is wrong: particles in each format, and a run with analysis."""
    folder = tmp_path_factory.mktemp("sound")
    rng = np.random.default_rng(1)
    images = rng.normal(0, 1, (N, BOX, BOX)).astype(np.float32)
    images[: N // 2, 6:10, 6:10] += 2
    write_stack(folder / "particles.mrcs", images, PIXEL_SIZE)
    shifts = rng.uniform(-0.05, 0.05, (N, 2)).astype(np.float32)
    poses = Poses(random_rotations(N, rng), shifts)
    write_poses(folder / "poses.pkl", poses)
    defocus = rng.uniform(8000, 20000, N)
    rows = [[BOX, PIXEL_SIZE, d, d, 0, 300, 2.7, 0.1, 0] for d in defocus]
    write_ctf(folder / "ctf.pkl", CTFParameters(np.array(rows)))
    write_array(folder / "ind.pkl", np.arange(0, N, 2))
    starfile.write(star_blocks(poses, defocus, BOX, PIXEL_SIZE), folder / "particles.star")
    write_cs(folder / "particles.cs", cs_columns(N, BOX, PIXEL_SIZE))
    (folder / "particles.txt").write_text("particles.mrcs\n")
    run = str(folder / "run")
    inputs = [str(folder / "particles.mrcs"), "--poses", str(folder / "poses.pkl")]
    inputs += ["--ctf", str(folder / "ctf.pkl")]
    assert status(["train", *inputs, "-o", run, *TRAINING, "--no-analysis"]) == 0
    assert (
        status(["analyze", run, "--ksample", "3", "--pc", "1", "--skip-umap", "--device", "cpu"])
        == 0
    )
    write_array(folder / "run" / "analyze.2" / "umap.pkl", rng.normal(size=(N, 2)))
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to be damaged, which is the current folder."""
    copy = tmp_path / "here"
    shutil.copytree(sound, copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail with one clear line and change nothing.

    Returns the line; `fragments` must all be in it.
    """

    def run(words: list[str], *fragments: str, expected: int = 1) -> str:
        before = content(folder)
        capsys.readouterr()
        assert status(words) == expected
        written = capsys.readouterr().err
        assert content(folder) == before
        lines = written.splitlines()
        assert "Traceback" not in written
        errors = [line for line in lines if line.startswith(ERROR)]
        assert len(errors) == 1, written
        assert lines[-1] == errors[0], written
        for fragment in fragments:
            assert fragment in errors[0]
        return errors[0]

    return run


def status(words: list[str]) -> int:
    """Exit status of a command of the real command line."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    return int(stopped.value.code or 0)


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder with the digest of what is in it, and every folder."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in folder.rglob("*")
    }


@pytest.fixture
def run(folder: Path) -> Callable[[list[str]], int]:
    """Runs a command and gives its exit status."""
    return status
