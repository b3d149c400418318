"""Measure paths between the ends of a simulated motion: density, truth, and pace.

    python scripts/benchmark_paths.py RUN PARTICLES

RUN was trained on PARTICLES, a folder that ``simulate`` made with a continuous motion.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.decoding.volume import decode_volumes
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.latent.path import LatentPath, Route, waypoint
from napari_cryodrgn.latent.path_field import LatentField
from napari_cryodrgn.latent.path_pace import latent_pace, step_ratio, volume_pace
from napari_cryodrgn.latent.path_profile import path_profile
from napari_cryodrgn.latent.path_routes import route
from napari_cryodrgn.model.checkpoint import load_model
from napari_cryodrgn.model.loaded import LoadedModel
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder

ROUTES: tuple[Route, ...] = ("direct", "density", "graph")
FRAMES = 41


def ends(mu: npt.NDArray[np.float32], truth: pd.DataFrame) -> tuple[int, int]:
    """The particles in the middle of those at either end of the motion."""
    coordinate = truth["coordinate"].to_numpy(float)
    chosen = []
    for there in (coordinate < 0.05, coordinate > 0.95):
        middle = np.median(mu[there], axis=0)
        chosen.append(int(np.where(there, np.linalg.norm(mu - middle, axis=1), np.inf).argmin()))
    return chosen[0], chosen[1]


def true_states(folder: Path) -> dict[float, npt.NDArray[np.float32]]:
    """Noise-free volumes between the ends of the motion, by their place along it."""
    table = pd.read_csv(folder / "states" / "states.csv")
    inner = table[(table["coordinate"] > 0) & (table["coordinate"] < 1)]
    return {
        float(place): read_volume(folder / "states" / name).data
        for place, name in zip(inner["coordinate"], inner["volume"], strict=True)
    }


def closest(
    model: LoadedModel,
    z: npt.NDArray[np.float32],
    states: dict[float, npt.NDArray[np.float32]],
) -> dict[float, float]:
    """Correlation of each true state with the frame that is most like it."""
    best = dict.fromkeys(states, -1.0)
    for volume in decode_volumes(model, z):
        for place, state in states.items():
            value = float(np.corrcoef(volume.ravel(), state.ravel())[0, 1])
            best[place] = max(best[place], value)
    return best


def steps(model: LoadedModel, z: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """RMS differences of successive frames at the full box."""
    volumes = list(decode_volumes(model, z))
    return np.array([np.sqrt(np.square(b - a, dtype=float).mean()) for a, b in pairwise(volumes)])


def measure(run: RunFolder, particles: Path) -> None:
    """Write the table."""
    epoch = run.latent_epochs()[-1]
    mu = read_latents(run.latents(epoch)).mu
    model = load_model(run, epoch)
    field = LatentField(mu)
    start, end = ends(mu, pd.read_csv(particles / "truth.csv", keep_default_na=False))
    states = true_states(particles)
    write = sys.stdout.write
    write(f"{run.path}, epoch {epoch}, from particle {start} to {end}\n")
    for name in ROUTES:
        path = LatentPath(
            name=name,
            route=name,
            waypoints=(waypoint(mu[start]), waypoint(mu[end])),
            max_neighbors=20,
            avg_neighbors=10,
        )
        points = run_to_end(route(path, field)).points
        profile = path_profile(points, field)
        alike = closest(model, latent_pace(points, FRAMES), states)
        even = latent_pace(points, 20)
        paced = run_to_end(
            volume_pace(points, 20, lambda z: decode_volumes(model, z, box=min(32, model.box)))
        )
        write(
            f"{name:8s} mean log density {profile.mean_log_density:.2f} "
            f"(lowest {profile.log_density.min():.2f}), far {profile.far_share:.0%}, "
            f"correlation with true states "
            + ", ".join(f"{place:.2f}: {value:.4f}" for place, value in alike.items())
            + f", mean {np.mean(list(alike.values())):.4f}; steps of 20 frames, largest over "
            f"smallest: equal in z {step_ratio(steps(model, even)):.2f}, equal in volume "
            f"{step_ratio(steps(model, paced.z)):.2f} after {paced.rounds} rounds\n"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("particles", type=Path)
    given = parser.parse_args()
    measure(RunFolder.existing(given.run), given.particles)
