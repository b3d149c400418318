"""How good a training of simulated particles is, at one of its epochs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.model.loaded import LoadedModel
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.recovery import compare_with_truth

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
    """

    maps: float
    motion: float | None
    classes: float | None

    def reaches(self, other: TrainingQuality, slack: TrainingQuality | None = None) -> bool:
        """Whether every figure is at least the other's, less what `slack` allows."""
        for name in ("maps", "motion", "classes"):
            wanted, found = getattr(other, name), getattr(self, name)
            less = 0.0 if slack is None else getattr(slack, name) or 0.0
            if wanted is not None and (found is None or found < wanted - less):
                return False
        return True

    def __str__(self) -> str:
        parts = [f"FSC-AUC {self.maps:.4f}"]
        if self.motion is not None:
            parts.append(f"|Spearman| {self.motion:.4f}")
        if self.classes is not None:
            parts.append(f"classes {self.classes:.4f}")
        return ", ".join(parts)


def training_quality(run: RunFolder, epoch: int, particles: Path) -> TrainingQuality:
    """Compare what an epoch decodes, and where it puts particles, with the truth.

    Parameters
    ----------
    run : RunFolder
        A run on all particles of a simulated set, ours or cryoDRGN's.
    epoch : int
    particles : Path
        Folder of the set, with ``truth.csv`` and ``states``.

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
    areas = []
    for file, number, place in zip(
        states["volume"], states["class"], states["coordinate"], strict=True
    ):
        mine = good & (classes == number)
        if np.isfinite(place):
            mine &= np.abs(places - place) <= NEAR
        if mine.any():
            areas.append(_area(model, mu, mine, particles / "states" / file))
    recovery = compare_with_truth(mu, particles / "truth.csv")
    motion = None if recovery.motion is None else abs(recovery.motion)
    return TrainingQuality(float(np.mean(areas)), motion, recovery.classes)


def _area(
    model: LoadedModel, mu: npt.NDArray[np.float32], mine: npt.NDArray[np.bool_], truth: Path
) -> float:
    """FSC-AUC of a true map with the one decoded where its particles are."""
    centre = mu[mine].mean(axis=0)
    nearest = mu[np.argmin(np.square(mu - centre).sum(axis=1))]
    decoded = decode_volume(model, nearest)
    return fourier_shell_correlation(decoded, read_volume(truth).data).area()
