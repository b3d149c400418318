"""Analysis: cryoDRGN's layout, and what is there is kept as long as it belongs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import (
    Latents,
    load_pickle,
    read_array,
    read_latents,
    write_array,
    write_latents,
)
from napari_cryodrgn.latent import embedding
from napari_cryodrgn.latent.umap_process import UmapProcess
from napari_cryodrgn.progress import Stopwatch, run_to_end
from napari_cryodrgn.run import AnalysisFolder, RunFolder
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.decode import decode
from napari_cryodrgn.workflows.z_values import read_z_values

MakeRun = Callable[..., RunFolder]


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def analyse(run: RunFolder, **options: object) -> AnalysisFolder:
    settings = {"ksample": 4, "skip_umap": True, **options}
    return run_to_end(analyze(run, **settings))  # type: ignore[arg-type]


def test_layout_and_content(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    result = run_to_end(analyze(run, ksample=4, seed=1))

    assert result.path == run.path / "analyze.2"
    mu = read_latents(run.latents(2)).mu
    umap = load_pickle(result.umap)
    assert umap.shape == (40, 2)
    assert umap.dtype == np.float32
    kmeans = result.kmeans(4)
    labels = load_pickle(kmeans / "labels.pkl")
    assert labels.dtype == np.int64
    assert set(labels) == {0, 1, 2, 3}
    positions = np.loadtxt(kmeans / "centers_ind.txt").astype(int)
    np.testing.assert_array_equal(read_z_values(kmeans / "centers.txt"), mu[positions])
    np.testing.assert_array_equal(read_z_values(kmeans / "z_values.txt"), mu[positions])
    assert sorted(path.name for path in kmeans.glob("*.mrc")) == [
        f"vol_{number:03d}.mrc" for number in (1, 2, 3, 4)
    ]
    pca = PCA(3).fit(mu)
    along = pca.transform(read_z_values(result.pc(2) / "z_values.txt"))
    assert len(along) == 10
    np.testing.assert_allclose(along[:, [0, 2]], 0, atol=1e-5)
    ends = np.percentile(pca.transform(mu)[:, 1], (5, 95))
    np.testing.assert_allclose(along[[0, -1], 1], ends, atol=1e-5)
    # Volumes are those of the latent points beside them, with the true pixel size.
    for folder in (kmeans, result.pc(1), result.pc(2)):
        z = read_z_values(folder / "z_values.txt")
        again = run_to_end(decode(run, 2, z[-1:], tmp_path / f"again-{folder.name}"))[0]
        volume = read_volume(folder / f"vol_{len(z):03d}.mrc")
        np.testing.assert_array_equal(volume.data, read_volume(again).data)
        assert volume.pixel_size == pytest.approx((2.5,) * 3)
    # A seeded UMAP is repeated exactly, and a second analysis touches nothing.
    before = contents(run.path)
    run_to_end(analyze(run, ksample=4, seed=1))
    assert contents(run.path) == before


def test_damaged_pieces_are_made_again_and_the_others_kept(make_run: MakeRun) -> None:
    run = make_run()
    result = analyse(run)
    whole = contents(result.path)
    volume, labels = result.kmeans(4) / "vol_002.mrc", result.kmeans(4) / "labels.pkl"
    volume.write_bytes(volume.read_bytes()[:2000])
    labels.write_bytes(b"\x80\x04")
    (result.pc(1) / "vol_007.mrc").unlink()
    analyse(run)
    again = contents(result.path)
    assert {name: content for name, (_, content) in again.items()} == {
        name: content for name, (_, content) in whole.items()
    }
    changed = {name for name in whole if again[name][0] != whole[name][0]}
    assert {"kmeans4/vol_002.mrc", "kmeans4/labels.pkl", "pc1/vol_007.mrc"} <= changed
    assert "kmeans4/vol_001.mrc" not in changed
    assert "pc2/vol_001.mrc" not in changed


def test_new_weights_or_latents_make_everything_anew(make_run: MakeRun) -> None:
    run = make_run()
    result = analyse(run)
    first = read_volume(result.pc(1) / "vol_001.mrc").data
    shutil.copy(run.weights(1), run.weights(2))
    analyse(run)
    second = read_volume(result.pc(1) / "vol_001.mrc").data
    assert not np.allclose(first, second)
    write_latents(run.latents(2), Latents(read_latents(run.latents(1)).mu))
    analyse(run)
    assert not np.allclose(read_volume(result.pc(1) / "vol_001.mrc").data, second)
    mu = read_latents(run.latents(2)).mu
    positions = np.loadtxt(result.kmeans(4) / "centers_ind.txt").astype(int)
    np.testing.assert_array_equal(read_z_values(result.kmeans(4) / "z_values.txt"), mu[positions])


def test_stale_volumes_are_gone_before_new_ones_are_there(make_run: MakeRun) -> None:
    run = make_run()
    result = analyse(run)
    write_latents(run.latents(2), Latents(read_latents(run.latents(1)).mu))
    analyse(run, skip_vol=True)
    assert not list(result.path.rglob("*.mrc"))
    assert (result.pc(2) / "z_values.txt").is_file()


@pytest.mark.parametrize("options", [{"flip": True}, {"invert": True}, {"box": 8}])
def test_volumes_of_other_settings_are_not_taken_for_these(
    make_run: MakeRun, options: dict[str, object]
) -> None:
    run = make_run()
    plain = read_volume(analyse(run).pc(1) / "vol_003.mrc").data
    other = read_volume(analyse(run, **options).pc(1) / "vol_003.mrc")
    if "box" in options:
        assert other.data.shape == (8, 8, 8)
        assert other.pixel_size == pytest.approx((5.0,) * 3)
    else:
        expected = plain[::-1] if "flip" in options else -plain
        np.testing.assert_array_equal(other.data, expected)


def test_cryodrgns_own_results_are_kept(make_run: MakeRun) -> None:
    run = make_run()
    result = analyse(run)
    write_array(result.umap, np.arange(80, dtype=np.float32).reshape(40, 2))
    shutil.rmtree(run.own)  # what cryoDRGN leaves knows nothing of our record
    before = contents(result.path)
    run_to_end(analyze(run, ksample=4))
    assert contents(result.path) == before


@pytest.mark.parametrize("left", ["other set", "damaged", "other latents", "cryodrgn"])
def test_only_a_umap_of_these_latents_is_kept(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """The fit itself is stood in for: it takes long, and other tests run it."""
    new = np.ones((40, 2), np.float32)
    run = make_run()

    class Finished(UmapProcess):
        def __init__(self, *_args: object, **_settings: object) -> None:
            self.watch = Stopwatch(1.0)

        def finished(self) -> bool:
            return True

        def result(self) -> np.ndarray:
            return new

        def close(self) -> None:
            pass

    monkeypatch.setattr(embedding, "UmapProcess", Finished)
    result = run_to_end(analyze(run, ksample=4, skip_vol=True))
    np.testing.assert_array_equal(read_array(result.umap), new)
    if left == "other latents":
        write_latents(run.latents(2), Latents(read_latents(run.latents(1)).mu + 1))
    if left == "damaged":
        result.umap.write_bytes(result.umap.read_bytes()[:-50])
    if left == "other set":
        write_array(result.umap, np.zeros((41, 2), np.float32))
    if left == "cryodrgn":
        shutil.rmtree(run.own)
    new *= 2
    run_to_end(analyze(run, ksample=4, skip_vol=True))
    assert read_array(result.umap)[0, 0] == (1 if left == "cryodrgn" else 2)


@pytest.mark.parametrize("zdim", [1, 2])
def test_few_latent_dimensions_need_no_umap(make_run: MakeRun, zdim: int) -> None:
    result = run_to_end(analyze(make_run(zdim=zdim), ksample=3))
    assert not result.umap.exists()
    assert result.pc_numbers() == list(range(1, zdim + 1))


def test_closing_at_any_moment_leaves_whole_files_and_the_rest_follows(
    make_run: MakeRun,
) -> None:
    run = make_run()
    for reports in (1, 4, 9):
        task = analyze(run, ksample=4)
        for _ in range(reports):
            next(task)
        task.close()
        for path in run.path.rglob("*.mrc"):
            assert read_volume(path).data.shape == (16, 16, 16)
        assert not list(run.path.rglob("*.part"))
    result = analyse(run)
    assert len(list(result.path.rglob("*.mrc"))) == 24


def test_earlier_epochs_can_be_analysed(make_run: MakeRun) -> None:
    assert analyse(make_run(), epoch=1).path.name == "analyze.1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ksample": 41}, "--ksample = 41: there are only 40 particles"),
        ({"ksample": 0}, "--ksample = 0"),
        ({"epoch": 7}, r"epoch = 7: the run has no latents of this epoch \(it has 1, 2\)"),
        ({"n_pcs": -1}, "--pc = -1"),
        ({"box": 7}, "-d = 7"),
    ],
)
def test_what_cannot_be_done_is_named_and_nothing_written(
    make_run: MakeRun, options: dict[str, object], message: str
) -> None:
    run = make_run()
    before = contents(run.path)
    with pytest.raises(InputError, match=message):
        analyse(run, **options)
    assert contents(run.path) == before


def test_without_weights_there_are_no_volumes(make_run: MakeRun) -> None:
    run = make_run(weights=False)
    with pytest.raises(InputError, match="--skip-vol"):
        analyse(run)
    assert analyse(run, skip_vol=True).kmeans_counts() == [4]


def test_a_single_volume_has_nothing_to_analyse(make_run: MakeRun) -> None:
    with pytest.raises(InputError, match="no latents of any epoch"):
        analyse(make_run(zdim=0))
