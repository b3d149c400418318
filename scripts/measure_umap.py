"""Time UMAP of many particles by landmarks, and say how well neighbours are kept.

    python scripts/measure_umap.py time 1000000
    python scripts/measure_umap.py neighbours 100000

Latents: 8-D, eleven Gaussian clusters of unequal spread and a noisy ring, as of a set with
classes and a motion. CPU seconds are of this process and its children.
"""

from __future__ import annotations

import os
import resource
import sys
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors

from napari_cryodrgn.latent.embedding import fit_umap
from napari_cryodrgn.progress import run_to_end

K = (10, 100)
N_ASKED = 5000


def latents(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(11, 8)) * 2.5
    spread = rng.uniform(0.3, 1.0, size=(11, 1))
    which = rng.choice(11, size=n, p=np.arange(1, 12) / 66)
    mu = centres[which] + spread[which] * rng.normal(size=(n, 8))
    ring = rng.random(n) < 0.25
    angles = rng.uniform(0, 2 * np.pi, size=n)
    mu[ring] = 0.25 * rng.normal(size=(int(ring.sum()), 8))
    mu[ring, 0] += 5 * np.cos(angles[ring])
    mu[ring, 1] += 5 * np.sin(angles[ring])
    return mu.astype(np.float32)


def cpu_seconds() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(one) for one in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def timed(mu: np.ndarray, landmarks: int, seed: int | None = None) -> np.ndarray:
    wall, cpu = time.monotonic(), cpu_seconds()
    places = run_to_end(fit_umap(mu, landmarks=landmarks, seed=seed))
    route = f"{landmarks} landmarks" if landmarks else "all fitted"
    print(
        f"{len(mu)} particles, {route}: {time.monotonic() - wall:.0f} s wall, "
        f"{cpu_seconds() - cpu:.0f} CPU-s, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return places


def shared_neighbours(mu: np.ndarray, places: np.ndarray, k: int) -> float:
    """Share of each particle's k nearest in z that are among its k nearest in the plot."""
    asked = np.random.default_rng(1).choice(len(mu), min(N_ASKED, len(mu)), replace=False)
    found = []
    for points in (mu, places):
        fitted = NearestNeighbors(n_neighbors=k + 1).fit(points)
        found.append(fitted.kneighbors(points[asked], return_distance=False)[:, 1:])
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*found, strict=True)]))


def main() -> None:
    what, n = sys.argv[1], int(sys.argv[2])
    mu = latents(n)
    if what == "time":
        timed(mu, 20_000)
        return
    for landmarks in (0, 20_000):
        places = timed(mu, landmarks)
        kept = ", ".join(f"k = {k}: {shared_neighbours(mu, places, k):.3f}" for k in K)
        print(f"  neighbours kept: {kept}", flush=True)


if __name__ == "__main__":
    main()
