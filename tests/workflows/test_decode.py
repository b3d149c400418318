"""Decoding to files: equal to cryoDRGN's, in true units, whole or not at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents, write_indices
from napari_cryodrgn.io.run_config import read_run_config, write_run_config
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.decode import decode, z_of_particles
from napari_cryodrgn.workflows.z_values import read_z_values

MakeRun = Callable[..., RunFolder]
Z = np.array([[0.5, -1, 2], [0, 0, 0]], np.float32)


@pytest.mark.data
def test_volumes_are_those_of_cryodrgn(data_folder: Path, tmp_path: Path) -> None:
    run, oracle = tmp_path / "run", data_folder / "oracle-cryodrgn-4.3.1" / "het_weights_decode"
    run.mkdir()
    shutil.copy(data_folder / "cryodrgn-tests" / "het_config.yaml", run / "config.yaml")
    shutil.copy(data_folder / "cryodrgn-tests" / "het_weights.pkl", run / "weights.1.pkl")
    z = read_z_values(oracle / "z_values.txt")

    written = run_to_end(decode(run, None, z, tmp_path / "out", pixel_size=1.7))

    assert [path.name for path in written] == ["vol_001.mrc", "vol_002.mrc", "vol_003.mrc"]
    np.testing.assert_array_equal(read_z_values(tmp_path / "out" / "z_values.txt"), z)
    for path in written:
        ours, expected = read_volume(path), read_volume(oracle / path.name).data
        error = np.linalg.norm(ours.data - expected) / np.linalg.norm(expected)
        assert error <= 1e-5
        assert ours.pixel_size == pytest.approx((1.7, 1.7, 1.7))


@pytest.mark.parametrize(("box", "expected"), [(None, 2.5), (8, 5.0)])
def test_pixel_size_follows_from_the_ctf_table_and_the_box(
    make_run: MakeRun, tmp_path: Path, box: int | None, expected: float
) -> None:
    path = run_to_end(decode(make_run(), None, Z, tmp_path / "out", box=box))[0]
    volume = read_volume(path)
    assert volume.data.shape == ((box or 16),) * 3
    assert volume.pixel_size == pytest.approx((expected,) * 3)


def test_an_unknown_pixel_size_is_left_open_and_said(
    make_run: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(pixel_size=None)
    with caplog.at_level(logging.WARNING):
        path = run_to_end(decode(run, None, Z, tmp_path / "out"))[0]
    assert read_volume(path).pixel_size is None
    assert "--Apix" in caplog.text


def test_flip_and_invert(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    plain = read_volume(run_to_end(decode(run, 1, Z, tmp_path / "a"))[0]).data
    other = run_to_end(decode(run, 1, Z, tmp_path / "b", flip=True, invert=True))[0]
    np.testing.assert_array_equal(read_volume(other).data, -plain[::-1])


def test_epochs_differ_and_the_latest_is_the_default(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    volumes = [
        read_volume(run_to_end(decode(run, epoch, Z, tmp_path / str(epoch)))[0]).data
        for epoch in (None, 1, 2)
    ]
    np.testing.assert_array_equal(volumes[0], volumes[2])
    assert not np.allclose(volumes[1], volumes[2])


def test_names_begin_where_they_are_told_to(make_run: MakeRun, tmp_path: Path) -> None:
    written = run_to_end(
        decode(make_run(), None, Z, tmp_path / "out", start_index=0, prefix="state_")
    )
    assert [path.name for path in written] == ["state_000.mrc", "state_001.mrc"]


def test_a_single_volume_needs_no_latent_point(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(zdim=0)
    written = run_to_end(decode(run, None, None, tmp_path / "out"))
    assert [path.name for path in written] == ["vol_001.mrc"]
    with pytest.raises(InputError, match="no latent space"):
        run_to_end(decode(run, None, Z, tmp_path / "out"))


@pytest.mark.parametrize(
    ("z", "options", "message"),
    [
        (Z[:, :2], {}, "3 dimensions"),
        (None, {}, "-z: latent points of 3 numbers"),
        (np.full((1, 3), np.nan), {}, "not finite"),
        (Z, {"box": 15}, "-d = 15"),
        (Z, {"box": 18}, "-d = 18"),
        (Z, {"pixel_size": -1.0}, "--Apix = -1"),
        (Z, {"start_index": -1}, "--vol-start-index = -1"),
        (Z, {"prefix": "../vol_"}, "--prefix = ../vol_"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_written(
    make_run: MakeRun, tmp_path: Path, z: np.ndarray | None, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_to_end(decode(make_run(), None, z, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


def test_closing_leaves_whole_volumes_only(make_run: MakeRun, tmp_path: Path) -> None:
    task = decode(make_run(), None, np.zeros((50, 3), np.float32), tmp_path / "out")
    for _ in range(6):
        report = next(task)
    task.close()
    written = {path.name for path in (tmp_path / "out").iterdir()}
    volumes = written - {"z_values.txt", "decode.json"}
    assert len(written) == len(volumes) + 2
    assert 0 < len(volumes) <= report.done + 1 < 50
    for name in volumes:
        assert read_volume(tmp_path / "out" / name).data.shape == (16, 16, 16)


def test_a_second_run_makes_what_is_missing(
    make_run: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also a volume cut short, and points after those of the first run; nothing else again."""
    run, out = make_run(), tmp_path / "out"
    z = np.arange(15, dtype=np.float32).reshape(5, 3) / 10
    first = run_to_end(decode(run, None, z[:4], out))
    whole = [path.read_bytes() for path in first]
    times = [path.stat().st_mtime_ns for path in first]
    first[1].unlink()
    first[2].write_bytes(whole[2][:-100])
    caplog.set_level(logging.WARNING)

    paths = run_to_end(decode(run, None, z, out))

    assert "2 of 5 volumes are in" in caplog.text
    assert [path.name for path in paths] == [f"vol_{n:03d}.mrc" for n in range(1, 6)]
    data = [read_volume(path).data for path in paths]
    expected = [read_volume(path).data for path in run_to_end(decode(run, None, z, tmp_path / "b"))]
    np.testing.assert_allclose(data, expected, atol=1e-6)
    assert [paths[n].stat().st_mtime_ns for n in (0, 3)] == [times[0], times[3]]
    np.testing.assert_array_equal(read_z_values(out / "z_values.txt"), z)


