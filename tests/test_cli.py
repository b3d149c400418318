"""The command line as a program: quick help, exit status, one line for an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn import __version__
from napari_cryodrgn.cli import app, main
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import write_poses
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.workflows.open_run import open_run

COMMANDS = sorted(
    str(command.name or command.callback.__name__) for command in app.registered_commands
)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "napari_cryodrgn", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200", **environment},
        check=False,
        timeout=120,
    )


def status_of(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


def test_it_runs_as_a_module() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"napari-cryodrgn {__version__}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [(), *[(command,) for command in COMMANDS]])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from napari_cryodrgn.cli import main\n"
        "try:\n"
        f"    main([*{words!r}, '--help'])\n"
        "except SystemExit as left:\n"
        "    heavy = {'torch', 'umap', 'numba', 'napari', 'sklearn', 'qtpy'}\n"
        "    print(left.code, sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_no_command_and_unknown_ones_are_wrong_usage() -> None:
    assert status_of() == 2
    assert status_of("fly") == 2
    assert status_of("decode", "run") == 2
    assert status_of("info", "a", "b") == 2


@pytest.mark.parametrize(
    "words",
    [
        ("info", "{folder}/nothing.star"),
        ("open", "{folder}/nothing"),
        ("analyze", "{folder}"),
        ("decode", "{folder}", "-o", "{folder}/out", "-z", "1"),
        ("train", "{folder}/nothing.star", "-o", "{folder}/run"),
        ("train", "{folder}/nothing.xyz", "-o", "{folder}/run"),
        ("simulate", "{folder}/sim", "--volume", "{folder}/nothing.mrc"),
    ],
)
def test_bad_input_is_one_line_status_1_and_nothing_written(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*(word.format(folder=tmp_path) for word in words)) == 1
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("napari-cryodrgn: error: ")]
    assert len(errors) == 1
    assert lines[-1] == errors[0]
    assert str(tmp_path) in errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_interrupted_training_leaves_a_whole_run_and_says_how_to_go_on(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    images = rng.normal(size=(40, 16, 16)).astype(np.float32)
    write_stack(tmp_path / "particles.mrcs", images, 3.0)
    poses = Poses(random_rotations(40, rng), np.zeros((40, 2), np.float32))
    write_poses(tmp_path / "poses.pkl", poses)
    files = [str(tmp_path / "particles.mrcs"), "--poses", str(tmp_path / "poses.pkl")]
    small = ["--zdim", "2", "--enc-dim", "8", "--dec-dim", "8", "--device", "cpu"]
    outdir = tmp_path / "run"
    words = ["train", *files, "-o", str(outdir), "-n", "100000", *small]
    training = subprocess.Popen(
        [sys.executable, "-m", "napari_cryodrgn", *words], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (outdir / "weights.3.pkl").is_file():
        assert time.monotonic() < deadline
        assert training.poll() is None
        time.sleep(0.05)
    training.send_signal(signal.SIGINT)
    _, said = training.communicate(timeout=60)
    assert training.returncode == 130
    assert f"The run folder {outdir} is whole" in said
    assert "--load latest" in said
    assert "Traceback" not in said
    assert open_run(outdir).epoch >= 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of other systems")
def test_open_without_a_display_says_so(tmp_path: Path) -> None:
    done = run("open", str(tmp_path), DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 1
    assert "there is no display" in done.stderr
    assert "Traceback" not in done.stderr
