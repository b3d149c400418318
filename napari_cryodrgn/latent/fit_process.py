"""A fit in a process of its own, which can be killed at any moment.

umap-learn and scikit-learn cannot be interrupted, and hold what they take of the processor
and the memory until they end; a process gives it back when it is killed. Parent and child
exchange ``.npy`` files in a temporary folder; the child reports on its standard output, and
ends when its standard input closes, so that none is left behind by a parent that was killed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError, full_memory
from napari_cryodrgn.io.atomic import writing_failed
from napari_cryodrgn.progress import Progress, Stopwatch, Task

_INPUT, _SETTINGS, _LOG = "input.npy", "settings.json", "log.txt"
POLL_SECONDS = 0.1
_KILLED = -9
_NO_MEMORY = re.compile(r"^\S*MemoryError\b", re.MULTILINE)


class FitProcess:
    """A fit that runs elsewhere. Leaving it as a context kills it where it still runs.

    Parameters
    ----------
    module : str
        Module to run, which calls `run_child`.
    points : (N, D) float32 array
        What is fitted.
    settings : mapping
        Plain values, for the child.
    what : str
        What it is, for messages: "UMAP".

    Attributes
    ----------
    watch : Stopwatch
        Runs since the process was begun; its total is 1.
    """

    def __init__(
        self,
        module: str,
        points: npt.NDArray[np.float32],
        settings: Mapping[str, Any],
        what: str,
    ) -> None:
        self.what = what
        self.watch = Stopwatch(1.0)
        self._folder = tempfile.TemporaryDirectory(prefix="napari-cryodrgn-fit-")
        folder = Path(self._folder.name)
        try:
            np.save(folder / _INPUT, points)
            (folder / _SETTINGS).write_text(json.dumps(dict(settings)), encoding="utf-8")
        except OSError as error:
            self._folder.cleanup()
            hint = "Name a folder with more room in the environment's TMPDIR"
            raise InputError(writing_failed(error), file=folder, hint=hint) from error
        self._log = folder / _LOG
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C in a terminal is for the parent, which then ends this one.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def finished(self) -> bool:
        """Whether the process has ended, well or not."""
        return self._process.poll() is not None

    def said(self) -> str:
        """What the process has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def fraction(self) -> float:
        """Share of the work finished, 0 to 1, as far as the process has reported."""
        for line in reversed(self.said().splitlines()):
            name, _, share = line.partition(" ")
            if name == "done":
                return float(share)
        return 0.0

    def array(self, name: str) -> npt.NDArray[Any]:
        """An array that a process which has finished has written.

        Raises
        ------
        InputError
            Where memory was full.
        RuntimeError
            Where the fit failed otherwise; the message is the end of what it said.
        """
        status = self._process.wait()
        output = Path(self._folder.name) / f"{name}.npy"
        if status != 0 or not output.is_file():
            said = self.said().strip()
            # Linux kills what takes the last memory, without a word.
            if status == _KILLED or _NO_MEMORY.search(said):
                raise full_memory(MemoryError(), f"Fit {self.what} to fewer particles (landmarks)")
            raise RuntimeError(f"{self.what} failed (status {status}):\n{said[-2000:]}")
        found: npt.NDArray[Any] = np.load(output)
        return found

    def close(self) -> None:
        """Kill the process where it still runs, and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.cleanup()

    def waiting(self) -> Task[None]:
        """Wait for the end, reporting how far it is."""
        while not self.finished():
            done = self.fraction()
            yield Progress(done, 1.0, self.what, self.watch.seconds_left(done))
            time.sleep(POLL_SECONDS)


Arrays = Mapping[str, npt.NDArray[Any]]


def run_child(fit: Callable[[npt.NDArray[np.float32], dict[str, Any]], Arrays]) -> None:
    """Be the child: read what the parent left, fit, leave the arrays for it.

    Parameters
    ----------
    fit : callable
        Takes points and settings, returns arrays by name.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(sys.argv[1])
    settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    for name, array in fit(np.load(folder / _INPUT), settings).items():
        np.save(folder / f"{name}.npy", array)


def report(text: str) -> None:
    """Tell the parent something, in a line."""
    sys.stdout.write(f"{text}\n")


def report_done(share: float) -> None:
    """Tell the parent the share of the work finished, 0 to 1."""
    report(f"done {share:.3f}")


def _end_with_parent() -> None:
    """End this process once its standard input closes: its parent is gone."""
    # Not through sys.stdin, whose lock would be held while the interpreter shuts down.
    while os.read(0, 1):
        pass
    os._exit(1)
