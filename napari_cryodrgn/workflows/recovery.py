"""How well a latent space tells what is true of simulated particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

N_NEIGHBORS = 10


@dataclass(frozen=True)
class Recovery:
    """What a particle's neighbours in latent space tell about it.

    Parameters
    ----------
    motion : float or None
        Spearman rank correlation, -1 to 1, of the true place along the motion with the
        mean of the neighbours'; None where nothing moves.
    classes : float or None
        Share of the particles whose class is that of most neighbours; None where there is
        one class only.
    """

    motion: float | None
    classes: float | None

    def __str__(self) -> str:
        parts = []
        if self.motion is not None:
            parts.append(f"orders the motion with a rank correlation of {self.motion:.2f}")
        if self.classes is not None:
            parts.append(f"tells the compositions apart for {self.classes:.0%} of the particles")
        if not parts:
            return "The particles are all alike"
        return f"The latent space {' and '.join(parts)}"


def compare_with_truth(mu: npt.NDArray[np.float32], truth: Path) -> Recovery:
    """Compare a latent space with the truth of a simulated set.

    Each particle is judged by its 10 nearest neighbours among the other particles (5-fold),
    so that neither the number of latent dimensions nor their shape matters. Junk is left out.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates of all particles of the set, in its order.
    truth : Path
        Its ``truth.csv``.

    Returns
    -------
    Recovery
    """
    table = pd.read_csv(truth, keep_default_na=False, na_values={"coordinate": [""]})
    good = (table["junk"] == "").to_numpy()
    z, table = mu[good], table[good]
    motion = classes = None
    coordinates = table["coordinate"].to_numpy(np.float64)
    if np.isfinite(coordinates).all():
        found = cross_val_predict(KNeighborsRegressor(N_NEIGHBORS), z, coordinates, cv=5)
        motion = float(spearmanr(found, coordinates).statistic)
    if table["class"].nunique() > 1:
        labels = table["class"].astype(int).to_numpy()
        found = cross_val_predict(KNeighborsClassifier(N_NEIGHBORS), z, labels, cv=5)
        classes = float((found == labels).mean())
    return Recovery(motion, classes)
