"""``backproject``: files, runs, latent points, and everything that can be wrong with them."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.cli import main
from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume, write_stack
from napari_cryodrgn.io.pickles import Latents, write_array, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.reconstruction.accumulate import BackprojectionProgress
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.backproject import BackprojectOptions, backproject
from napari_cryodrgn.workflows.backproject_at import kept_spectra, map_at
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.simulate import simulate

FILES = {
    "backproject.json",
    "backproject.mrc",
    "fsc-plot.png",
    "fsc-vals.txt",
    "half_map_a.mrc",
    "half_map_b.mrc",
}


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated set of two classes, with CTF, shifts and some noise."""
    folder = tmp_path_factory.mktemp("set") / "particles"
    config = SimulationConfig(
        n_particles=240, box=24, kind="composition", populations=(0.5, 0.5), snr=2.0, seed=4
    )
    run_to_end(simulate(folder, config))
    return folder


@pytest.fixture
def run(particles: Path, tmp_path: Path) -> OpenRun:
    """A run on the set, whose latents are the true classes."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    write_run_config(
        folder.config,
        RunConfig(
            box=24,
            model=ModelConfig(zdim=2),
            norm=(0.0, 1.0),
            particles=str(particles / "particles.star"),
            poses=str(particles / "poses.pkl"),
            ctf=str(particles / "ctf.pkl"),
        ),
    )
    mu = np.random.default_rng(0).normal(0, 0.1, (240, 2)).astype(np.float32)
    mu[:, 0] += 3 * (_classes(particles) == 2)
    write_latents(folder.latents(1), Latents(mu, np.full_like(mu, -4)))
    return open_run(folder.path)


def _classes(particles: Path) -> np.ndarray:
    lines = (particles / "truth.csv").read_text().splitlines()
    column = lines[0].split(",").index("class")
    return np.array([int(line.split(",")[column]) for line in lines[1:]])


def _truth(particles: Path, number: int) -> np.ndarray:
    return read_volume(particles / "states" / f"vol_{number:03d}.mrc").data


def test_files_are_whole_and_the_map_is_the_true_one(
    particles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "maps"
    main_without_exit(["backproject", str(particles / "particles.star"), "-o", str(out)])
    assert {path.name for path in out.iterdir()} == FILES
    made = read_volume(out / "backproject.mrc")
    mean = (_truth(particles, 1) + _truth(particles, 2)) / 2
    assert fourier_shell_correlation(made.data, mean).values[:6].min() > 0.9
    stated = read_volume(particles / "states" / "vol_001.mrc").pixel_size
    np.testing.assert_allclose(made.pixel_size, stated, rtol=1e-5)
    table = np.loadtxt(out / "fsc-vals.txt", skiprows=1)
    assert table.shape == (13, 6)
    assert table[0].tolist() == [0, 1, 1, 1, 1, 1]
    halves = [read_volume(out / f"half_map_{name}.mrc").data for name in "ab"]
    np.testing.assert_allclose(table[1:, 1], fourier_shell_correlation(*halves).values, atol=1e-5)
    record = json.loads((out / "backproject.json").read_text())
    assert record["particles used"] == 240
    said = capsys.readouterr().err
    for word in ("240 particles", "unmasked", "masked", "corrected", "at 0.143", "at 0.5"):
        assert word in said


def test_pickles_indices_and_the_first_ones(particles: Path, tmp_path: Path) -> None:
    """The same particles by a stack with pickles as by the table, in any way of choosing."""
    write_array(tmp_path / "ind.pkl", np.arange(60))
    stack, poses, ctf = (particles / f for f in ("particles.mrcs", "poses.pkl", "ctf.pkl"))
    given = {"poses": poses, "ctf": ctf}
    options = BackprojectOptions(half_maps=False, fsc=False)
    chosen = run_to_end(
        backproject(stack, tmp_path / "a", **given, ind=tmp_path / "ind.pkl", options=options)
    )
    first = run_to_end(
        backproject(particles / "particles.star", tmp_path / "b", first=60, options=options)
    )
    assert first.maps.n_particles == 60
    np.testing.assert_allclose(first.maps.volume, chosen.maps.volume, atol=1e-4)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "backproject.json",
        "backproject.mrc",
    }


def test_a_selected_state_is_nearer_its_truth_than_the_map_of_all(
    run: OpenRun, particles: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        rows = np.flatnonzero(_classes(particles) == number)
        write_array(tmp_path / "ind.pkl", rows)
        words = ["backproject", str(run.folder.path), "--selection", str(tmp_path / "ind.pkl")]
        main_without_exit([*words, "-o", str(tmp_path / "maps")])
        main_without_exit(["backproject", str(run.folder.path), "-o", str(tmp_path / "all")])
        ours, everyone = (
            np.corrcoef(
                read_volume(tmp_path / name / "backproject.mrc").data.reshape(-1),
                _truth(particles, number).reshape(-1),
            )[0, 1]
            for name in ("maps", "all")
        )
        assert ours > everyone
        record = json.loads((tmp_path / "maps" / "backproject.json").read_text())
        assert record["particles used"] == len(rows)


def test_map_at_a_point_shows_the_state_there(
    run: OpenRun, particles: Path, tmp_path: Path
) -> None:
    spectra = kept_spectra(run)
    difference = _truth(particles, 2) - _truth(particles, 1)
    maps = []
    for z in ([0.0, 0.0], [3.0, 0.0]):
        made = run_to_end(map_at(run, z, spectra=spectra))
        assert made.pixel_size == pytest.approx(run.pixel_size)
        assert "nearest particles" in made.summary
        maps.append(made.kernel.volume)
    seen = maps[1] - maps[0]
    assert np.corrcoef(seen.reshape(-1), difference.reshape(-1))[0, 1] > 0.6
    out = tmp_path / "at"
    main_without_exit(
        ["backproject", str(run.folder.path), "--at-z", "3", "0", "-o", str(out), "--epoch", "1"]
    )
    assert {path.name for path in out.iterdir()} == FILES
    written = read_volume(out / "backproject.mrc").data
    np.testing.assert_allclose(written, maps[1], atol=0.02 * maps[1].max())
    assert json.loads((out / "backproject.json").read_text())["z"] == [3, 0]


def test_snapshots_come_while_it_runs(run: OpenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_cryodrgn.reconstruction.accumulate._FIRST_PICTURE", 0.0)
    monkeypatch.setattr("napari_cryodrgn.reconstruction.accumulate._CHUNK_PIXELS", 20 * 24**2)
    seen = [
        report.snapshot.shape
        for report in map_at(run, [0.0, 0.0])
        if isinstance(report, BackprojectionProgress) and report.snapshot is not None
    ]
    assert seen
    assert set(seen) == {(24, 24, 24)}


def test_nothing_is_left_of_a_stopped_one_or_on_a_full_disk(
    particles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "maps"
    task = backproject(particles / "particles.star", out)
    for report in task:
        if report.message == "Writing maps":
            break
    task.close()
    assert not out.exists()

    def full(*_: object) -> None:
        raise InputError("there is no space left on this disk; nothing was written")

    monkeypatch.setattr("napari_cryodrgn.workflows.backproject_files.write_text", full)
    with pytest.raises(InputError, match="no space left"):
        run_to_end(backproject(particles / "particles.star", out))
    assert not out.exists()


def test_older_maps_stay_when_new_ones_cannot_be_written(
    particles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "maps"
    run_to_end(backproject(particles / "particles.star", out, first=50))
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(path: Path, picture: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_cryodrgn.workflows.backproject_files.write_picture", full)
    with pytest.raises(InputError, match="no space left"):
        run_to_end(backproject(particles / "particles.star", out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("SET/particles.mrcs", "no poses"),
        ("SET/particles.star --first 1", "at least two particles"),
        ("SET/particles.star --ind EMPTY", "the selection is empty"),
        ("SET/particles.star --selection EMPTY", "this is for the folder of a run"),
        ("SET/particles.star --reg-weight -1", "must be a positive number"),
        ("SET/missing.star", "missing.star"),
        ("RUN --poses SET/poses.pkl", "this is for a particle file"),
        ("RUN --at-z 1", "has 2 finite numbers"),
        ("RUN --at-z 1 2 --selection EMPTY", "not both"),
        ("RUN --at-z 1 2 --reg-weight 1", "by the agreement of their half maps"),
        ("RUN --selection ONE", "at least two particles"),
        ("ODD --poses SET/poses.pkl", "even"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    words: str,
    said: str,
    run: OpenRun,
    particles: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_array(tmp_path / "empty.pkl", np.arange(0))
    write_array(tmp_path / "one.pkl", np.arange(1))
    (tmp_path / "odd.mrcs").write_bytes(_odd_stack(tmp_path))
    places = {
        "SET": str(particles),
        "RUN": str(run.folder.path),
        "EMPTY": str(tmp_path / "empty.pkl"),
        "ONE": str(tmp_path / "one.pkl"),
        "ODD": str(tmp_path / "odd.mrcs"),
    }
    for name, place in places.items():
        words = words.replace(name, place)
    out = tmp_path / "maps"
    with pytest.raises(SystemExit) as ended:
        main(["backproject", *words.split(), "-o", str(out)])
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_images_without_ctf_are_taken_with_a_word(
    particles: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = backproject(particles / "particles.star", tmp_path / "maps", first=4, ignore_ctf=True)
    run_to_end(task)
    assert "pure projections" in caplog.text


def test_a_run_whose_images_are_gone_says_so(run: OpenRun) -> None:
    bare = OpenRun(**(vars(run) | {"particles": None}))
    with pytest.raises(InputError, match="particle images of this run are needed"):
        run_to_end(map_at(bare, [0.0, 0.0]))


def _odd_stack(folder: Path) -> bytes:
    write_stack(folder / "odd-images.mrcs", np.ones((3, 15, 15), np.float32), 2.0)
    return (folder / "odd-images.mrcs").read_bytes()


def main_without_exit(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
