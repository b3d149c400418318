"""Reads damaged files in a process of its own that is watched: the end that does the work.

    python harness.py --reader NAME --seconds 30 --seed 1 --keep FOLDER

What it watches: the outcome (a value or `InputError`), the time, the memory beyond what the
process had before, programs started, files opened for writing, files read that no one named,
and that the damaged file is left as it is. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

SECONDS_ALLOWED = 10.0
MEMORY_FACTOR, MEMORY_ALLOWED = 10, 500 << 20
CODE_EVENTS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn")
CHANGE_EVENTS = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod")


class Hang(BaseException):
    """Reading took too long."""


class Watch:
    """What a file must not bring about, looked at while it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder.resolve())
        self.armed = False
        self.seen: list[str] = []
        self._library = tuple({sys.prefix, sys.base_prefix, "/usr", "/proc", "/sys", str(ROOT)})
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event in CODE_EVENTS:
            self.seen.append(f"started a program: {event} {arguments!r}"[:300])
        elif event in CHANGE_EVENTS:
            self.seen.append(f"changed files: {event} {arguments!r}"[:300])
        elif event == "open":
            self._opened(*arguments)

    def _opened(self, path: object, _mode: object, flags: int) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.path.abspath(os.fsdecode(path))
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and name != os.devnull:
            self.seen.append(f"opened for writing: {name}"[:300])
        elif not name.startswith((self.folder, *self._library)):
            self.seen.append(f"opened: {name}"[:300])


def _memory(field: str) -> int:
    """``VmRSS`` or ``VmHWM`` (its peak) or ``VmSize`` of this process, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"more than {SECONDS_ALLOWED:g} s")


@contextlib.contextmanager
def _limited(size: int) -> Iterator[None]:
    """Memory in proportion to a file, and time, for whatever is done within."""
    allowed = size * MEMORY_FACTOR + MEMORY_ALLOWED
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + 2 * allowed, before[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS_ALLOWED)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


class Trial:
    """Damaged files given to one reader, one after the other, and what came of it.

    Parameters
    ----------
    reader : hostile_files.Reader
    root : Path
        A folder of sound files, of which the reader's is damaged.
    watch : Watch
    keep : Path or None
        Where files that bring a fault about are kept.
    """

    def __init__(self, reader: Any, root: Path, watch: Watch, keep: Path | None) -> None:
        self.reader = reader
        self.path = root / reader.file
        self.keep = keep
        self.watch = watch
        self.counts: Counter[str] = Counter()
        self.faults: dict[str, str] = {}
        self.slowest, self.most_memory = 0.0, 0
        signal.signal(signal.SIGALRM, _too_long)
        self._root = root
        self._names = self._files()

    def _files(self) -> set[str]:
        return {os.path.join(at, name) for at, _, names in os.walk(self._root) for name in names}

    def __call__(self, content: bytes) -> None:
        """Read one damaged file."""
        from tests.hostile.hostile_files import outcome

        self.path.write_bytes(content)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        before, started = _memory("VmRSS"), time.monotonic()
        self.watch.seen.clear()
        fault = None
        faulthandler.dump_traceback_later(4 * SECONDS_ALLOWED, exit=True)
        try:
            with _limited(len(content)), warnings.catch_warnings():
                warnings.simplefilter("error")
                self.watch.armed = True
                result = outcome(self.reader, self.path)
        except (Exception, Hang) as error:  # noqa: BLE001 - every other outcome is what is looked for
            result, fault = "fault", error
        finally:
            self.watch.armed = False
            faulthandler.cancel_dump_traceback_later()
        self.counts[result] += 1
        self.slowest = max(self.slowest, time.monotonic() - started)
        used = _memory("VmHWM") - before
        self.most_memory = max(self.most_memory, used)
        if fault is not None:
            self._blame(_summary(fault), "".join(traceback.format_exception(fault)), content)
        if used > len(content) * MEMORY_FACTOR + MEMORY_ALLOWED:
            self._blame("memory", f"{used} bytes for a file of {len(content)}", content)
        for what in self.watch.seen:
            self._blame(what, what, content)
        if self.path.read_bytes() != content:
            self._blame("the file was changed", "", content)
        if self.counts.total() % 50 == 0 and self._files() != self._names:
            self._blame("files came or went", str(self._files() ^ self._names), content)

    def _blame(self, summary: str, details: str, content: bytes) -> None:
        self.counts["faults"] += 1
        if summary in self.faults:
            return
        self.faults[summary] = details[-3000:]
        if self.keep is not None:
            digest = hashlib.sha256(content).hexdigest()[:12]
            folder = self.keep / self.reader.name.replace(" ", "_").replace(":", "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{digest}{self.path.suffix}").write_bytes(content)
            (folder / f"{digest}.said").write_text(f"{summary}\n{details}")

    def report(self) -> dict[str, Any]:
        """Counts and faults."""
        return {
            "reader": self.reader.name,
            "files": self.counts["value"] + self.counts["refused"] + self.counts["fault"],
            "read": self.counts["value"],
            "refused": self.counts["refused"],
            "faults": self.counts["faults"],
            "slowest": round(self.slowest, 2),
            "megabytes": round(self.most_memory / 2**20),
            "found": self.faults,
        }


def _summary(fault: BaseException) -> str:
    """The kind of an exception, and the deepest place of ours that it came from."""
    frames = [
        f for f in traceback.extract_tb(fault.__traceback__) if "napari_cryodrgn" in f.filename
    ]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(fault).__name__} at {place}: {str(fault)[:150]}"


def try_mutations(trial: Trial, seed: int, seconds: float, cases: int) -> None:
    """Damage the file at random until the time or the number is reached."""
    from tests.hostile.mutations import mutated

    rng = random.Random(seed)
    sound = trial.path.read_bytes()
    end = time.monotonic() + seconds
    done = 0
    while done < cases and time.monotonic() < end:
        trial(mutated(sound, trial.path.suffix, rng))
        done += 1
    trial.path.write_bytes(sound)


def try_guided(trial: Trial, seed: int, seconds: float, report: Path) -> None:
    """Damage the file as coverage of the readers' lines guides (atheris); does not return."""
    import atheris

    from tests.hostile.mutations import mutated

    sound = trial.path.read_bytes()

    def one(data: bytes) -> None:
        trial(data)
        if trial.counts.total() % 20 == 0:
            report.write_text(json.dumps(trial.report()))

    def mutator(data: bytes, longest: int, number: int) -> bytes:
        rng = random.Random(number)
        if rng.random() < 0.3:
            return atheris.Mutate(data, longest)
        base = sound if rng.random() < 0.3 else data
        return mutated(base, trial.path.suffix, rng)[:longest]

    with tempfile.TemporaryDirectory() as corpus:
        (Path(corpus) / "sound").write_bytes(sound)
        longest = max(1 << 16, 4 * len(sound))
        options = [f"-max_total_time={seconds:.0f}", f"-max_len={longest}", f"-seed={seed + 1}"]
        options += ["-timeout=0", "-rss_limit_mb=0", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, corpus], one, custom_mutator=mutator)
        atheris.Fuzz()


