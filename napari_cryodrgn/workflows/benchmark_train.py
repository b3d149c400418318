"""Training timed against cryoDRGN: same particles, networks and threads, by turns."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.workflows.known_quality import (
    known_qualities,
    remember_quality,
    simulation_settings,
)
from napari_cryodrgn.workflows.training_quality import (
    TrainingQuality,
    spread,
    training_quality,
)

REPORT_SECONDS = 0.5
# Of the folders: some disks do not tell cryoDRGN from cryodrgn.
_NAMES = {"cryoDRGN": "cryoDRGN", "cryodrgn": "plain", "fast": "fast"}
# Epochs by which the rest is reckoned, where only the time is wanted.
TIMED_EPOCHS = 2
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
    known : Path or None
        File in which results of cryoDRGN's trainings are kept (`known_quality`). Where those of
        a seed are in it, cryoDRGN and our plain schedule, which does the same, are only timed,
        over `TIMED_EPOCHS`.
    """

    particles: Path
    width: int = 128
    layers: int = 3
    zdim: int = 8
    lr: float = 1e-3
    epochs: int = 20
    fast_epochs: int = 14
    threads: int = 2
    known: Path | None = None

    @property
    def options(self) -> dict[str, float]:
        """What decides what cryoDRGN's training comes to, beside set and seed."""
        names = ("width", "layers", "zdim", "lr", "epochs")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class TrainingTiming:
    """One training.

    Parameters
    ----------
    program : {"cryoDRGN", "cryodrgn", "fast"}
        cryoDRGN itself, or the schedule of ours.
    seed : int
    wall, cpu : float
        Seconds of the whole command, its start included; reckoned from some epochs where only
        the time was wanted.
    epoch : float
        Median seconds of an epoch's steps, by the program's own log.
    memory : float
        Largest resident memory, GiB.
    quality : TrainingQuality or None
        After the last epoch; None where the set has no truth, or only the time was wanted.
    reached : int or None
        First epoch at which each figure of the quality is at least cryoDRGN's after its last
        one: the mean over seeds, less one standard deviation.
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
    cryodrgn: Path, folder: Path, case: TrainingCase, *, seeds: int = 1, first_seed: int = 0
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
    first_seed : int, optional
        The seed of the first; others follow.

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
    for seed in range(first_seed, first_seed + seeds):
        known = _known(case).get(seed)
        for program in _NAMES:
            epochs = case.fast_epochs if program == "fast" else case.epochs
            if epochs:
                run_epochs = epochs if known is None or program == "fast" else TIMED_EPOCHS
                planned = _Planned(program, seed, epochs, min(run_epochs, epochs))
                timing = yield from _timed(planned, case, folder, cryodrgn)
                if program == "cryoDRGN":
                    timing = _with_quality(timing, case, known)
                timings.append(timing)
    return (yield from _judged(timings, case, folder))


def _known(case: TrainingCase) -> dict[int, TrainingQuality]:
    if case.known is None:
        return {}
    return known_qualities(case.known, simulation_settings(case.particles), case.options)


def _with_quality(
    timing: TrainingTiming, case: TrainingCase, known: TrainingQuality | None
) -> TrainingTiming:
    """Add its quality to cryoDRGN's timing; it is kept for later where it is new."""
    if known is not None:
        return replace(timing, quality=known)
    if case.known is not None and timing.quality is not None:
        settings = simulation_settings(case.particles)
        remember_quality(case.known, settings, case.options, timing.seed, timing.quality)
    return timing


def _judged(
    timings: list[TrainingTiming], case: TrainingCase, folder: Path
) -> Task[list[TrainingTiming]]:
    """The same with the epoch at which each was as good as cryoDRGN, where there is a truth."""
    theirs = [timing.quality for timing in timings if timing.program == "cryoDRGN"]
    known = [quality for quality in theirs if quality is not None]
    if not known:
        return timings
    wanted, slack = spread(known)
    judged = []
    for timing in timings:
        reached = None
        if timing.program != "cryoDRGN" and timing.quality is not None:
            run = RunFolder(folder / _name(timing.program, timing.seed))
            reached = yield from _first_as_good(run, timing.epochs, case.particles, wanted, slack)
        judged.append(replace(timing, reached=reached))
    return judged


@dataclass(frozen=True)
class _Planned:
    """One training: how many epochs it has, and how many of them are really trained."""

    program: str
    seed: int
    epochs: int
    run_epochs: int

    @property
    def name(self) -> str:
        return _name(self.program, self.seed)


def _name(program: str, seed: int) -> str:
    """Of the folder of a run, and of its log."""
    return f"{_NAMES[program]}-{seed}"


def _timed(
    planned: _Planned, case: TrainingCase, folder: Path, cryodrgn: Path
) -> Task[TrainingTiming]:
    """Run one training as a program of its own, and look at what it has learnt."""
    run = RunFolder(folder / planned.name)
    if run.path.exists():
        raise InputError("there is a run already", file=run.path, hint="Give another folder")
    words = _command(planned, case, run, cryodrgn)
    log = folder / f"{planned.name}.log"
    what = f"{planned.program}, seed {planned.seed}"
    wall, cpu, memory = yield from _program(words, case.threads, log, what)
    seconds = _epoch_seconds(planned.program, run, log)
    median = statistics.median(seconds)
    more = median * (planned.epochs - planned.run_epochs)
    quality = None
    if planned.run_epochs == planned.epochs and (case.particles / "truth.csv").is_file():
        quality = training_quality(run, planned.epochs, case.particles)
    return TrainingTiming(
        planned.program,
        planned.seed,
        wall=wall + more,
        cpu=cpu * (wall + more) / wall,
        epoch=median,
        memory=memory,
        quality=quality,
        reached=None,
        epochs=planned.epochs,
    )


def _epoch_seconds(program: str, run: RunFolder, log: Path) -> list[float]:
    """Seconds of each epoch's steps, as the program itself has measured them."""
    if program == "cryoDRGN":
        seconds = [
            int(hours) * 3600 + int(minutes) * 60 + float(rest)
            for hours, minutes, rest in _EPOCH_SECONDS.findall(log.read_text(errors="replace"))
        ]
    else:
        seconds = [record.seconds for record in read_metrics(run.metrics)]
    if not seconds:
        raise InputError("this log tells of no epoch", file=log)
    return seconds


def _command(planned: _Planned, case: TrainingCase, run: RunFolder, cryodrgn: Path) -> list[str]:
    particles, program = case.particles, planned.program
    words = [sys.executable, "-m", "napari_cryodrgn", "train"]
    if program == "cryoDRGN":
        words = [str(cryodrgn), "train_vae"]
    words += [str(particles / "particles.star"), "--poses", str(particles / "poses.pkl")]
    words += ["--ctf", str(particles / "ctf.pkl"), "--zdim", str(case.zdim)]
    for part in ("enc", "dec"):
        words += [f"--{part}-layers", str(case.layers), f"--{part}-dim", str(case.width)]
    words += ["-n", str(planned.run_epochs), "--lr", str(case.lr)]
    words += ["--seed", str(planned.seed), "--no-analysis"]
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
    run: RunFolder,
    epochs: int,
    particles: Path,
    wanted: TrainingQuality,
    slack: TrainingQuality,
) -> Task[int | None]:
    quick = replace(wanted, images=None)
    for epoch in range(1, epochs + 1):
        yield Progress(epoch, epochs, "Comparing with the truth")
        if not training_quality(run, epoch, particles, images=False).reaches(quick, slack):
            continue
        if training_quality(run, epoch, particles).reaches(wanted, slack):
            return epoch
    return None
