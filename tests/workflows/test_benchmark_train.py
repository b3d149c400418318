from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from napari_cryodrgn.commandline.benchmark import train_table
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.benchmark_train import (
    TrainingCase,
    TrainingTiming,
    _known,
    benchmark_train,
)
from napari_cryodrgn.workflows.known_quality import known_qualities, remember_quality
from napari_cryodrgn.workflows.simulate import simulate
from napari_cryodrgn.workflows.training_quality import TrainingQuality, spread

# Takes cryoDRGN's command, trains with this package, and shows the log of it.
STAND_IN = """#!{python}
import subprocess, sys
from pathlib import Path
options = sys.argv[2:]
words = [sys.executable, "-m", "napari_cryodrgn", "train", *options, "--device", "cpu"]
subprocess.run(words, check=True)
print((Path(options[-1]) / "run.log").read_text())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_programs_are_timed_and_compared_with_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cryodrgn = tmp_path / "cryodrgn"
    cryodrgn.write_text(STAND_IN.format(python=sys.executable))
    cryodrgn.chmod(0o755)
    run_to_end(simulate(tmp_path / "set", SimulationConfig(n_particles=60, box=16, kind="hinge")))
    case = TrainingCase(
        tmp_path / "set",
        width=16,
        layers=1,
        zdim=2,
        epochs=2,
        fast_epochs=0,
        threads=1,
        known=tmp_path / "known.json",
    )
    timings = run_to_end(benchmark_train(cryodrgn, tmp_path / "runs", case))
    assert [timing.program for timing in timings] == ["cryoDRGN", "cryodrgn"]
    names = [path.name.lower() for path in (tmp_path / "runs").iterdir()]
    assert len(set(names)) == len(names)  # also on a disk that ignores case
    for timing in timings:
        assert timing.epochs == 2
        assert 0 < 2 * timing.epoch < timing.wall
        assert timing.memory > 0
        assert timing.quality is not None
        assert 0 <= timing.quality.motion <= 1
    # The same training, so as good at its end at the latest.
    assert timings[1].quality == timings[0].quality
    assert timings[1].reached in (1, 2)
    with pytest.raises(InputError, match="there is a run already"):
        run_to_end(benchmark_train(cryodrgn, tmp_path / "runs", case))
    monkeypatch.setattr("napari_cryodrgn.workflows.benchmark_train.TIMED_EPOCHS", 1)
    again = replace(case, fast_epochs=1)
    known, plain, fast = run_to_end(benchmark_train(cryodrgn, tmp_path / "again", again))
    assert known.quality == timings[0].quality
    assert (plain.program, plain.quality, plain.reached) == ("cryodrgn", None, None)
    assert (fast.program, fast.epochs) == ("fast", 1)
    assert _known(case).keys() == {0}
    assert _known(replace(case, epochs=3)) == {}  # which come to something else


def test_results_are_kept_by_set_options_and_seed(tmp_path: Path) -> None:
    file, options = tmp_path / "known.json", {"epochs": 20, "lr": 1e-3}
    good, better = TrainingQuality(0.3, 0.8, None), TrainingQuality(0.4, None, 0.9, 0.3, 0.5)
    remember_quality(file, {"kind": "hinge"}, options, 1, good)
    remember_quality(file, {"kind": "both"}, options, 1, better)
    remember_quality(file, {"kind": "hinge"}, options, 0, better)
    assert known_qualities(file, {"kind": "hinge"}, options) == {0: better, 1: good}
    assert known_qualities(file, {"kind": "both"}, options) == {1: better}
    assert known_qualities(file, {"kind": "both"}, {"epochs": 10, "lr": 1e-3}) == {}


def test_a_damaged_file_of_results_is_named(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    file.write_text('[{"particles": 3}]')
    with pytest.raises(InputError, match=r"known\.json: 0\.particles"):
        known_qualities(file, {}, {})


def test_missing_program_or_set_is_said(tmp_path: Path) -> None:
    case = TrainingCase(tmp_path)
    with pytest.raises(InputError, match="no such program"):
        run_to_end(benchmark_train(tmp_path / "cryodrgn", tmp_path / "runs", case))
    (tmp_path / "cryodrgn").touch()
    with pytest.raises(InputError, match="no simulated set"):
        run_to_end(benchmark_train(tmp_path / "cryodrgn", tmp_path / "runs", case))


def test_quality_is_reached_in_every_figure_or_not_at_all() -> None:
    wanted = TrainingQuality(0.35, 0.9, None)
    assert TrainingQuality(0.35, 0.91, 0.2).reaches(wanted)
    assert not TrainingQuality(0.34, 0.95, None).reaches(wanted)
    assert not TrainingQuality(0.36, None, None).reaches(wanted)
    slack = TrainingQuality(0.02, 0.0, None)
    assert TrainingQuality(0.34, 0.95, None).reaches(wanted, slack)
    assert not TrainingQuality(0.34, 0.89, None).reaches(wanted, slack)


def test_spread_over_seeds() -> None:
    mean, deviation = spread([TrainingQuality(0.3, 0.8, None), TrainingQuality(0.4, 0.9, None)])
    assert (mean.maps, mean.motion, mean.classes) == (
        pytest.approx(0.35),
        pytest.approx(0.85),
        None,
    )
    assert deviation.maps == pytest.approx(0.05 * 2**0.5)
    assert spread([TrainingQuality(0.3, 0.8, None)])[1].maps == 0


def test_table_gives_ratios_to_cryodrgn_of_the_same_seed() -> None:
    quality = TrainingQuality(0.35, 0.9, None)
    theirs = TrainingTiming("cryoDRGN", 3, 100.0, 90.0, 10.0, 1.5, quality, None, 10)
    ours = TrainingTiming("fast", 3, 50.0, 45.0, 4.0, 0.5, quality, 5, 10)
    never = TrainingTiming("cryodrgn", 3, 50.0, 45.0, 5.0, 0.5, quality, None, 10)
    lines = train_table([theirs, ours, never])[2:]
    assert "epoch 5, 30 s | 3.3 |" in lines[1]
    assert "| 2.50 |" in lines[1]
    assert "not reached" in lines[2]
    # A bar within a cell would begin another one.
    assert {line.replace("\\|", "").count("|") for line in lines} == {14}
