"""The command line on runs: analyze, decode and info call the workflows as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.cli import main
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.z_values import read_z_values, write_z_values

MakeRun = Callable[..., RunFolder]


def status_of(*words: object) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def test_decode_takes_points_of_every_kind(make_run: MakeRun, tmp_path: Path) -> None:
    run, out = make_run(), tmp_path / "out"
    points = np.array([[0.1, -0.2, 3], [-1, 0, 0.5]], np.float32)
    numbers = [f"{number:g}" for number in points.reshape(-1)]
    write_z_values(tmp_path / "z.txt", points)
    assert status_of("decode", run.path, "-z", *numbers, "-o", out) == 0
    np.testing.assert_allclose(read_z_values(out / "z_values.txt"), points)
    assert (
        status_of("decode", run.path, 2, "--zfile", tmp_path / "z.txt", "-o", tmp_path / "b") == 0
    )
    assert status_of("decode", run.path, 1, "--particles", 7, 3, "-o", tmp_path / "c") == 0
    mu = read_latents(run.latents(1)).mu
    np.testing.assert_array_equal(read_z_values(tmp_path / "c" / "z_values.txt"), mu[[7, 3]])
    first = read_volume(out / "vol_002.mrc").data
    np.testing.assert_array_equal(first, read_volume(tmp_path / "b" / "vol_002.mrc").data)


def test_decode_hands_its_options_on(make_run: MakeRun, tmp_path: Path) -> None:
    run, z = make_run(), np.array([[1, 2, 3]], np.float32)
    words = ["-z", 1, 2, 3, "-d", 8, "--Apix", 3.3, "--flip", "--invert"]
    words += ["--vol-start-index", 7, "--prefix", "state_", "--device", "cpu"]
    assert status_of("decode", run.path, 1, "-o", tmp_path / "a", *words) == 0
    volume = read_volume(tmp_path / "a" / "state_007.mrc")
    plain = read_volume(run_to_end(decode(run, 1, z, tmp_path / "b", box=8))[0]).data
    np.testing.assert_array_equal(volume.data, -plain[::-1])
    assert volume.pixel_size == pytest.approx((3.3,) * 3)


def test_decode_says_what_does_not_fit(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    assert status_of("decode", run.path, "-z", 1, -2, "-o", tmp_path / "a") == 1
    assert "-z = 1 -2: a latent point of this run has 3 numbers" in capsys.readouterr().err
    both = ("--zfile", "z.txt", "--particles", 1)
    assert status_of("decode", run.path, "-o", tmp_path / "a", *both) == 2
    assert "only one of" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_an_unknown_pixel_size_is_a_warning(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(pixel_size=None)
    assert status_of("decode", run.path, "-z", 1, 2, 3, "-o", tmp_path / "a") == 0
    assert "napari-cryodrgn: warning: " in capsys.readouterr().err
    assert read_volume(tmp_path / "a" / "vol_001.mrc").pixel_size is None


def test_analyze_and_info(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    words = ("--ksample", 3, "--pc", 1, "--skip-umap", "-d", 8, "--Apix", 4)
    assert status_of("analyze", run.path, 1, *words) == 0
    assert capsys.readouterr().out == f"{run.path / 'analyze.1'}\n"
    volume = read_volume(run.analysis(1).pc(1) / "vol_010.mrc")
    assert volume.data.shape == (8, 8, 8)
    assert volume.pixel_size == (4, 4, 4)
    assert status_of("info", run.path) == 0
    assert "k-means of 3, PC 1, 13 volumes" in capsys.readouterr().out
    run.weights(1).write_bytes(b"PK\x03\x04 and no more")
    assert status_of("info", run.path) == 1
    captured = capsys.readouterr()
    assert str(run.weights(1)) in captured.out
    assert captured.err.startswith(f"napari-cryodrgn: error: {run.path}: ")


def test_too_many_clusters_are_refused(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("analyze", make_run(n=6).path, "--ksample", 7) == 1
    assert "--ksample = 7: there are only 6 particles" in capsys.readouterr().err