@pytest.mark.parametrize(
    ("epoch", "options", "z", "message"),
    [
        (1, {}, Z, "another value of the weights"),
        (2, {"box": 8}, Z, "another value of -d"),
        (2, {"flip": True}, Z, "another value of --flip"),
        (2, {"pixel_size": 3.0}, Z, "another value of --Apix"),
        (2, {"start_index": 2}, Z, "another value of --vol-start-index"),
        (2, {}, Z + 1, "of other latent points"),
        (2, {}, Z[:1], "are of 2 latent points, not 1"),
    ],
)
def test_a_folder_of_other_volumes_is_refused_and_left_alone(
    make_run: MakeRun, tmp_path: Path, epoch: int, options: dict, z: np.ndarray, message: str
) -> None:
    run, out = make_run(), tmp_path / "out"
    run_to_end(decode(run, 2, Z, out))
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match=message):
        run_to_end(decode(run, epoch, z, out, **options))
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def with_indices(run: RunFolder, rows: list[int], path: Path) -> None:
    write_indices(path, ParticleRows(np.array(rows), 100))
    config = read_run_config(run.config)
    write_run_config(run.config, config.model_copy(update={"ind": str(path)}))


def test_particles_are_named_by_their_rows_in_the_source_table(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(n=4, pixel_size=None)
    with_indices(run, [70, 10, 30, 20], tmp_path / "ind.pkl")
    mu = read_latents(run.latents(2)).mu
    np.testing.assert_array_equal(z_of_particles(run, None, [20, 70]), mu[[3, 0]])
    with pytest.raises(InputError, match="--particles = 0"):
        z_of_particles(run, None, [0])


def test_rows_are_refused_where_the_indices_are_lost(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(n=4, pixel_size=None)
    with_indices(run, [70, 10, 30, 20], tmp_path / "ind.pkl")
    (tmp_path / "ind.pkl").unlink()
    with pytest.raises(InputError, match="trained on a subset"):
        z_of_particles(run, None, [2])
