"""Training timed against cryoDRGN: same particles, networks and threads, by turns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.workflows.training_quality import TrainingQuality, training_quality

REPORT_SECONDS = 0.5
# "Finished in 0:01:00.407044", at the end of the line of each epoch in cryoDRGN's log.
_EPOCH_SECONDS = re.compile(r"# =====> Epoch: \d+ .*Finished in (\d+):(\d+):([\d.]+)")


@dataclass(frozen=True)
class TrainingCase:
    """What is trained.

    Parameters
    ----------
    particles : Path
        Folder of a simulated set, with ``particles.star``, ``poses.pkl`` and ``ctf.pkl``.
    width, layers, zdim : int
        Of encoder and decoder.
    lr : float
    epochs : int
        Of cryoDRGN, and of our plain schedule.
    fast_epochs : int
        Of our fast schedule; 0 leaves it out.
    threads : int
    """

    particles: Path
    width: int = 128
    layers: int = 3
    zdim: int = 8
    lr: float = 1e-3
    epochs: int = 20
    fast_epochs: int = 16
    threads: int = 2


@dataclass(frozen=True)
class TrainingTiming:
    """One training.

    Parameters
    ----------
    program : {"cryoDRGN", "cryodrgn", "fast"}
        cryoDRGN itself, or the schedule of ours.
    seed : int
    wall, cpu : float
        Seconds of the whole command, its start included.
    epoch : float
        Median seconds of an epoch's steps, by the program's own log.
    memory : float
        Largest resident memory, GiB.
    quality : TrainingQuality or None
        After the last epoch; None where the set has no truth.
    reached : int or None
        First epoch at which the quality is that of cryoDRGN's last epoch with the same seed.
    epochs : int
        Epochs in all.
    """

    program: str
    seed: int
    wall: float
    cpu: float
    epoch: float
    memory: float
    quality: TrainingQuality | None
    reached: int | None
    epochs: int

    @property
    def seconds_to_quality(self) -> float | None:
        """Seconds of the command until then, its start included."""
        if self.reached is None:
            return None
        return self.wall - self.epoch * (self.epochs - self.reached)


def benchmark_train(
    cryodrgn: Path, folder: Path, case: TrainingCase, *, seeds: int = 1
) -> Task[list[TrainingTiming]]:
    """Train with cryoDRGN and with both of our schedules by turns, and compare.

    Parameters
    ----------
    cryodrgn : Path
        The program of cryoDRGN, in an environment of its own.
    folder : Path
        Where the runs are written; it must not hold any of the same names.
    case : TrainingCase
    seeds : int
        Trainings of each.

    Returns
    -------
    list of TrainingTiming
        For each seed cryoDRGN, the plain and the fast schedule.

    Raises
    ------
    InputError
        Where a program or the particles are missing, or a training fails.
    """
    if not cryodrgn.is_file():
        raise InputError("there is no such program", field="--cryodrgn", value=cryodrgn)
    star = case.particles / "particles.star"
    if not star.is_file():
        raise InputError(
            "there is no simulated set",
            file=star,
            hint="Make one with napari-cryodrgn simulate",
        )
    folder.mkdir(parents=True, exist_ok=True)
    timings: list[TrainingTiming] = []
    for seed in range(seeds):
        theirs = yield from _timed("cryoDRGN", seed, case, folder, cryodrgn, None)
        timings.append(theirs)
        for schedule, epochs in (("cryodrgn", case.epochs), ("fast", case.fast_epochs)):
            if epochs:
                timing = yield from _timed(schedule, seed, case, folder, cryodrgn, theirs.quality)
                timings.append(timing)
    return timings


def _timed(
    program: str,
    seed: int,
    case: TrainingCase,
    folder: Path,
    cryodrgn: Path,
    wanted: TrainingQuality | None,
) -> Task[TrainingTiming]:
    """Run one training as a program of its own, and look at what it has learnt."""
    run = RunFolder(folder / f"{program}-{seed}")
    if run.path.exists():
        raise InputError("there is a run already", file=run.path, hint="Give another folder")
    epochs = case.fast_epochs if program == "fast" else case.epochs
    words = _command(program, seed, case, run, cryodrgn, epochs)
    log = folder / f"{program}-{seed}.log"
    wall, cpu, memory = yield from _program(words, case.threads, log, f"{program}, seed {seed}")
    if program == "cryoDRGN":
        seconds = [
            int(hours) * 3600 + int(minutes) * 60 + float(rest)
            for hours, minutes, rest in _EPOCH_SECONDS.findall(log.read_text(errors="replace"))
        ]
    else:
        seconds = [record.seconds for record in read_metrics(run.metrics)]
    if not seconds:
        raise InputError("this log tells of no epoch", file=log)
    quality, reached = None, None
    if (case.particles / "truth.csv").is_file():
        quality = training_quality(run, epochs, case.particles)
        if wanted is not None:
            reached = yield from _first_as_good(run, epochs, case.particles, wanted)
    median = sorted(seconds)[len(seconds) // 2]
    return TrainingTiming(program, seed, wall, cpu, median, memory, quality, reached, epochs)


def _command(
    program: str, seed: int, case: TrainingCase, run: RunFolder, cryodrgn: Path, epochs: int
) -> list[str]:
    particles = case.particles
    words = [sys.executable, "-m", "napari_cryodrgn", "train"]
    if program == "cryoDRGN":
        words = [str(cryodrgn), "train_vae"]
    words += [str(particles / "particles.star"), "--poses", str(particles / "poses.pkl")]
    words += ["--ctf", str(particles / "ctf.pkl"), "--zdim", str(case.zdim)]
    for part in ("enc", "dec"):
        words += [f"--{part}-layers", str(case.layers), f"--{part}-dim", str(case.width)]
    words += ["-n", str(epochs), "--lr", str(case.lr), "--seed", str(seed), "--no-analysis"]
    if program != "cryoDRGN":
        words += ["--schedule", program, "--threads", str(case.threads), "--device", "cpu"]
    return [*words, "-o", str(run.path)]


def _program(
    words: list[str], threads: int, log: Path, what: str
) -> Task[tuple[float, float, float]]:
    """Run a program to its end; wall and CPU seconds, and its largest memory in GiB."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = os.environ | limits | {"CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg"}
    started, cpu, memory = time.monotonic(), 0.0, 0
    with log.open("wb") as output:
        process = psutil.Popen(words, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                yield Progress(0, None, f"Training: {what}")
                time.sleep(REPORT_SECONDS)
                try:
                    times, held = process.cpu_times(), process.memory_info()
                except psutil.NoSuchProcess:  # it ended meanwhile
                    continue
                # An ended program that nobody waited for yet has used no memory any more.
                cpu, memory = max(cpu, times.user + times.system), max(memory, held.rss)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise InputError(f"{what} failed: {' '.join(last)}", file=log)
    return time.monotonic() - started, cpu, memory / 2**30


def _first_as_good(
    run: RunFolder, epochs: int, particles: Path, wanted: TrainingQuality
) -> Task[int | None]:
    for epoch in range(1, epochs + 1):
        yield Progress(epoch, epochs, "Comparing with the truth")
        if training_quality(run, epoch, particles).reaches(wanted):
            return epoch
    return None
