"""The demo: from nothing to a latent space to click in, within three minutes on two cores."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import AnalysisFolder, RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.analyze import analyze
from napari_cryodrgn.workflows.demo_pictures import render_demo
from napari_cryodrgn.workflows.recovery import Recovery, compare_with_truth
from napari_cryodrgn.workflows.simulate import SimulatedSet, read_settings, simulate
from napari_cryodrgn.workflows.stages import Stages

CLUSTERS = 12
# Shares of the time on two cores, for the time left.
_SIMULATE, _TRAIN, _ANALYZE = 0.04, 0.66, 0.2

# Small and clean enough that its states are found in a minute without a GPU, and still
# noisy images through a CTF. Its network is small for the same reason.
DEMO_PARTICLES = SimulationConfig(
    n_particles=1500, box=32, kind="both", populations=(0.45, 0.3, 0.25), snr=2.0
)


def demo_training(star: Path, folder: Path) -> TrainingConfig:
    """How the demo trains.

    Parameters
    ----------
    star : Path
        Its particles.
    folder : Path
        Run folder.
    """
    return TrainingConfig(
        particles=star,
        outdir=folder,
        zdim=4,
        num_epochs=24,
        batch_size=16,
        lr=2e-3,
        enc_dim=128,
        enc_layers=2,
        dec_dim=128,
        dec_layers=2,
        seed=0,
        # A second thread gains little in networks this small, and where other programs want
        # the cores the two wait for each other: ten times slower.
        threads=1,
    )


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Parameters
    ----------
    particles : SimulatedSet
        The particles and their truth.
    run : RunFolder
        The trained run.
    analysis : AnalysisFolder
        Its analysis.
    recovery : Recovery
        How much of the truth the latent space tells.
    pictures : tuple of Path
        Pictures and movie, where they were asked for.
    """

    particles: SimulatedSet
    run: RunFolder
    analysis: AnalysisFolder
    recovery: Recovery
    pictures: tuple[Path, ...] = ()


def make_demo(out: str | Path, *, pictures: bool = False) -> Task[DemoResult]:
    """Simulate particles, train on them, analyse the run.

    What is there of an earlier demo is kept, and one that was stopped goes on.

    Parameters
    ----------
    out : path-like
        Folder for everything; it is made where it is missing.
    pictures : bool
        Write pictures and a movie as well, to ``pictures`` in the folder.

    Returns
    -------
    DemoResult

    Raises
    ------
    InputError
        Where the folder holds something else, or cannot be written to.
    """
    out = Path(out).expanduser().absolute()
    particles = SimulatedSet(out / "particles")
    stages = Stages.begin()
    yield from stages.run(make_demo_particles(particles), _SIMULATE)
    run = RunFolder(out / "run")
    yield from stages.run(train_demo(particles, run), _TRAIN, fraction=training_fraction)
    analysis = yield from stages.run(analyze(run, ksample=CLUSTERS, seed=0), _ANALYZE)
    mu = read_latents(run.latents()).mu
    recovery = compare_with_truth(mu, particles.truth)
    made: list[Path] = []
    if pictures:
        made = yield from stages.run(render_demo(run, out / "pictures"), 1 - stages.done)
    yield Progress(1.0, 1.0, str(recovery))
    return DemoResult(particles, run, analysis, recovery, tuple(made))


def train_demo(particles: SimulatedSet, run: RunFolder) -> Task[RunFolder]:
    """Train on the demo's particles, or go on with a training that was stopped."""
    config = demo_training(particles.star, run.path)
    if run.weights().is_file() and run.latents().is_file():
        return run
    if run.config.is_file():
        config = config.model_copy(update={"load": "latest"})
    # torch is imported with it; what needs no training needs no torch.
    from napari_cryodrgn.workflows.train import train

    with _umap_made_ready():
        return (yield from train(config))


@contextlib.contextmanager
def _umap_made_ready() -> Iterator[None]:
    """Import umap beside the training, in a process of its own.

    Its first import on a machine compiles for half a minute and keeps the result on disk;
    the training leaves a core for that. Whether it succeeds shows when a UMAP is made.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", "import umap"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def training_fraction(report: Progress) -> float | None:
    """Share of a training that is done; its preparations, counted by themselves, are none."""
    return report.fraction if getattr(report, "phase", None) == "training" else None


def make_demo_particles(particles: SimulatedSet) -> Task[None]:
    """Simulate the demo's particles, unless they are there.

    Raises
    ------
    InputError
        Where the folder holds other particles.
    """
    if not particles.path.exists():
        yield from simulate(particles.path, DEMO_PARTICLES)
        return
    if read_settings(particles.settings) != DEMO_PARTICLES:
        raise InputError(
            "this folder holds other particles than the demo's",
            file=particles.path,
            hint="Give the demo a folder of its own with --out",
        )