def _instrumented(guided: bool) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    if not guided:
        return contextlib.nullcontext
    import atheris

    inside = ["napari_cryodrgn", "starfile", "yaml"]
    return lambda: atheris.instrument_imports(include=inside, enable_loader_override=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", action="append", help="name, or a part of it; all if not given")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each reader")
    parser.add_argument("--cases", type=int, default=1 << 60, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--guided", type=Path, help="guide by coverage; report to this file")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    with _instrumented(options.guided is not None)():
        from tests.hostile.hostile_files import READERS
        from tests.hostile.sound_files import make_sound
    names = [reader.name for reader in READERS]
    if options.list:
        json.dump(names, sys.stdout)
        return
    wanted = [r for r in READERS if not options.reader or r.name in options.reader]
    with tempfile.TemporaryDirectory(prefix="hostile") as name:
        root = Path(name).resolve()
        make_sound(root)
        os.chdir(root)
        watch = Watch(root)
        for reader in wanted:
            trial = Trial(reader, root, watch, options.keep)
            sound = trial.path.read_bytes()
            trial(sound)
            if not trial.counts["value"]:
                raise RuntimeError(f"{reader.name}: the sound file is refused")
            if options.guided is not None:
                try_guided(trial, options.seed, options.seconds, options.guided)
            try_mutations(trial, options.seed, options.seconds, options.cases)
            trial.watch.armed = False
            trial.path.write_bytes(sound)
            sys.stdout.write(json.dumps(trial.report()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
