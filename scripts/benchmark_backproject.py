"""Measure backprojection: against truth, against cryoDRGN 4.3.1, against the network's volumes.

    .venv/bin/python scripts/benchmark_backproject.py classes
    .venv/bin/python scripts/benchmark_backproject.py speed SET --repeats 2
    .venv/bin/python scripts/benchmark_backproject.py states RUN SET
    .venv/bin/python scripts/benchmark_backproject.py selection RUN SET

``classes``: class E of tomoDRGN's test set (``tomodrgn-10076-DE`` in the folder that
``NAPARI_CRYODRGN_TEST_DATA`` names), clean and noisy, both programs. ``speed``: both programs on
the simulated SET (``napari-cryodrgn simulate SET -N 10000 --box 128``), turn by turn. ``states``:
maps of a RUN on a simulated SET at its true states, from the network, from the particles around
the same latent point, and from the particles of that state. ``selection``: maps of k-means
clusters in which one class prevails, against that class. cryoDRGN is that of
``scripts/setup_upstream.sh``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import yaml
from sklearn.cluster import KMeans

from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.io.mrc import read_volume, write_stack
from napari_cryodrgn.io.pickles import read_ctf, read_poses, write_ctf, write_poses
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.reconstruction.backprojection import backproject_images
from napari_cryodrgn.reconstruction.fsc import HALF, fourier_shell_correlation
from napari_cryodrgn.reconstruction.soft_mask import low_passed, sphere_mask
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.simulation.scene import build_scene
from napari_cryodrgn.workflows.backproject_at import kept_spectra, map_at
from napari_cryodrgn.workflows.open_run import OpenRun, open_run

ROOT = Path(__file__).resolve().parents[1]
OURS = [sys.executable, "-m", "napari_cryodrgn", "backproject"]
THEIRS = [str(ROOT / ".venvs" / "upstream" / "bin" / "cryodrgn"), "backproject_voxel"]


def classes() -> None:
    """FSC to the true map of class E, shell by shell, of both programs."""
    data = Path(os.environ.get("NAPARI_CRYODRGN_TEST_DATA", ROOT.parent / "shared" / "data"))
    source = data / "tomodrgn-10076-DE"
    truth = read_volume(source / "10076_classE_32.mrc").data
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_poses(folder / "poses.pkl", read_poses(source / "pose_classE.pkl"))
        # cryoDRGN needs single precision here.
        write_ctf(folder / "ctf.pkl", read_ctf(source / "ctf_classE.pkl"))
        for kind in ("clean", "sim"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # no MAP stamp in the header
                path = source / f"10076_classE_32_{kind}.mrcs"
                write_stack(folder / f"{kind}.mrcs", mrcfile.open(path, permissive=True).data, 13.1)
            for who, program in (("cryodrgn", THEIRS), ("ours", OURS)):
                words = [*program, str(folder / f"{kind}.mrcs"), "--uninvert-data"]
                words += ["--poses", str(folder / "poses.pkl"), "-o", str(folder / who)]
                if kind == "sim":
                    words += ["--ctf", str(folder / "ctf.pkl")]
                subprocess.run(words, check=True, capture_output=True)
                made = read_volume(folder / who / "backproject.mrc").data
                curve = fourier_shell_correlation(made, truth)
                shown = " ".join(f"{value:.3f}" for value in curve.values)
                print(f"{kind:6}{who:10}{shown}  0.5 at shell {32 * curve.crossing(HALF):.2f}")


def speed(particles: Path, repeats: int) -> None:
    """Seconds and memory of both programs, turn by turn."""
    theirs = [*THEIRS, str(particles / "particles.mrcs")]
    theirs += ["--poses", str(particles / "poses.pkl"), "--ctf", str(particles / "ctf.pkl")]
    ours = [*OURS, str(particles / "particles.star")]
    for number in range(repeats):
        for who, words in (("ours", ours), ("cryodrgn", theirs)):
            with tempfile.TemporaryDirectory() as out:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                start = time.monotonic()
                subprocess.run([*words, "-o", out], check=True, capture_output=True)
                wall = time.monotonic() - start
                used = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
            print(f"{number} {who:10} wall {wall:6.1f} s  CPU {cpu:6.1f} s", flush=True)
    print(f"largest memory of all: {used.ru_maxrss / 2**20:.2f} GiB")


def true_states(run: OpenRun, particles: Path) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, particles (N,) bool and true map of ten places of a hinge, or of each class."""
    if run.latent is None:
        raise SystemExit("the run has no latent space")
    told = pd.read_csv(particles / "truth.csv").iloc[run.latent.rows.rows]
    written = yaml.safe_load((particles / "simulation.yaml").read_text())
    written = written.get("settings", written)
    known = {key: written[key] for key in SimulationConfig.model_fields if key in written}
    scene = build_scene(SimulationConfig(**known))
    good = told["junk"].isna().to_numpy()
    states: list[tuple[str, int, float, np.ndarray]] = []
    if told["coordinate"].notna().any():
        for place in np.linspace(0.05, 0.95, 10):
            near = (told["coordinate"] - place).abs().to_numpy() < 0.05
            states.append((f"{place:.2f}", 0, float(place), good & near))
    else:
        for number in sorted(told["class"].dropna().unique().astype(int)):
            mine = (told["class"] == number).to_numpy()
            states.append((f"class {number}", number - 1, 0.0, good & mine))
    return [
        (
            name,
            mine,
            np.asarray(scene.structure.volume(kind, place, scene.box, scene.pixel_size)),
        )
        for name, kind, place, mine in states
    ]


