"""Say how well junk is told from particles in a run on a simulated set: ROC AUC, five seeds.

    python scripts/measure_junk.py RUN PARTICLES/truth.csv [EPOCH]

The run is one of ours or cryoDRGN's on all particles that `simulate` made. The few-click
classifier gets 20 good and 20 bad particles at random; a second column has two of each
marked wrongly. Examples are left out of the figure.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from napari_cryodrgn.latent.classifier import score_junk
from napari_cryodrgn.latent.classifier_features import classifier_features, outlier_columns
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.open_run import open_run

N_CLICKS, N_WRONG = 20, 2


def classifier_auc(features: np.ndarray, junk: np.ndarray, seed: int, wrong: int) -> float:
    rng = np.random.default_rng(seed)
    good = rng.choice(np.flatnonzero(~junk), N_CLICKS, replace=False)
    bad = rng.choice(np.flatnonzero(junk), N_CLICKS, replace=False)
    told_good = np.concatenate([good[wrong:], bad[:wrong]])
    told_bad = np.concatenate([bad[wrong:], good[:wrong]])
    scores = run_to_end(score_junk(features, told_good, told_bad)).scores
    rest = np.ones(len(junk), bool)
    rest[good] = rest[bad] = False
    return float(roc_auc_score(junk[rest], scores[rest]))


def main() -> None:
    epoch = int(sys.argv[3]) if sys.argv[3:] else None
    latent = open_run(sys.argv[1], epoch).latent
    if latent is None:
        sys.exit("the run has no latents")
    truth = pd.read_csv(sys.argv[2])
    junk = truth["junk"].notna().to_numpy()[latent.rows.rows]
    outliers = run_to_end(outlier_columns(latent))
    print(f"{len(latent)} particles, {junk.mean():.1%} junk, epoch {latent.epoch}")
    for name in outliers:
        sign = -1 if name == "gmm_likelihood" else 1
        print(f"{name:>16}  {roc_auc_score(junk, sign * outliers[name]):.4f}")
    features = classifier_features(latent, outliers)
    for wrong in (0, N_WRONG):
        found = [classifier_auc(features, junk, seed, wrong) for seed in range(5)]
        each = " ".join(f"{one:.4f}" for one in found)
        print(f"few clicks, {wrong} of {N_CLICKS} wrong: mean {np.mean(found):.4f}, seeds {each}")


if __name__ == "__main__":
    main()
