"""How good a training of simulated particles is, at one of its epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.model.loaded import LoadedModel
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.recovery import compare_with_truth

# Particles of each true state whose own volumes are compared with it.
IMAGES = 6

# Particles that stand for a state of a motion: those at most so far from it, of a motion
# from 0 to 1.
NEAR = 0.05


@dataclass(frozen=True)
class TrainingQuality:
    """What an epoch has learnt.

    Parameters
    ----------
    maps : float
        Area under the Fourier shell correlation of decoded with true volumes, 0 to about 0.5;
        mean over the true states.
    motion : float or None
        See `recovery.Recovery`, as a positive number.
    classes : float or None
        See `recovery.Recovery`.
    images : float or None
        As `maps`, of the volumes at the latents of single particles: `IMAGES` of each state,
        spread evenly; None where it was not asked for.
    clusters : float or None
        Adjusted Rand index of the true classes and of k-means with as many clusters.
    """

    maps: float
    motion: float | None
    classes: float | None
    images: float | None = None
    clusters: float | None = None

    def reaches(self, other: TrainingQuality, slack: TrainingQuality | None = None) -> bool:
        """Whether every figure is at least the other's, less what `slack` allows.

        The clusters are left out: k-means finds them by shape, which is no merit of a training.
        """
        for name in FIGURES:
            wanted, found = getattr(other, name), getattr(self, name)
            less = 0.0 if slack is None else getattr(slack, name) or 0.0
            if wanted is not None and (found is None or found < wanted - less):
                return False
        return True

    def __str__(self) -> str:
        parts = [f"FSC-AUC {self.maps:.4f}"]
        if self.images is not None:
            parts[0] += f" (of images {self.images:.4f})"
        if self.motion is not None:
            parts.append(f"|Spearman| {self.motion:.4f}")
        if self.classes is not None:
            parts.append(f"classes {self.classes:.4f}")
        if self.clusters is not None:
            parts.append(f"ARI {self.clusters:.3f}")
        return ", ".join(parts)


FIGURES = ("maps", "images", "motion", "classes")
"""What decides whether one training is as good as another."""


def spread(qualities: Sequence[TrainingQuality]) -> tuple[TrainingQuality, TrainingQuality]:
    """Mean and standard deviation (of a sample; 0 of a single one) of each figure."""

    def of(statistic: Callable[[npt.NDArray[np.float64]], float]) -> TrainingQuality:
        figures = {}
        for field in fields(TrainingQuality):
            values = [getattr(quality, field.name) for quality in qualities]
            figures[field.name] = None if None in values else statistic(np.array(values))
        return TrainingQuality(**figures)  # type: ignore[arg-type]

    deviation = 1 if len(qualities) > 1 else 0
    return of(lambda values: float(np.mean(values))), of(
        lambda values: float(np.std(values, ddof=deviation))
    )


def training_quality(
    run: RunFolder, epoch: int, particles: Path, *, images: bool = True
) -> TrainingQuality:
    """Compare what an epoch decodes, and where it puts particles, with the truth.

    Parameters
    ----------
    run : RunFolder
        A run on all particles of a simulated set, ours or cryoDRGN's.
    epoch : int
    particles : Path
        Folder of the set, with ``truth.csv`` and ``states``.
    images : bool, optional
        Whether volumes at single particles are compared too, which takes most of the time.

    Returns
    -------
    TrainingQuality
        A state's volume is decoded at the particle nearest to the mean latent of the state's
        particles.
    """
    mu = read_latents(run.latents(epoch)).mu
    truth = pd.read_csv(particles / "truth.csv", keep_default_na=False)
    classes = pd.to_numeric(truth["class"]).to_numpy()  # empty, NaN, for most junk
    places = pd.to_numeric(truth["coordinate"]).to_numpy()
    good = (truth["junk"] == "").to_numpy()
    model = load_model(run, epoch)
    states = pd.read_csv(particles / "states" / "states.csv")
    areas, areas_of_images = [], []
    for file, number, place in zip(
        states["volume"], states["class"], states["coordinate"], strict=True
    ):
        mine = good & (classes == number)
        if np.isfinite(place):
            mine &= np.abs(places - place) <= NEAR
        if not mine.any():
            continue
        state = read_volume(particles / "states" / file).data
        centre = mu[mine].mean(axis=0)
        nearest = mu[np.argmin(np.square(mu - centre).sum(axis=1))]
        areas.append(_area(model, nearest, state))
        if images:
            rows = np.flatnonzero(mine)
            some = rows[np.linspace(0, len(rows) - 1, IMAGES).astype(int)]
            areas_of_images += [_area(model, mu[row], state) for row in some]
    recovery = compare_with_truth(mu, particles / "truth.csv")
    motion = None if recovery.motion is None else abs(recovery.motion)
    return TrainingQuality(
        float(np.mean(areas)),
        motion,
        recovery.classes,
        float(np.mean(areas_of_images)) if images else None,
        None if recovery.classes is None else _clusters(mu[good], classes[good]),
    )


def _area(model: LoadedModel, z: npt.NDArray[np.float32], state: npt.NDArray[np.float32]) -> float:
    """FSC-AUC of a true map with the one decoded at a latent point."""
    return fourier_shell_correlation(decode_volume(model, z), state).area()


def _clusters(z: npt.NDArray[np.float32], classes: npt.NDArray[np.float64]) -> float:
    n_classes = len(np.unique(classes))
    found = KMeans(n_classes, n_init=10, random_state=0).fit_predict(z)
    return float(adjusted_rand_score(classes, found))
