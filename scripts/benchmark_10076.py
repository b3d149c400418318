"""Train on the labelled EMPIAR-10076 classes D and E, and score how well the latents tell them.

    .venv/bin/python scripts/benchmark_10076.py --seeds 5
    .venv/bin/python scripts/benchmark_10076.py --seeds 5 --upstream

The images are tomoDRGN's test set (``tomodrgn-10076-DE`` in the folder that
``NAPARI_CRYODRGN_TEST_DATA`` names): 576 projections of class D and 720 of class E, 32 px.
``--upstream`` trains cryoDRGN 4.3.1 (``scripts/setup_upstream.sh``) on the same files with the
same options instead. Both run as programs, so seconds include their start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import mrcfile
import numpy as np
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import read_ctf, read_latents, read_poses, write_ctf, write_poses
from napari_cryodrgn.particles import CTFParameters, Poses

ROOT = Path(__file__).resolve().parents[1]
PIXEL_SIZE = 13.1
OPTIONS = (
    *("--zdim", "4", "-n", "15", "-b", "16", "--lr", "5e-4"),
    *("--enc-dim", "128", "--enc-layers", "2", "--dec-dim", "128", "--dec-layers", "2"),
    *("--uninvert-data", "--no-analysis"),
)


def join_classes(source: Path, folder: Path) -> np.ndarray:
    """Write both classes as one set, D first, and return the labels."""
    for kind in ("clean", "sim"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no MAP stamp in the headers
            stacks = [
                mrcfile.open(source / f"10076_class{name}_32_{kind}.mrcs", permissive=True).data
                for name in "DE"
            ]
        write_stack(folder / f"{kind}.mrcs", np.concatenate(stacks), PIXEL_SIZE)
    poses = [read_poses(source / f"pose_class{name}.pkl") for name in "DE"]
    ctf = [read_ctf(source / f"ctf_class{name}.pkl") for name in "DE"]
    joined = Poses(
        np.concatenate([each.rotations for each in poses]),
        np.concatenate([each.shifts for each in poses]),
    )
    write_poses(folder / "poses.pkl", joined)
    write_ctf(folder / "ctf.pkl", CTFParameters(np.concatenate([each.table for each in ctf])))
    return np.repeat([0, 1], [len(each) for each in poses])


def train(program: list[str], folder: Path, kind: str, seed: int) -> tuple[np.ndarray, float]:
    """Latents after the last epoch, and the seconds it took."""
    out = folder / f"run-{kind}-{seed}"
    words = [*program, str(folder / f"{kind}.mrcs"), "--poses", str(folder / "poses.pkl")]
    if kind == "sim":
        words += ["--ctf", str(folder / "ctf.pkl")]
    words += [*OPTIONS, "--seed", str(seed), "-o", str(out)]
    start = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    return read_latents(out / "z.15.pkl").mu, time.monotonic() - start


def scores(z: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """5-fold cross-validated area under the ROC curve of an LDA, and ARI of 2-means."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    areas = cross_val_score(LinearDiscriminantAnalysis(), z, labels, cv=folds, scoring="roc_auc")
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(z)
    return float(areas.mean()), float(adjusted_rand_score(labels, clusters))


def main() -> None:
    """Print one line for each training, and the means."""
    parser = argparse.ArgumentParser(description="Score the latents of two labelled classes.")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each kind")
    parser.add_argument("--upstream", action="store_true", help="cryoDRGN 4.3.1 instead of ours")
    arguments = parser.parse_args()
    data = Path(os.environ.get("NAPARI_CRYODRGN_TEST_DATA", ROOT.parent / "shared" / "data"))
    if arguments.upstream:
        program = [str(ROOT / ".venvs" / "upstream" / "bin" / "cryodrgn"), "train_vae"]
    else:
        program = [sys.executable, "-m", "napari_cryodrgn", "train", "--device", "cpu"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = join_classes(data / "tomodrgn-10076-DE", folder)
        for kind in ("clean", "sim"):
            results = []
            for seed in range(arguments.seeds):
                z, seconds = train(program, folder, kind, seed)
                results.append((*scores(z, labels), seconds))
                print(
                    f"{kind} seed {seed}: AUC {results[-1][0]:.3f} ARI {results[-1][1]:.3f}"
                    f" {seconds:.0f} s",
                    flush=True,
                )
            area, index, seconds = np.mean(results, axis=0)
            print(f"{kind} mean of {len(results)}: AUC {area:.3f} ARI {index:.3f} {seconds:.0f} s")


if __name__ == "__main__":
    main()
