"""UMAP in a process of its own; of many particles, of landmarks with the rest placed by them.

umap-learn takes 10 s and more to import and cannot be interrupted; see `fit_process`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.fit_process import FitProcess, report, run_child
from napari_cryodrgn.latent.landmarks import choose_landmarks, placed_by_landmarks

# Shares of the whole time, roughly, by what is done: import and neighbours, then layout.
_SHARE_BEFORE_LAYOUT = 0.5
_SHARE_OF_LAYOUT = 0.8
_MILESTONES = {
    "started": 0.02,
    "imported": 0.2,
    "Finding Nearest": 0.25,
    "Construct embedding": _SHARE_BEFORE_LAYOUT,
}


class UmapProcess(FitProcess):
    """A UMAP being fitted.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    n_neighbors : int
        Size of the neighbourhoods.
    min_dist : float
        Least distance of points in the embedding.
    seed : int or None
        Random seed; None for the faster fit on all cores.
    metric : str
        Distance in z: "euclidean", "cosine", "manhattan", "correlation".
    landmarks : int or None
        Fit so many particles and place the rest by them; None fits all.
    """

    def __init__(
        self,
        mu: npt.NDArray[np.float32],
        *,
        n_neighbors: int,
        min_dist: float,
        seed: int | None,
        metric: str = "euclidean",
        landmarks: int | None = None,
    ) -> None:
        self._n = len(mu)
        settings = {
            "n_neighbors": n_neighbors,
            "min_dist": min_dist,
            "random_state": seed,
            "metric": metric,
            "landmarks": landmarks,
        }
        super().__init__("napari_cryodrgn.latent.umap_process", mu, settings, "UMAP")

    def fraction(self) -> float:
        """Share of the work finished, 0 to 1, as far as the process has reported."""
        return fraction_reported(self.said())

    def result(self) -> npt.NDArray[np.float32]:
        """The embedding, (N, 2), of a process that has finished.

        Raises
        ------
        RuntimeError
            Where umap-learn failed; the message is the end of what it said.
        """
        embedding = self.array("embedding").astype(np.float32)
        if embedding.shape != (self._n, 2) or not np.isfinite(embedding).all():
            raise RuntimeError(f"UMAP gave no usable embedding (shape {embedding.shape})")
        return embedding


def fraction_reported(log: str) -> float:
    """Share of a UMAP finished, 0 to 1, by what its process has written so far.

    Parameters
    ----------
    log : str
        Its standard output: milestones, ``epoch n/total`` lines, and ``placed n/total`` lines
        where landmarks place the rest.

    Returns
    -------
    float
    """
    by_landmarks = "landmarks" in log
    end_of_layout = _SHARE_OF_LAYOUT if by_landmarks else 1.0
    for line in reversed(log.splitlines()):
        kind, _, rest = line.strip().partition(" ")
        done, _, total = rest.partition("/")
        if not (kind in ("epoch", "placed") and done.isdigit() and total.isdigit()):
            continue
        begin, end = (
            (_SHARE_BEFORE_LAYOUT, end_of_layout) if kind == "epoch" else (end_of_layout, 1.0)
        )
        return begin + (end - begin) * int(done) / int(total)
    return max((share for text, share in _MILESTONES.items() if text in log), default=0.0)


def _fit(mu: npt.NDArray[np.float32], settings: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    landmarks = settings.pop("landmarks")
    if settings["random_state"] is not None:
        settings["n_jobs"] = 1
    report("started")
    import umap

    report("imported")
    bar = {"bar_format": "epoch {n_fmt}/{total_fmt}\n", "file": sys.stdout, "mininterval": 0.2}
    chosen = None
    if landmarks is not None:
        report("landmarks")
        chosen = choose_landmarks(len(mu), landmarks)
    fitted = mu if chosen is None else mu[chosen]
    if len(fitted) < 16:
        # The spectral start needs more eigenvectors than so few particles have.
        settings["init"] = "random"
    places = umap.UMAP(verbose=True, tqdm_kwds=bar, **settings).fit_transform(fitted)
    places = np.asarray(places, dtype=np.float32)
    if chosen is not None:
        places = placed_by_landmarks(mu, chosen, places, lambda n: report(f"placed {n}/{len(mu)}"))
    return {"embedding": places}


if __name__ == "__main__":
    run_child(_fit)
