"""How well a verdict on latent points, and the agreement of images with projections, tell junk.

    python scripts/benchmark_evidence.py RUN [TRUTH.csv]

Prints, for the latest epoch of the run: verdicts on held-out particles and on random points of the
bounding box outside the region of the particles, and the area under the ROC curve between them.
The region is that of a Gaussian mixture, which knows nothing of the measure that is judged. With
the truth of a simulated set, also how well the agreement of images tells particles from junk.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from napari_cryodrgn.latent.trust import TrustMeasure
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.particle_evidence import particle_scores

N_OUTSIDE = 2000
N_COMPONENTS = 8
HELD_OUT = 0.25


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("truth", type=Path, nargs="?")
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    judge_points(run)
    if arguments.truth is not None:
        judge_images(run, pd.read_csv(arguments.truth))


def judge_points(run: OpenRun) -> None:
    """Verdicts on held-out particles and on points where none are."""
    if run.latent is None:
        raise SystemExit("the run has no latents")
    mu, logvar = run.latent.mu, run.latent.logvar
    rng = np.random.default_rng(0)
    order = rng.permutation(len(mu))
    kept, held_out = np.split(order, [round(len(mu) * (1 - HELD_OUT))])
    measure = TrustMeasure(mu[kept], None if logvar is None else logvar[kept])
    outside = points_outside(mu, kept, rng)
    for name, points in (("held-out particles", mu[held_out]), ("outside", outside)):
        verdicts = Counter(measure.at(z).verdict for z in points)
        shares = ", ".join(f"{word} {count / len(points):.3f}" for word, count in verdicts.items())
        print(f"{name} ({len(points)}): {shares}")
    reach = np.concatenate([measure.reach(mu[held_out]), measure.reach(outside)])
    truth = np.repeat([0, 1], [len(held_out), len(outside)])
    print(f"ROC AUC: {roc_auc_score(truth, reach):.4f}")


def points_outside(mu: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform points of the bounding box beyond the 99 % region of a mixture, (n, zdim)."""
    there = mu[kept].astype(float)
    mixture = GaussianMixture(N_COMPONENTS, random_state=0).fit(there)
    edge = np.quantile(mixture.score_samples(there), 0.01)
    box = rng.uniform(mu.min(axis=0), mu.max(axis=0), (20 * N_OUTSIDE, mu.shape[1]))
    return np.asarray(box[mixture.score_samples(box) < edge][:N_OUTSIDE], dtype=np.float32)


def judge_images(run: OpenRun, truth: pd.DataFrame) -> None:
    """How well the agreement of images with projections tells particles from junk."""
    if run.latent is None:
        raise SystemExit("the run has no latents")
    scores = run_to_end(particle_scores(run))
    junk = truth["junk"].iloc[run.latent.rows.rows]
    good = junk.isna().to_numpy()
    print(f"agreement, median: particles {np.median(scores[good]):.3f}", end="")
    for kind in sorted(junk.dropna().unique()):
        print(f", {kind} {np.median(scores[(junk == kind).to_numpy()]):.3f}", end="")
    print()
    if not good.all():
        print(f"ROC AUC of particles against junk: {roc_auc_score(good, scores):.4f}")


if __name__ == "__main__":
    main()
