"""cryoDRGN 4.3.1 in its own environment, a small simulated set, and a run of ours on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.simulate import SimulatedSet, simulate
from napari_cryodrgn.workflows.train import train

ROOT = Path(__file__).parents[2]
VERSION = "cryoDRGN 4.3.1"
SMALL = {"zdim": 4, "enc_dim": 32, "enc_layers": 2, "dec_dim": 32, "dec_layers": 2}
N_PARTICLES = 240

Upstream = Callable[..., str]


@pytest.fixture(scope="session")
def upstream_program() -> Path:
    name = "Scripts/cryodrgn.exe" if sys.platform == "win32" else "bin/cryodrgn"
    program = ROOT / ".venvs" / "upstream" / name
    if not program.is_file():
        pytest.skip("cryoDRGN 4.3.1 is not installed beside: run scripts/setup_upstream.sh")
    return program


@pytest.fixture(scope="session")
def cryodrgn(upstream_program: Path) -> Upstream:
    """Run a command of cryoDRGN's, which must succeed, and return what it says."""

    def run(*words: Any, cwd: Path | None = None) -> str:
        command = [str(upstream_program), *map(str, words)]
        quiet = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        hidden = {"PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "QT_API"}
        environment = {k: v for k, v in os.environ.items() if k not in hidden} | quiet
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280
        )
        said = done.stdout + done.stderr
        if done.returncode:
            last = said.strip().splitlines()[-1:]
            pytest.fail(
                f"exit status {done.returncode}: {' '.join(command)}: {last}", pytrace=False
            )
        return said

    assert VERSION in run("--version")
    return run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSet:
    out = tmp_path_factory.mktemp("upstream") / "set"
    config = SimulationConfig(n_particles=N_PARTICLES, box=32, snr=1.0, seed=3)
    return SimulatedSet(run_to_end(simulate(out, config)))


@pytest.fixture(scope="session")
def subset(simulated: SimulatedSet) -> Path:
    """Indices of most particles, in an order of their own."""
    import pickle

    path = simulated.path.parent / "ind.pkl"
    order = np.random.default_rng(5).permutation(N_PARTICLES)[:200]
    path.write_bytes(pickle.dumps(order))
    return path


def train_ours(simulated: SimulatedSet, out: Path, **options: Any) -> RunFolder:
    settings = SMALL | {"num_epochs": 2, "lr": 1e-3, "seed": 1, "device": "cpu"} | options
    return run_to_end(train(TrainingConfig(outdir=out, **settings)))


@pytest.fixture(scope="session")
def our_run(simulated: SimulatedSet) -> RunFolder:
    """A run of ours from cryoDRGN's own inputs: a stack, poses.pkl and ctf.pkl."""
    return train_ours(
        simulated,
        simulated.path.parent / "ours",
        particles=simulated.stack,
        poses=simulated.poses,
        ctf=simulated.ctf,
    )


@pytest.fixture(scope="session")
def our_run_from_star(simulated: SimulatedSet, subset: Path) -> RunFolder:
    """A run of ours on a subset of a star file, which brings poses and CTF itself."""
    return train_ours(
        simulated,
        simulated.path.parent / "ours-star",
        particles=simulated.star,
        ind=subset,
        num_epochs=1,
        domain="hartley",
        pe_type="geom_lowf",
    )


def relative_error(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> float:
    """Relative L2 error of our values with respect to cryoDRGN's."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