def states(path: Path, particles: Path) -> None:
    """FSC-AUC to the truth, and how well the difference from the mean state is shown."""
    run = open_run(path)
    truths = true_states(run, particles)
    if run.latent is None:
        raise SystemExit("the run has no latent space")
    model, spectra, mu = load_model(run.folder), kept_spectra(run), run.latent.mu
    everyone = run_to_end(backproject_images(spectra, np.arange(len(mu)))).volume
    decoded, kernel, labelled, seconds = [], [], [], []
    for _, mine, _ in truths:
        centre = mu[mine].mean(axis=0)
        z = mu[np.argmin((((mu - centre) / mu.std(axis=0)) ** 2).sum(axis=1))]
        decoded.append(decode_volume(model, z))
        start = time.monotonic()
        kernel.append(run_to_end(map_at(run, z, spectra=spectra)).kernel.volume)
        seconds.append(time.monotonic() - start)
        labelled.append(run_to_end(backproject_images(spectra, np.flatnonzero(mine))).volume)
    true = [volume for _, _, volume in truths]
    print("state: FSC-AUC to truth (at most 0.5); correlation of the difference from the mean")
    rows = []
    for number, (name, mine, volume) in enumerate(truths):
        kinds = (decoded, kernel, labelled, [everyone] * len(true))
        areas = [fourier_shell_correlation(k[number], volume).area() for k in kinds]
        shown = [_difference_shown(k, true, number) for k in kinds[:3]]
        rows.append([*areas, *shown])
        print(f"{name:9}{int(mine.sum()):6}  " + "  ".join(f"{value:.3f}" for value in rows[-1]))
    print("mean             " + "  ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)))
    print("columns: network, kernel, labels, all particles; network, kernel, labels")
    print(f"seconds a map: first {seconds[0]:.2f}, then {np.median(seconds[1:]):.2f}")


def _difference_shown(maps: list[np.ndarray], true: list[np.ndarray], number: int) -> float:
    """Correlation of a map's and its truth's coarse differences from the means of all states."""
    box = len(true[0])
    inside = sphere_mask(box) > 0.5
    mine, right = (
        low_passed(np.asarray(each[number] - np.mean(each, axis=0), np.float32), box // 4)[inside]
        for each in (maps, true)
    )
    return float(np.corrcoef(mine, right)[0, 1])


def selection(path: Path, particles: Path) -> None:
    """Maps of clusters in which a class prevails, and of all particles, against that class."""
    run = open_run(path)
    if run.latent is None:
        raise SystemExit("the run has no latent space")
    spectra = kept_spectra(run)
    labels = KMeans(10, n_init=10, random_state=0).fit_predict(run.latent.mu)
    everyone = run_to_end(backproject_images(spectra, np.arange(len(labels)))).volume
    for name, mine, truth in true_states(run, particles):
        shares = np.bincount(labels, mine, 10) / np.bincount(labels, minlength=10)
        chosen = np.isin(labels, np.flatnonzero(shares > 0.5))
        if not chosen.any():
            print(f"{name}: prevails in no cluster")
            continue
        made = run_to_end(backproject_images(spectra, np.flatnonzero(chosen))).volume
        inside = sphere_mask(len(truth)) > 0.5
        ours, all_of_them = (
            np.corrcoef(volume[inside], truth[inside])[0, 1] for volume in (made, everyone)
        )
        purity = mine[chosen].mean()
        print(
            f"{name}: {int(chosen.sum())} selected ({purity:.0%} of them right); correlation with "
            f"its true map {ours:.4f}, of the map of all particles {all_of_them:.4f}"
        )


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description="Measure backprojection.")
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("classes")
    race = commands.add_parser("speed")
    race.add_argument("particles", type=Path)
    race.add_argument("--repeats", type=int, default=1)
    for what in ("states", "selection"):
        one = commands.add_parser(what)
        one.add_argument("run", type=Path)
        one.add_argument("particles", type=Path)
    given = parser.parse_args()
    if given.what == "classes":
        classes()
    elif given.what == "speed":
        speed(given.particles, given.repeats)
    elif given.what == "states":
        states(given.run, given.particles)
    else:
        selection(given.run, given.particles)


if __name__ == "__main__":
    main()
