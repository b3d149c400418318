"""The run folder: where each file of a run lies, and which epochs are finished.

The layout is cryoDRGN's; what is ours beside it lies in one subfolder that
cryoDRGN ignores. Paths only: reading and writing is in ``io`` and ``model``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_cryodrgn.errors import InputError

OWN_FOLDER = "napari-cryodrgn"


def require_yaml(config: Path) -> None:
    """Make sure that a missing ``config.yaml`` is not that of an early run.

    Raises
    ------
    InputError
        Where ``config.pkl`` lies in its place.
    """
    early = config.with_name("config.pkl")
    if early.is_file() and not config.exists():
        raise InputError(
            "this run was written by a cryoDRGN that had no config.yaml yet",
            file=early,
            hint="Make a config.yaml of it with five lines of Python (see existing_runs.md)",
        )


@dataclass(frozen=True)
class AnalysisFolder:
    """Paths within ``analyze.N``.

    Parameters
    ----------
    path : Path
        The folder itself.
    """

    path: Path

    @property
    def umap(self) -> Path:
        """UMAP coordinates, (N, 2) float32 pickle."""
        return self.path / "umap.pkl"

    def kmeans(self, n_clusters: int) -> Path:
        """Folder of one k-means clustering."""
        return self.path / f"kmeans{n_clusters}"

    def pc(self, number: int) -> Path:
        """Folder of the traversal along principal component `number`, from 1."""
        return self.path / f"pc{number}"

    def kmeans_counts(self) -> list[int]:
        """Cluster counts for which a k-means folder is there, ascending."""
        return _numbers(self.path, r"kmeans(\d+)")

    def pc_numbers(self) -> list[int]:
        """Principal components for which a traversal is there, ascending."""
        return _numbers(self.path, r"pc(\d+)")


@dataclass(frozen=True)
class RunFolder:
    """Paths within a run folder.

    Parameters
    ----------
    path : Path
        The folder itself.
    """

    path: Path

    @classmethod
    def existing(cls, path: str | Path) -> RunFolder:
        """A folder that holds a run.

        Raises
        ------
        InputError
            Where there is no such folder, or nothing of a run in it.
        """
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise InputError("there is no such folder", file=folder)
        run = cls(folder)
        if run.config.is_file() or run.latent_epochs() or run.weight_epochs():
            return run
        require_yaml(run.config)
        raise InputError(
            "this is no run folder: it has neither config.yaml nor weights nor latents",
            file=folder,
        )

    @property
    def config(self) -> Path:
        """Configuration of the run."""
        return self.path / "config.yaml"

    @property
    def log(self) -> Path:
        """Log of the training."""
        return self.path / "run.log"

    @property
    def own(self) -> Path:
        """Subfolder for the files that are ours alone."""
        return self.path / OWN_FOLDER

    @property
    def metrics(self) -> Path:
        """Training metrics: one JSON object a line, one line an epoch."""
        return self.own / "metrics.jsonl"

    @property
    def source(self) -> Path:
        """Identity of the particles (JSON): source table, fingerprint, rows."""
        return self.own / "particles.json"

    @property
    def session(self) -> Path:
        """What a window last showed of the run (JSON)."""
        return self.own / "session.json"

    @property
    def session_lock(self) -> Path:
        """Names the window that keeps the session."""
        return self.own / "session.lock"

    @property
    def selections(self) -> Path:
        """Folder of the selections of its particles."""
        return self.own / "selections"

    @property
    def clusterings(self) -> Path:
        """Folder of cluster labels made beside the analysis."""
        return self.own / "clusterings"

    @property
    def embeddings(self) -> Path:
        """Folder of embeddings made beside the analysis."""
        return self.own / "embeddings"

    @property
    def columns(self) -> Path:
        """Folder of columns of particles made beside the analysis: scores, outlier measures."""
        return self.own / "columns"

    @property
    def lock(self) -> Path:
        """Names the process that is training here."""
        return self.own / "training.lock"

    @property
    def status(self) -> Path:
        """How far the training here has come, for whoever follows it (JSON)."""
        return self.own / "training.json"

    @property
    def stop_request(self) -> Path:
        """Asks the training here to stop."""
        return self.own / "stop.request"

    @property
    def launch(self) -> Path:
        """How a training was started beside the window (JSON)."""
        return self.own / "launch.json"

    @property
    def launch_log(self) -> Path:
        """What a training that was started beside the window says on its terminal."""
        return self.own / "launch.log"

    def weights(self, epoch: int | None = None) -> Path:
        """Checkpoint of an epoch; the final, unnumbered one without a number."""
        return self._numbered("weights", epoch, "pkl")

    def latents(self, epoch: int | None = None) -> Path:
        """Latents of an epoch; the final, unnumbered ones without a number."""
        return self._numbered("z", epoch, "pkl")

    def reconstruction(self, epoch: int | None = None) -> Path:
        """Volume written at the end of an epoch by a run without latents."""
        return self._numbered("reconstruct", epoch, "mrc")

    def poses(self, epoch: int | None = None) -> Path:
        """Refined poses of an epoch, where a run refines them."""
        return self._numbered("pose", epoch, "pkl")

    def analysis(self, epoch: int) -> AnalysisFolder:
        """Analysis of an epoch."""
        return AnalysisFolder(self.path / f"analyze.{epoch}")

    def weight_epochs(self) -> list[int]:
        """Epochs that have a checkpoint, ascending."""
        return _numbers(self.path, r"weights\.(\d+)\.pkl")

    def latent_epochs(self) -> list[int]:
        """Epochs that have latents, ascending."""
        return _numbers(self.path, r"z\.(\d+)\.pkl")

    def analysis_epochs(self) -> list[int]:
        """Epochs that have an analysis folder, ascending."""
        return _numbers(self.path, r"analyze\.(\d+)")

    def epoch_or_latest(self, epoch: int | None, available: list[int], what: str) -> int:
        """The epoch asked for, or the latest one available.

        Raises
        ------
        InputError
            Where the epoch is not there, or none is.
        """
        if not available:
            raise InputError(f"the run has no {what} of any epoch", file=self.path)
        if epoch is None:
            return available[-1]
        if epoch not in available:
            listed = ", ".join(map(str, available))
            raise InputError(
                f"the run has no {what} of this epoch (it has {listed})",
                file=self.path,
                field="epoch",
                value=epoch,
            )
        return epoch

    def _numbered(self, stem: str, epoch: int | None, ending: str) -> Path:
        number = "" if epoch is None else f".{epoch}"
        return self.path / f"{stem}{number}.{ending}"


def _numbers(folder: Path, pattern: str) -> list[int]:
    matches = (re.fullmatch(pattern, entry.name) for entry in folder.glob("*"))
    return sorted(int(match.group(1)) for match in matches if match)
