"""k-means: the clusters, representatives and order that cryoDRGN's analyze gives."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.clustering import kmeans_with_representatives


@pytest.mark.data
def test_clusters_of_a_published_run_are_those_of_its_analysis(data_folder: Path) -> None:
    run = data_folder / "cftr-cryodrgn-demo" / "train"
    with (run / "z.20.pkl").open("rb") as file:
        mu = pickle.load(file)
    folder = run / "analyze.20" / "kmeans20"
    with (folder / "labels.pkl").open("rb") as file:
        labels = pickle.load(file)

    found = kmeans_with_representatives(mu, 20)

    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.positions, np.loadtxt(folder / "centers_ind.txt"))
    np.testing.assert_allclose(found.centers, np.loadtxt(folder / "centers.txt"), atol=1e-7)
    assert found.labels.dtype == np.int64


def test_each_representative_is_a_member_and_nearest_to_its_cluster(
    rng: np.random.Generator,
) -> None:
    mu = rng.normal(size=(300, 3)).astype(np.float32)
    found = kmeans_with_representatives(mu, 7)
    assert sorted(set(found.labels)) == list(range(7))
    np.testing.assert_array_equal(mu[found.positions], found.centers)
    for cluster in range(7):
        mean = mu[found.labels == cluster].mean(axis=0)
        nearest = np.argmin(np.linalg.norm(mu - mean, axis=1))
        # Ten iterations need not converge; the representative is near the mean all the same.
        distance = np.linalg.norm(found.centers[cluster] - mean)
        assert distance <= np.linalg.norm(mu[nearest] - mean) + 0.5


def test_neighbouring_numbers_mean_similar_clusters() -> None:
    along = np.repeat([0.0, 10.0, 1.0, 11.0], 25)[:, None]
    mu = (along + np.linspace(0, 0.1, 100)[:, None]).astype(np.float32)
    ordered = kmeans_with_representatives(mu, 4).centers[:, 0]
    assert abs(ordered[0] - ordered[1]) < 2
    assert abs(ordered[2] - ordered[3]) < 2


@pytest.mark.parametrize("n_clusters", [0, 11])
def test_impossible_cluster_counts_are_named(n_clusters: int) -> None:
    mu = np.arange(20, dtype=np.float32).reshape(10, 2)
    with pytest.raises(InputError, match=f"--ksample = {n_clusters}"):
        kmeans_with_representatives(mu, n_clusters)


def test_fewer_distinct_points_than_clusters_is_an_error() -> None:
    with pytest.raises(InputError, match="distinct"):
        kmeans_with_representatives(np.ones((50, 2), np.float32), 5)


def test_one_cluster_holds_all() -> None:
    mu = np.arange(20, dtype=np.float32).reshape(10, 2)
    found = kmeans_with_representatives(mu, 1)
    assert (found.labels == 0).all()
    assert found.centers.shape == (1, 2)
