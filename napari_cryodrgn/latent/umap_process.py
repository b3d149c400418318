"""UMAP in a process of its own.

umap-learn cannot be interrupted and takes 10 s and more to import; a process
can be killed at any moment, and its memory and threads go with it. Parent and
child exchange two ``.npy`` files in a temporary folder; the child reports on
its standard output, and ends when its standard input closes, so that none is
left behind by a parent that was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.progress import Stopwatch

_INPUT, _OUTPUT, _SETTINGS, _LOG = "mu.npy", "embedding.npy", "settings.json", "log.txt"
# Shares of the whole time, roughly, by what is done: import and neighbours, then layout.
_SHARE_BEFORE_LAYOUT = 0.5
_MILESTONES = {
    "started": 0.02,
    "imported": 0.2,
    "Finding Nearest": 0.25,
    "Construct embedding": _SHARE_BEFORE_LAYOUT,
}


class UmapProcess:
    """A UMAP being fitted. Leaving it as a context kills it where it still runs.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates.
    n_neighbors : int
        Size of the neighbourhoods.
    min_dist : float
        Least distance of points in the embedding.
    seed : int or None
        Random seed; None for the faster fit on all cores.

    Attributes
    ----------
    watch : Stopwatch
        Runs since the process was begun; its total is 1.
    """

    def __init__(
        self, mu: npt.NDArray[np.float32], *, n_neighbors: int, min_dist: float, seed: int | None
    ) -> None:
        self._n = len(mu)
        self.watch = Stopwatch(1.0)
        self._folder = tempfile.TemporaryDirectory(prefix="napari-cryodrgn-umap-")
        folder = Path(self._folder.name)
        settings = {"n_neighbors": n_neighbors, "min_dist": min_dist, "random_state": seed}
        np.save(folder / _INPUT, mu)
        (folder / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        self._log = folder / _LOG
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "napari_cryodrgn.latent.umap_process", str(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C in a terminal is for the parent, which then ends this one.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def __enter__(self) -> UmapProcess:
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

    def fraction(self) -> float:
        """Share of the work finished, 0 to 1, as far as the process has reported."""
        return fraction_reported(self._log.read_text(encoding="utf-8", errors="replace"))

    def result(self) -> npt.NDArray[np.float32]:
        """The embedding, (N, 2), of a process that has finished.

        Raises
        ------
        RuntimeError
            Where umap-learn failed; the message is the end of what it said.
        """
        status = self._process.wait()
        output = Path(self._folder.name) / _OUTPUT
        if status != 0 or not output.is_file():
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()
            raise RuntimeError(f"UMAP failed (status {status}):\n{said[-2000:]}")
        embedding: npt.NDArray[np.float32] = np.load(output).astype(np.float32)
        if embedding.shape != (self._n, 2) or not np.isfinite(embedding).all():
            raise RuntimeError(f"UMAP gave no usable embedding (shape {embedding.shape})")
        return embedding

    def close(self) -> None:
        """Kill the process where it still runs, and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.cleanup()


def fraction_reported(log: str) -> float:
    """Share of a UMAP finished, 0 to 1, by what its process has written so far.

    Parameters
    ----------
    log : str
        Its standard output: milestones, then ``epoch n/total`` lines.

    Returns
    -------
    float
    """
    for line in reversed(log.splitlines()):
        epoch, _, total = line.strip().removeprefix("epoch ").partition("/")
        if line.startswith("epoch ") and epoch.isdigit() and total.isdigit():
            return _SHARE_BEFORE_LAYOUT + (1 - _SHARE_BEFORE_LAYOUT) * int(epoch) / int(total)
    return max((share for text, share in _MILESTONES.items() if text in log), default=0.0)


def _end_with_parent() -> None:
    """End this process once its standard input closes: its parent is gone."""
    # Not through sys.stdin, whose lock would be held while the interpreter shuts down.
    while os.read(0, 1):
        pass
    os._exit(1)


def _main(folder: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    if settings["random_state"] is not None:
        settings["n_jobs"] = 1
    sys.stdout.write("started\n")
    import umap

    sys.stdout.write("imported\n")
    bar = {"bar_format": "epoch {n_fmt}/{total_fmt}\n", "file": sys.stdout, "mininterval": 0.2}
    mu = np.load(folder / _INPUT)
    if len(mu) < 16:
        # The spectral start needs more eigenvectors than so few particles have.
        settings["init"] = "random"
    embedding = umap.UMAP(verbose=True, tqdm_kwds=bar, **settings).fit_transform(mu)
    np.save(folder / _OUTPUT, np.asarray(embedding, dtype=np.float32))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
