"""Epochs of a run compared: what did not change has settled, what did has not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from napari_cryodrgn.cli import main
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.convergence import convergence

from .conftest import MakeRun


def test_random_epochs_are_still_changing(make_run: MakeRun) -> None:
    found = run_to_end(convergence(make_run(epochs=(1, 2, 3)), n_maps=2, device="cpu"))
    assert found.verdict == "still changing"
    assert [(step.before, step.after) for step in found.movements] == [(1, 2), (2, 3)]
    assert len({change.position for change in found.maps}) == 2
    assert found.text.startswith("still changing: from epoch 2 to 3")


def test_the_same_epoch_twice_has_settled(make_run: MakeRun) -> None:
    run = make_run(epochs=(1, 2))
    shutil.copy(run.latents(1), run.latents(2))
    shutil.copy(run.weights(1), run.weights(2))
    found = run_to_end(convergence(run, device="cpu"))
    assert found.verdict == "settled"
    assert found.movements[-1].kept == 1
    assert all(change.at_half_nyquist == pytest.approx(1, abs=1e-4) for change in found.maps)


def test_without_weights_only_particles_are_compared(make_run: MakeRun) -> None:
    found = run_to_end(convergence(make_run(weights=False), device="cpu"))
    assert not found.maps
    assert len(found.movements) == 1


def test_one_epoch_is_not_enough(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(epochs=(1,))
    with pytest.raises(InputError, match="two epochs"):
        run_to_end(convergence(run))
    with pytest.raises(SystemExit) as stopped:
        main(["convergence", str(run.path)])
    assert stopped.value.code == 1
    assert "two epochs" in capsys.readouterr().err


def test_command(make_run: MakeRun, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["convergence", str(make_run().path), "--maps", "1", "--device", "cpu"])
    assert not stopped.value.code
    said = capsys.readouterr().out
    assert "1-2" in said
    assert "maps correlate" in said
