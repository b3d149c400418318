"""Selecting, clustering and embedding a run without a window."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from napari_cryodrgn.cli import app
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import (
    Latents,
    read_indices,
    write_array,
    write_indices,
    write_latents,
)
from napari_cryodrgn.latent.cluster_settings import ClusterSettings
from napari_cryodrgn.latent.clusters import Clustering
from napari_cryodrgn.latent.embedding import UmapSettings
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_files import write_run_selections
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows import embed as embed_workflow
from napari_cryodrgn.workflows.cluster import cluster_run, split_cluster
from napari_cryodrgn.workflows.cluster_files import read_clustering, save_clustering
from napari_cryodrgn.workflows.embed import embed_run, embedding_name
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.select import SelectionRequest, select

N = 240


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Latents and an analysis, as of a run whose particles are gone."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "run"
    (folder / "analyze.3" / "kmeans4").mkdir(parents=True)
    mu = rng.normal(size=(N, 3)).astype(np.float32)
    mu[:100] += 9
    write_latents(folder / "z.3.pkl", Latents(mu, np.zeros_like(mu)))
    write_array(folder / "analyze.3" / "umap.pkl", mu[:, :2])
    write_array(folder / "analyze.3" / "kmeans4" / "labels.pkl", np.arange(N) % 4)
    return folder


def chosen(run: Path, **request: object) -> np.ndarray:
    out = run.parent / "ind.pkl"
    select(run, None, out, SelectionRequest(**request))  # type: ignore[arg-type]
    return read_indices(out, N).rows


def test_what_is_asked_for_is_selected(run: Path, tmp_path: Path) -> None:
    mu = open_run(run).latent.mu  # type: ignore[union-attr]
    assert_array_equal(chosen(run, where="z0 > 4"), np.flatnonzero(mu[:, 0] > 4))
    assert_array_equal(chosen(run, cluster="kmeans4:1,3"), np.arange(1, N, 2))
    assert_array_equal(chosen(run, cluster="2"), np.arange(2, N, 4))
    both = chosen(run, where="kmeans == 1", cluster="1", axes="z0,z2")
    assert_array_equal(both, np.arange(1, N, 4))
    (tmp_path / "lasso.txt").write_text("# x, y\n4, 4\n20 4\n\n20 20\n4 20\n")
    inside = np.flatnonzero((mu[:, :2] >= 4).all(axis=1) & (mu[:, :2] < 20).all(axis=1))
    assert_array_equal(chosen(run, lasso=tmp_path / "lasso.txt"), inside)
    inside = np.flatnonzero((mu[:, ::2] >= 4).all(axis=1) & (mu[:, ::2] < 20).all(axis=1))
    assert_array_equal(chosen(run, lasso=tmp_path / "lasso.txt", axes="z0,z2"), inside)


def test_selections_of_the_run_and_of_files(run: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    book = SelectionBook()
    book.set_space(opened.latent)
    book.apply(np.arange(N) < 30, "replace", "lasso")
    book.keep("first 30")
    write_run_selections(opened.folder.selections, book.state)
    assert_array_equal(chosen(run, name="first 30"), np.arange(30))
    assert_array_equal(chosen(run, without="first 30"), np.arange(30, N))
    write_indices(tmp_path / "ten.pkl", ParticleRows(np.arange(25, 35), N))
    assert_array_equal(chosen(run, name=str(tmp_path / "ten.pkl")), np.arange(25, 35))
    both = chosen(run, name="first 30", without=str(tmp_path / "ten.pkl"))
    assert_array_equal(both, np.arange(25))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--where", "z9 > 1"], "there is no column 'z9', at letter 1"),
        (["--where", "z0 >"], "ends too early, at letter 5"),
        (["--where", "z0 > 99"], "no particle is selected"),
        (["--lasso", "{}/far.txt"], "no particle lies in this lasso"),
        (["--lasso", "{}/two.txt"], "3 vertices or more; here are 2"),
        (["--lasso", "{}/bad.txt"], "line 2 = 1 x: a vertex is two numbers"),
        (["--lasso", "{}/missing.txt"], "there is no such file"),
        (["--lasso", "{}/far.txt", "--axes", "tSNE"], "there is z, PCA, UMAP"),
        (["--lasso", "{}/far.txt", "--axes", "z0,row,z1"], "drawn in two columns"),
        (["--cluster", "kmeans4:9"], "no such label"),
        (["--cluster", "z0:9"], "has no labels"),
        (["--selection", "nobody"], "no selection of this name"),
        (["--selection", "{}/other.pkl"], "outside the table of 240 rows"),
        ([], "nothing says which particles"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    words: list[str], says: str, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "far.txt").write_text("90 90\n92 90\n92 92\n")
    (tmp_path / "two.txt").write_text("0 0\n9 9\n")
    (tmp_path / "bad.txt").write_text("0 0\n1 x\n")
    write_indices(tmp_path / "other.pkl", ParticleRows.every(N + 1))
    out = tmp_path / "out.pkl"
    command = ["select", str(run), "-o", str(out), *(one.format(tmp_path) for one in words)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert says in result.stderr
    assert not out.exists()


def test_the_command_says_how_many(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.json"
    result = CliRunner().invoke(app, ["select", str(run), "-o", str(out), "--where", "row < 24"])
    assert result.stdout == f"24 of 240 particles (10.0 %) in {out}\n"
    again = CliRunner().invoke(
        app, ["select", str(run), "-o", str(tmp_path / "ind.pkl"), "--invert", str(out)]
    )
    assert "216 of 240" in again.stdout


def test_an_epoch_that_is_passed_over_is_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    latest = RunFolder(run).latent_epochs()[-1]
    whole = RunFolder(run).latents(latest).read_bytes()
    RunFolder(run).latents(latest + 1).write_bytes(whole[: len(whole) // 3])
    chosen(run, where="z0>0")
    assert f"latest latents cannot be used: epoch {latest} is taken" in caplog.text


def test_clusters_are_kept_and_there_again(run: Path) -> None:
    result = CliRunner().invoke(app, ["cluster", str(run), "--method", "gmm", "-k", "2"])
    assert result.exit_code == 0, result.stderr
    assert sorted(result.stdout.splitlines()[1:]) == ["0\t100", "1\t140"] or sorted(
        result.stdout.splitlines()[1:]
    ) == ["0\t140", "1\t100"]
    opened = open_run(run)
    latent = opened.latent
    assert latent is not None
    assert not [one for one in opened.problems if "clustering" in one.what]
    clustering = read_clustering(opened.folder.clusterings / "gmm2.npz", latent.rows)
    assert_array_equal(latent.columns["gmm2"], clustering.column())
    big = int(np.argmax(clustering.counts))
    settings = ClusterSettings("kmeans", n_clusters=3)
    split = run_to_end(split_cluster(opened.folder, latent, clustering, big, settings))
    assert split.name == "gmm2_split"
    assert sorted(split.counts)[-1] == 100
    assert len(split.names) == 4
    again = open_run(run).latent
    assert again is not None
    assert {"gmm2", "gmm2_split"} <= set(again.columns.columns)
    with pytest.raises(InputError, match="of this name already"):
        run_to_end(cluster_run(opened.folder, again, settings, "gmm2"))


def test_saved_labels_follow_their_rows_and_damage_is_told(run: Path) -> None:
    folder = RunFolder(run)
    rows = ParticleRows(np.arange(N)[::-1], N)
    labels = Clustering("mine", np.arange(N) // 120, ("low", "high"), "by hand")
    save_clustering(folder, rows, labels)
    opened = open_run(run)
    assert opened.latent is not None
    assert list(opened.latent.columns["mine"][[0, N - 1]]) == ["high", "low"]
    save_clustering(folder, ParticleRows.every(N + 5), Clustering(
        "other", np.zeros(N + 5, int), ("0",), ""))  # fmt: skip
    (folder.clusterings / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    told = " ".join(str(one) for one in open_run(run).problems)
    assert "other.npz: it belongs to another particle table" in told
    assert "broken.npz: it is damaged" in told
    with pytest.raises(InputError, match="letters, digits"):
        save_clustering(folder, rows, Clustering("../up", labels.labels, ("0", "1"), ""))


def test_an_embedding_is_made_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fit(mu: np.ndarray, **settings: object):
        calls.append(settings)
        yield from ()
        return mu[:, :2] * 2

    monkeypatch.setattr(embed_workflow, "fit_umap", fit)
    folder = RunFolder(run)

    def made(settings: UmapSettings, **options: object) -> embed_workflow.Embedding:
        latent = open_run(run).latent
        assert latent is not None
        return run_to_end(embed_run(folder, latent, settings, **options))  # type: ignore[arg-type]

    mask = np.arange(N) < 100
    first = made(UmapSettings(n_neighbors=30), mask=mask, of="good")
    assert (first.name, first.new) == ("UMAP of good (k 30)", True)
    again = made(UmapSettings(n_neighbors=30), mask=mask, of="good")
    assert (again.name, again.new, len(calls)) == (first.name, False, 1)
    assert_array_equal(again.places, first.places)
    assert np.isnan(first.places[100:]).all()
    assert made(UmapSettings(n_neighbors=30)).new
    assert made(UmapSettings(n_neighbors=30, seed=1)).name == "UMAP (k 30 + seed 1)"
    latent = open_run(run).latent
    assert latent is not None
    assert set(latent.embeddings) >= {"PCA", "UMAP", first.name, "UMAP (k 30)"}
    assert_array_equal(latent.embeddings[first.name], first.places)
    shutil.copy(run / "z.3.pkl", run / "z.2.pkl")
    write_latents(run / "z.3.pkl", Latents(latent.mu + 1, None))
    assert made(UmapSettings(n_neighbors=30)).new
    with pytest.raises(InputError, match="of this name already"):
        made(UmapSettings(n_neighbors=31), name="UMAP")


def test_landmarks_are_in_the_name() -> None:
    assert embedding_name(UmapSettings(), 10**6) == "UMAP (20000 landmarks)"
    assert embedding_name(UmapSettings(), 1000) == "UMAP (new)"
