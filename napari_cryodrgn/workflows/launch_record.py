"""The record of how a training was started beside the window."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal

from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_json
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.lock import LockOwner

LaunchKind = Literal["background", "slurm"]


@dataclass(frozen=True)
class Launch:
    """A training that was started beside the window.

    Parameters
    ----------
    kind : {"background", "slurm"}
    submitted : float
        When it was started or queued (seconds since 1970).
    owner : LockOwner or None
        Its process, of one in the background.
    job : str
        Number of the cluster's job; "" in the background.
    """

    kind: LaunchKind
    submitted: float
    owner: LockOwner | None = None
    job: str = ""

    def is_of_this_process(self) -> bool:
        """Whether it is this process that was started."""
        if self.owner is None:
            return os.environ.get("SLURM_JOB_ID") == self.job
        return self.owner.pid == os.getpid()


def read_launch(run: RunFolder) -> Launch | None:
    """How the training in a folder was started; None where nothing readable says it."""
    try:
        content = read_json(run.launch)
        owner = content["owner"] and LockOwner(**content["owner"])
        return Launch(content["kind"], content["submitted"], owner, content["job"])
    except (ValueError, TypeError, KeyError):
        return None


def write_launch(run: RunFolder, launch: Launch) -> None:
    """Note how a training was started, for other windows that look at the folder."""
    write_text(run.launch, json.dumps(asdict(launch)) + "\n")
