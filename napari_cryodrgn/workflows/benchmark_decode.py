"""Decoding timed against cryoDRGN: same weights, same points, same threads, by turns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.background import in_thread
from napari_cryodrgn.workflows.z_values import write_z_values

ZDIM = 8
NORM = (0.0, 50.0)


@dataclass(frozen=True)
class DecodeCase:
    """One model that is decoded.

    Parameters
    ----------
    box, width, layers : int
        Side of the volumes, width and number of the decoder's layers.
    volumes : int
        How many volumes are decoded, beyond one that pays for the start of the program.
    """

    box: int
    width: int
    volumes: int
    layers: int = 3

    def __str__(self) -> str:
        return f"{self.width}x{self.layers}, box {self.box}"


CASES = (
    DecodeCase(64, 256, 6),
    DecodeCase(128, 256, 1),
    DecodeCase(64, 1024, 1),
)


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of processors; None where the system does not tell."""

    wall: float
    cpu: float | None

    def per(self, volumes: int, start: Spent) -> Spent:
        """For each of so many volumes, less what the start took."""
        cpu = None
        if self.cpu is not None and start.cpu is not None:
            cpu = (self.cpu - start.cpu) / volumes
        return Spent((self.wall - start.wall) / volumes, cpu)


@dataclass(frozen=True)
class DecodeTiming:
    """What decoding took, by the median of the repeats.

    Parameters
    ----------
    what : str
        The case.
    theirs, ours : Spent
        For a volume, command line against command line, start of the programs taken off; in
        `hundred`-like cases for all volumes, start included.
    single, half : Spent or None
        For a volume in the resident decoder, as the window has it; half precision where the
        processor has it.
    error : float
        Relative L2 difference of our volumes from theirs.
    half_error : float or None
        Of the half-precision volume from ours in single precision.
    """

    what: str
    theirs: Spent
    ours: Spent
    single: Spent | None
    half: Spent | None
    error: float
    half_error: float | None


def benchmark_decode(
    cryodrgn: Path,
    *,
    repeats: int = 2,
    threads: int | None = None,
    many: int = 100,
    cases: tuple[DecodeCase, ...] = CASES,
) -> Task[list[DecodeTiming]]:
    """Time cryoDRGN's ``eval_vol`` and our ``decode`` by turns.

    Parameters
    ----------
    cryodrgn : Path
        The program of cryoDRGN, in an environment of its own.
    repeats : int
        How often each is run.
    threads : int, optional
        CPU threads of both; as many as there are cores if not given.
    many : int
        Volumes of the last case, which is timed as a whole, program start included; 0 for
        none.
    cases : tuple of DecodeCase

    Returns
    -------
    list of DecodeTiming

    Raises
    ------
    InputError
        Where the program is not there, or one of the two fails.
    """
    if not cryodrgn.is_file():
        raise InputError("cryoDRGN's program is not there", file=cryodrgn, field="--cryodrgn")
    count = threads or psutil.cpu_count(logical=False) or 1
    total = len(cases) + bool(many)
    timings: list[DecodeTiming] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            report = Progress(number, total, f"Timing {case}")
            side = _SideBySide(Path(folder) / str(number), case, cryodrgn, count)
            timings.append((yield from in_thread(lambda s=side: s.volumes(repeats), report)))  # type: ignore[misc]
        if many:
            case = DecodeCase(64, 256, many)
            report = Progress(len(cases), total, f"Timing {many} volumes")
            side = _SideBySide(Path(folder) / "many", case, cryodrgn, count)
            timings.append((yield from in_thread(side.whole, report)))
    yield Progress(total, total, "Timed", 0.0)
    return timings


