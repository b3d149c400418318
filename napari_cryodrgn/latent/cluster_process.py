"""The process that clusters points, see `fit_process`.

Of very many particles a part is fitted and the rest is assigned: to the nearest mean, the
likeliest Gaussian, or, for HDBSCAN, to the cluster of the nearest fitted particle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from napari_cryodrgn.latent.fit_process import report_done, run_child

# Above these, fitting all would take minutes and gigabytes, and says no more.
MOST_FITTED = {"kmeans": 200_000, "gmm": 50_000, "hdbscan": 30_000}
_CHUNK = 50_000

Points = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def _fit(points: Points, settings: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    method, seed = settings["method"], settings["seed"]
    report_done(0.02)
    rng = np.random.default_rng(seed)
    sample = points
    if len(points) > MOST_FITTED[method]:
        sample = points[rng.choice(len(points), MOST_FITTED[method], replace=False)]
    if method == "hdbscan":
        labels = _hdbscan(points, sample, settings["min_cluster_size"])
    else:
        labels = _by_model(points, sample, method, settings["n_clusters"], seed)
    return {"labels": labels, "n_fitted": np.array([len(sample)])}


def _by_model(points: Points, sample: Points, method: str, k: int, seed: int) -> Labels:
    """Fit a model that can predict, and predict all."""
    if method == "kmeans":
        from sklearn.cluster import KMeans

        model = KMeans(k, random_state=seed, n_init=3)
    else:
        from sklearn.mixture import GaussianMixture

        # Regularised: fewer particles than dimensions in a cluster must not end the fit.
        spread = float(np.mean(np.var(sample, axis=0, dtype=np.float64)))
        model = GaussianMixture(
            k, random_state=seed, n_init=2, reg_covar=max(1e-3 * spread, 1e-12), max_iter=200
        )
    model.fit(sample)
    report_done(0.8)
    labels = np.empty(len(points), np.int64)
    for begin in range(0, len(points), _CHUNK):
        labels[begin : begin + _CHUNK] = model.predict(points[begin : begin + _CHUNK])
        report_done(0.8 + 0.2 * min(1.0, (begin + _CHUNK) / len(points)))
    return labels


def _hdbscan(points: Points, sample: Points, min_cluster_size: int) -> Labels:
    """Find dense groups in a sample; the rest belongs where the nearest fitted one does."""
    from sklearn.cluster import HDBSCAN

    # The same density in a sample is fewer particles.
    size = max(2, round(min_cluster_size * len(sample) / len(points)))
    labels = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(sample)
    if len(sample) == len(points):
        return np.asarray(labels, dtype=np.int64)
    report_done(0.8)
    tree = cKDTree(sample)
    assigned = np.empty(len(points), np.int64)
    for begin in range(0, len(points), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        assigned[part] = labels[tree.query(points[part], workers=-1)[1]]
        report_done(0.8 + 0.2 * min(1.0, (begin + _CHUNK) / len(points)))
    return assigned


if __name__ == "__main__":
    run_child(_fit)
