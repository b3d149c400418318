"""Two ribosome classes told apart by their latents, on public data.

With cryoDRGN 4.3.1 and the same options the AUC of the noisy set was 0.80, 0.82, 0.80, 0.70,
0.82, 0.80, 0.77, 0.78 with the seeds 0 to 7: what counts is the mean over seeds, not one value.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.io.pickles import (
    read_ctf,
    read_latents,
    read_poses,
    write_ctf,
    write_poses,
)
from napari_cryodrgn.particles import CTFParameters, Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.workflows.train import train

pytestmark = pytest.mark.data


def train_classes_d_and_e(
    data_folder: Path, folder: Path, kind: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Latents (N, 4) after 15 epochs, and labels (N,): 0 for class D, 1 for class E."""
    data = data_folder / "tomodrgn-10076-DE"
    stacks = [data / f"10076_class{name}_32_{kind}.mrcs" for name in "DE"]
    (folder / "particles.txt").write_text("".join(f"{stack.absolute()}\n" for stack in stacks))
    poses = [read_poses(data / f"pose_class{name}.pkl") for name in "DE"]
    rotations, shifts = (
        np.concatenate([getattr(part, name) for part in poses]) for name in ("rotations", "shifts")
    )
    write_poses(folder / "poses.pkl", Poses(rotations, shifts))
    tables = [read_ctf(data / f"ctf_class{name}.pkl").table for name in "DE"]
    write_ctf(folder / "ctf.pkl", CTFParameters(np.concatenate(tables)))
    config = TrainingConfig(
        particles=folder / "particles.txt",
        poses=folder / "poses.pkl",
        ctf=folder / "ctf.pkl" if kind == "sim" else None,
        outdir=folder / f"run-{seed}",
        zdim=4,
        enc_layers=2,
        enc_dim=128,
        dec_layers=2,
        dec_dim=128,
        num_epochs=15,
        batch_size=16,
        lr=5e-4,
        invert_data=False,
        seed=seed,
        checkpoint=15,
        device="cpu",
    )
    run = run_to_end(train(config))
    labels = np.repeat([0, 1], [len(part) for part in poses])
    return read_latents(run.latents()).mu, labels


def test_clean_classes_fall_into_two_clusters(data_folder: Path, tmp_path: Path) -> None:
    mu, labels = train_classes_d_and_e(data_folder, tmp_path, "clean", seed=0)
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(mu)
    assert adjusted_rand_score(labels, clusters) == 1.0


@pytest.mark.skipif(
    "NAPARI_CRYODRGN_FIGURES" not in os.environ,
    reason="takes minutes: set NAPARI_CRYODRGN_FIGURES",
)
@pytest.mark.timeout(1800)
def test_noisy_classes_are_separated_as_well_as_by_cryodrgn(
    data_folder: Path, tmp_path: Path
) -> None:
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    areas = []
    for seed in range(4):
        mu, labels = train_classes_d_and_e(data_folder, tmp_path, "sim", seed)
        scores = cross_val_score(
            LinearDiscriminantAnalysis(), mu, labels, cv=folds, scoring="roc_auc"
        )
        areas.append(float(scores.mean()))
    assert np.mean(areas) >= 0.79, areas
    assert max(areas) >= 0.82, areas