class _SideBySide:
    """The two programs on one model with random weights."""

    def __init__(self, folder: Path, case: DecodeCase, cryodrgn: Path, threads: int) -> None:
        self._folder, self._case = folder, case
        self._cryodrgn, self._threads = cryodrgn, threads
        self._runs = 0

    def volumes(self, repeats: int) -> DecodeTiming:
        """For one volume, the difference of a long and a short run."""
        z = self._make()
        n = self._case.volumes
        spent: dict[str, list[Spent]] = {"theirs": [], "ours": []}
        for _ in range(repeats):
            for name in spent:
                start, _ = self._run(name, z[:1])
                whole, out = self._run(name, z)
                spent[name].append(whole.per(n, start))
                if name == "theirs":
                    theirs = out
        single, volume = self._resident(z[-1], "single")
        half, rough = self._resident(z[-1], "half")
        return DecodeTiming(
            str(self._case),
            _median(spent["theirs"]),
            _median(spent["ours"]),
            single,
            half,
            self._difference(out, theirs),
            None if rough is None or volume is None else _relative(rough, volume),
        )

    def whole(self) -> DecodeTiming:
        """For all volumes, once, start included."""
        z = self._make()[1:]
        theirs, their_folder = self._run("theirs", z)
        ours, our_folder = self._run("ours", z)
        what = f"{len(z)} volumes, {self._case}, whole command"
        error = self._difference(our_folder, their_folder)
        return DecodeTiming(what, theirs, ours, None, None, error, None)

    def _make(self) -> npt.NDArray[np.float32]:
        """A run with one epoch of random weights; latent points for it."""
        import torch

        from napari_cryodrgn.model.checkpoint import write_checkpoint
        from napari_cryodrgn.model.vae import build_vae

        case = self._case
        config = ModelConfig(zdim=ZDIM, enc_dim=32, dec_layers=case.layers, dec_dim=case.width)
        vae = build_vae(config, case.box, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():  # else the bias of the last layer is all there is
            weights = dict(vae.decoder.decoder.named_parameters())
            weights[f"main.{2 * (case.layers + 1)}.weight"].mul_(20)
        self._folder.mkdir()
        run = RunFolder(self._folder)
        write_run_config(run.config, RunConfig(box=case.box, model=config, norm=NORM))
        write_checkpoint(run.weights(1), epoch=1, model=vae)
        shape = (case.volumes + 1, ZDIM)
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def _run(self, name: str, z: npt.NDArray[np.float32]) -> tuple[Spent, Path]:
        """One of the programs, on all cores it may have; raises where it fails."""
        run = RunFolder(self._folder)
        points = self._folder / "points.txt"
        write_z_values(points, z)
        self._runs += 1
        out = self._folder / f"out{self._runs}"
        if name == "theirs":
            options = [str(run.weights(1)), "-c", str(run.config), "--Apix", "1.5"]
            words = [str(self._cryodrgn), "eval_vol", *options]
        else:
            words = [sys.executable, "-m", "napari_cryodrgn", "decode", str(run.path), "1"]
            words += ["--Apix", "1.5", "--device", "cpu"]
        words += ["--zfile", str(points), "-o", str(out)]
        limits = {name: str(self._threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        environment = os.environ | limits | {"CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg"}
        before, started = _cpu_of_children(), time.monotonic()
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        wall = time.monotonic() - started
        after = _cpu_of_children()
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise InputError(f"{words[0]} failed: {' '.join(last)}")
        cpu = None if before is None or after is None else after - before
        return Spent(wall, cpu), out

    def _resident(
        self, z: npt.NDArray[np.float32], precision: str
    ) -> tuple[Spent | None, npt.NDArray[np.float32] | None]:
        """A volume of a decoder that has decoded before: the quickest of five."""
        import torch

        from napari_cryodrgn.decoding.network import has_half_precision
        from napari_cryodrgn.decoding.volume_decoder import VolumeDecoder
        from napari_cryodrgn.model.checkpoint import load_model

        model = load_model(RunFolder(self._folder), 1)
        half = precision == "half"
        if half and not has_half_precision(torch.device("cpu")):
            return None, None
        times = []
        with VolumeDecoder(model, threads=self._threads) as decoder:
            for _ in range(6):
                wall, cpu = time.monotonic(), time.process_time()
                volume = decoder.decode(z, model.box, precision="half" if half else "single")
                times.append(Spent(time.monotonic() - wall, time.process_time() - cpu))
        return min(times[1:], key=lambda spent: spent.wall), volume

    def _difference(self, ours: Path, theirs: Path) -> float:
        """Largest relative difference of the volumes in two folders."""
        names = sorted(path.name for path in theirs.glob("*.mrc"))
        return max(
            _relative(read_volume(ours / name).data, read_volume(theirs / name).data)
            for name in names
        )


def _relative(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _median(spent: list[Spent]) -> Spent:
    cpus = [one.cpu for one in spent if one.cpu is not None]
    wall = float(np.median([one.wall for one in spent]))
    return Spent(wall, float(np.median(cpus)) if cpus else None)


def _cpu_of_children() -> float | None:
    """Processor seconds of the programs run so far; None on systems that do not add them up."""
    if sys.platform == "win32":
        return None
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
