"""traverse, movie and compare: from a run to files."""

from __future__ import annotations

from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from typer.testing import CliRunner

from napari_cryodrgn.cli import app
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export import movie as movie_files
from napari_cryodrgn.io.mrc import read_volume, write_volume
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.compare import compare_files, compare_volumes
from napari_cryodrgn.workflows.movie import make_movie
from napari_cryodrgn.workflows.movie_recipe import make_recipe, read_recipe
from napari_cryodrgn.workflows.traverse import TraverseSettings, traverse


def zdim_of(run: object) -> int:
    from napari_cryodrgn.io.run_config import read_run_config

    return read_run_config(run.config).model.zdim


def points(run: object) -> np.ndarray:
    return np.linspace(-1, 1, 3)[:, None] * np.ones(zdim_of(run), np.float32)


def test_a_recipe_makes_the_same_movie_again(make_run: object, tmp_path: Path) -> None:
    run = make_run()
    wanted = make_recipe(run.path, points(run), size=(64, 64), play="ping-pong", orbit=40.0)
    made = run_to_end(make_movie(wanted, tmp_path / "a.gif", recipe_file=tmp_path / "a.json"))
    again = read_recipe(made.recipe)
    run_to_end(make_movie(again, tmp_path / "b.gif"))
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    frames = imageio.mimread(tmp_path / "a.gif")
    assert len(frames) == 4
    assert frames[0].shape[:2] == (64, 64)
    assert again.level is not None
    assert again.weights


def test_volumes_carry_true_pixels_and_scripts_name_them(make_run: object, tmp_path: Path) -> None:
    run = make_run()
    wanted = make_recipe(run.path, points(run), size=(64, 64), pixel_size=2.5)
    made = run_to_end(make_movie(wanted, volumes_folder=tmp_path / "v"))
    assert [path.name for path in made.volumes] == ["vol_001.mrc", "vol_002.mrc", "vol_003.mrc"]
    assert read_volume(made.volumes[0]).pixel_size == pytest.approx((2.5,) * 3)
    np.testing.assert_array_equal(np.loadtxt(made.scripts[0]), points(run))
    series, morph = (path.read_text() for path in made.scripts[1:])
    assert "open vol_001.mrc vol_002.mrc vol_003.mrc vseries true" in series
    assert "vseries play #1 loop true" in series
    assert " level " in series
    assert "volume morph #1-3" in morph


def test_a_stopped_movie_leaves_nothing(make_run: object, tmp_path: Path) -> None:
    run = make_run()
    out = tmp_path / "out"
    out.mkdir()
    wanted = make_recipe(run.path, points(run), size=(64, 64))
    task = make_movie(wanted, out / "a.gif", frames_folder=out / "f", recipe_file=out / "a.json")
    for report in task:
        if report.message == "Drawing the movie" and report.done == 1:
            break
    task.close()
    assert list(out.iterdir()) == []


def test_what_a_movie_cannot_be(
    make_run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    good = {"size": (64, 64)}
    for settings, name, words in (
        ({"size": (65, 64)}, "a.mp4", "even"),
        (good, "a.avi", "an .mp4 or a .gif"),
        (good, "missing/a.gif", "does not exist"),
        ({**good, "level": 1e9}, "a.gif", "values from"),
        ({**good, "colour": "blue"}, "a.gif", "colour"),
        ({"size": (10, 10)}, "a.gif", "px high"),
    ):
        with pytest.raises(InputError, match=words):
            wanted = make_recipe(run.path, points(run), **settings)
            run_to_end(make_movie(wanted, tmp_path / name))
    with pytest.raises(InputError, match="at least two states"):
        make_recipe(run.path, points(run)[:1])
    monkeypatch.setattr(movie_files, "movie_ending", lambda: ".gif")
    with pytest.raises(InputError, match="needs ffmpeg"):
        run_to_end(make_movie(make_recipe(run.path, points(run), **good), tmp_path / "a.mp4"))
    assert not list(tmp_path.glob("a.*"))


def test_volumes_compared(tmp_path: Path, rng: np.random.Generator) -> None:
    first = rng.normal(size=(16, 16, 16)).astype(np.float32)
    same = compare_volumes(first, first, 2.0)
    assert same.correlation == pytest.approx(1)
    assert same.rms == 0
    np.testing.assert_allclose(same.fsc.values, 1, atol=1e-5)
    write_volume(tmp_path / "a.mrc", first, 2.0)
    write_volume(tmp_path / "b.mrc", first + 1, 3.0)
    with pytest.raises(InputError, match="pixel size"):
        compare_files(tmp_path / "a.mrc", tmp_path / "b.mrc")


def test_bad_anchors_write_nothing(make_run: object, tmp_path: Path) -> None:
    run = make_run()
    for anchors, words in (((0,), "only one"), ((0, 0), "identical"), ((0, 10**6), "particles")):
        with pytest.raises(InputError, match=words):
            run_to_end(
                traverse(
                    run.latents(run.latent_epochs()[-1]),
                    None,
                    anchors,
                    TraverseSettings(),
                    out=tmp_path / "z.txt",
                )
            )
    assert not (tmp_path / "z.txt").exists()


@pytest.mark.data
def test_traversals_are_those_of_cryodrgn(data_folder: Path, tmp_path: Path) -> None:
    tests = data_folder / "cryodrgn-tests"
    words = ["traverse", str(tests / "zvals_het-2_1k.pkl"), "--anchors", "77", "--anchors", "333"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "z.txt")])
    assert done.exit_code == 0, done.output
    z = np.loadtxt(tmp_path / "z.txt")
    assert len(z) == 6
    np.testing.assert_allclose(z[0], [-2.08011341, -0.1485731], rtol=1e-6)
    np.testing.assert_allclose(z[-1], [-1.48644042, -0.12028652], rtol=1e-6)
    result = run_to_end(
        traverse(tests / "zvals_het-8_4k.pkl", None, (), TraverseSettings("pc", pc=3))
    )
    assert "Limits: -2.1756, 2.29041" in result.report
    from napari_cryodrgn.io.pickles import read_latents

    mu = read_latents(tests / "zvals_het-8_4k.pkl").mu
    counts = [int((np.linalg.norm(mu - point, axis=1) < 3).sum()) for point in result.z]
    assert counts == [1016, 1324, 1611, 1823, 1951, 1905, 1686, 1407, 1043, 673]
