"""A few faults in real commands, and that what they may not do would be noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.io.mrc import write_volume
from napari_cryodrgn.io.pickles import Latents, write_latents
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import LatentPoint, WindowState, write_session

from .remains import lost, unkept_words, unreadable

SCRIPT = Path(__file__).parents[2] / "scripts" / "inject_faults.py"


@pytest.mark.skipif(os.name == "nt", reason="signals and forks are a Unix system's")
@pytest.mark.timeout(600)
def test_faults_in_commands_lose_nothing() -> None:
    words = ["--injections", "8", "--only", "decode"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "faults struck" in done.stdout
    assert "0 with something wrong" in done.stdout


def latents(n: int) -> Latents:
    return Latents(np.full((n, 2), 0.5, np.float32), np.zeros((n, 2), np.float32))


def test_changed_and_missing_files_are_noticed(tmp_path: Path) -> None:
    for name in ("sound", "work"):
        (tmp_path / name).mkdir()
        for file in ("same", "changed", "missing", "config.yaml", "run.log"):
            (tmp_path / name / file).write_text("first\n")
    sound, work = tmp_path / "sound", tmp_path / "work"
    assert lost(sound, work, "decode", "") == []
    (work / "changed").write_text("other")
    (work / "missing").unlink()
    (work / "config.yaml").write_text("renewed")
    (work / "run.log").write_text("second\n")
    found = lost(sound, work, "resume", "missing")
    assert sorted(found) == ["changed: changed", "not only added to: run.log"]
    assert len(lost(sound, work, "decode", "")) == 4


def test_files_that_cannot_be_read_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = RunFolder(tmp_path / "run")
    write_volume(tmp_path / "vol.mrc", np.ones((4, 4, 4), np.float32), 1.0)
    assert unreadable(tmp_path, "") == []
    write_latents(run.latents(1), latents(3))
    assert unreadable(tmp_path, "") == ["run: epochs without config.yaml"]
    for path in (run.latents(1), tmp_path / "vol.mrc"):
        os.truncate(path, path.stat().st_size // 3)
    assert len(unreadable(tmp_path, "")) == 3


def test_what_was_said_to_be_saved_must_be_there(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.own.mkdir(parents=True)
    said = "Epoch 1 of 4 is done 25%, loss 0.5\n"
    assert "epoch 1" in unkept_words(tmp_path, said, "run")[0]
    write_session(run.session, WindowState(state=LatentPoint(row=7)))
    assert unkept_words(tmp_path, "saved 6\nsaved 7\n", None) == []
    assert unkept_words(tmp_path, "saved 6\n", None) == []
    assert "8 was said" in unkept_words(tmp_path, "saved 8\n", None)[0]
