"""Clusters: found where they are, cancelled at once, and changed by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import adjusted_rand_score

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent import cluster_process
from napari_cryodrgn.latent.cluster_settings import ClusterSettings, Method
from napari_cryodrgn.latent.clusters import (
    Clustering,
    cluster,
    free_name,
    representatives,
    start_clusters,
)
from napari_cryodrgn.progress import run_to_end

TRUTH = np.repeat([0, 1, 2, 3], [200, 150, 100, 150])


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0], [11, 0, 0]], np.float32)
    return (centres[TRUTH] + 0.5 * rng.normal(size=(600, 3))).astype(np.float32)


@pytest.mark.parametrize("method", ["gmm", "hdbscan"])
def test_clusters_that_stand_apart_are_found(method: Method, blobs: np.ndarray) -> None:
    settings = ClusterSettings(method, n_clusters=4, min_cluster_size=30)
    found = run_to_end(cluster(blobs, settings))
    inside = found.labels >= 0
    assert adjusted_rand_score(TRUTH[inside], found.labels[inside]) > 0.99
    assert inside.mean() > 0.6
    # The second and the fourth are the nearest two, and so have neighbouring numbers.
    numbers = [np.bincount(found.labels[(one == TRUTH) & inside]).argmax() for one in range(4)]
    assert abs(numbers[1] - numbers[3]) == 1
    chosen = representatives(blobs, found)
    assert_array_equal(found.labels[chosen], np.arange(4))
    assert found.column().categories.dtype.kind == "i"
    assert found.name == settings.name == ("gmm4" if method == "gmm" else "hdbscan")


@pytest.mark.parametrize("method", ["kmeans", "gmm", "hdbscan"])
def test_of_many_a_part_is_fitted_and_all_are_assigned(
    method: str, blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_process, "MOST_FITTED", dict.fromkeys(("kmeans", "gmm"), 300))
    monkeypatch.setitem(cluster_process.MOST_FITTED, "hdbscan", 300)
    settings = {"method": method, "n_clusters": 4, "min_cluster_size": 30, "seed": 0}
    found = cluster_process._fit(blobs, settings)
    assert found["n_fitted"][0] == 300
    inside = found["labels"] >= 0
    assert adjusted_rand_score(TRUTH[inside], found["labels"][inside]) > 0.99
    assert inside.mean() > 0.6


def test_closing_kills_the_fit(blobs: np.ndarray) -> None:
    task = cluster(np.repeat(blobs, 100, axis=0), ClusterSettings("gmm", n_clusters=50))
    next(task)
    began = time.monotonic()
    task.close()
    assert time.monotonic() - began < 2
    process = start_clusters(blobs, ClusterSettings("gmm"))
    process.close()
    assert process.finished()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ClusterSettings("gmm", n_clusters=601), "n_clusters = 601: there are only 600"),
        (ClusterSettings("hdbscan", min_cluster_size=700), "only 600 particles"),
    ],
)
def test_too_few_particles_are_said(
    settings: ClusterSettings, says: str, blobs: np.ndarray
) -> None:
    with pytest.raises(InputError, match=says):
        run_to_end(cluster(blobs, settings))
    with pytest.raises(InputError, match="fewer distinct points"):
        run_to_end(cluster(np.zeros((9, 2), np.float32), ClusterSettings("kmeans", n_clusters=2)))
    with pytest.raises(InputError, match="no place"):
        run_to_end(cluster(np.full((900, 2), np.nan, np.float32), ClusterSettings("kmeans", 2)))


@pytest.mark.parametrize(
    "wrong",
    [{"method": "ward"}, {"n_clusters": 0}, {"min_cluster_size": 1}, {"seed": -1}],
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        ClusterSettings(**wrong)


@pytest.fixture
def four() -> Clustering:
    labels = np.array([0, 1, 2, 3, 3, -1, 2])
    return Clustering("gmm4", labels, ("0", "1", "2", "3"), "Gaussian mixture")


def test_merging(four: Clustering) -> None:
    merged = four.merged([1, "3"], "gmm4_merged")
    assert_array_equal(merged.labels, [0, 1, 2, 1, 1, -1, 2])
    assert merged.names == ("0", "1", "2")
    assert_array_equal(merged.column(), [0, 1, 2, 1, 1, -1, 2])
    assert_array_equal(four.labels, [0, 1, 2, 3, 3, -1, 2])
    with pytest.raises(InputError, match="two clusters or more"):
        four.merged([1, 1], "x")
    with pytest.raises(InputError, match="no such cluster"):
        four.merged([1, 9], "x")


def test_splitting(four: Clustering) -> None:
    parts = Clustering("", np.array([0, 1]), ("0", "1"), "k-means")
    split = four.split(3, parts, "gmm4_split")
    assert_array_equal(split.labels, [0, 1, 2, 3, 4, -1, 2])
    assert split.names == ("0", "1", "2", "3", "4")
    again = four.renamed(3, "open", "x").split("open", parts, "y")
    assert again.names == ("0", "1", "2", "open.1", "open.2")
    with pytest.raises(InputError, match="2 labels for 1 particles"):
        four.split(0, parts, "x")


def test_renaming(four: Clustering) -> None:
    renamed = four.renamed(2, "open", "gmm4_named")
    assert list(renamed.column()) == ["0", "1", "open", "3", "3", "none", "open"]
    assert list(renamed.column().categories) == ["0", "1", "open", "3", "none"]
    assert_array_equal(renamed.mask("open"), four.mask(2))
    for wrong in ("", "1", "none"):
        with pytest.raises(InputError):
            four.renamed(2, wrong, "x")


def test_names_that_are_free() -> None:
    assert free_name("gmm8", ["z0"]) == "gmm8"
    assert free_name("gmm8", ["gmm8", "gmm8_2"]) == "gmm8_3"
