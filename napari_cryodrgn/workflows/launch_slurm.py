"""A training as a job of a cluster that SLURM manages; submitit hands it over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import duration_text
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.follow_status import When, read_status, request_stop
from napari_cryodrgn.workflows.launch import make_ready
from napari_cryodrgn.workflows.launch_options import SlurmOptions
from napari_cryodrgn.workflows.launch_record import Launch, read_launch, write_launch
from napari_cryodrgn.workflows.train_files import command

ASK_SECONDS = 5.0
"""Between two questions to SLURM, whose managers ask users not to press it."""

COMMAND_SECONDS = 20.0

# SLURM's reasons in words that say what to do, for the common ones.
REASONS = {
    "Resources": "for free computers",
    "Priority": "for jobs before it",
    "Dependency": "for another job",
    "QOSMaxJobsPerUserLimit": "for other jobs of yours",
    "PartitionTimeLimit": "for ever: the time limit is above that of the partition",
    "ReqNodeNotAvail": "for computers that are reserved or switched off",
}


def launch_on_slurm(config: TrainingConfig, options: SlurmOptions) -> Launch:
    """Queue a training as a SLURM job.

    Parameters
    ----------
    config : TrainingConfig
        Its files and run folder must be seen by the cluster's computers too.
    options : SlurmOptions

    Returns
    -------
    Launch
        Written into the run folder too; `follow.follow_run` follows it.

    Raises
    ------
    InputError
        Where submitit or SLURM is not there, SLURM refuses the job, or a training
        is under way in the folder.
    """
    submitit = _submitit()
    run = RunFolder(config.outdir.expanduser().absolute())
    make_ready(run)
    words = [*command(config)[1:], "--no-analysis"]
    try:
        executor = submitit.SlurmExecutor(folder=str(_logs(run)))
        executor.update_parameters(**_parameters(options))
        job = executor.submit(train_in_job, words)
    except (RuntimeError, OSError, submitit.core.utils.FailedJobError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"SLURM did not take the job ({said})", field="--launcher") from error
    launch = Launch("slurm", time.time(), None, str(job.job_id))
    write_launch(run, launch)
    return launch


def train_in_job(words: list[str]) -> None:
    """What the job runs, on the cluster's computer, in each of its processes.

    Parameters
    ----------
    words : list of str
        Command line without the program's name.
    """
    submitit = _submitit()
    if submitit.JobEnvironment().num_tasks > 1:
        submitit.helpers.TorchDistributedEnvironment().export()
    done = subprocess.run([sys.executable, "-m", "napari_cryodrgn", *words], check=False)
    if done.returncode:
        raise RuntimeError(f"the training ended with status {done.returncode}")


def stop_training(run: RunFolder, when: When) -> None:
    """Ask the training in a folder to stop; one that is still queued never begins.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or SLURM cannot be asked.
    """
    launch = read_launch(run)
    if launch is not None and launch.job and read_status(run) is None:
        cancel_job(launch.job)
    else:
        request_stop(run, when)


def cancel_job(job: str) -> None:
    """Take a job out of the queue, or end it.

    Raises
    ------
    InputError
        Where SLURM cannot be asked.
    """
    if _asked(["scancel", job]) is None:
        raise InputError("SLURM cannot be asked from this computer", field="SLURM job", value=job)


@dataclass
class JobWatch:
    """Asks SLURM about a job, now and then.

    Parameters
    ----------
    launch : Launch
        Of a SLURM job.
    """

    launch: Launch
    state: Literal["unknown", "queued", "running", "gone"] = "unknown"
    reason: str = ""
    _asked_at: float = field(default=-ASK_SECONDS)

    def look(self) -> None:
        """Ask again, where the last answer is old."""
        if time.monotonic() - self._asked_at < ASK_SECONDS:
            return
        # A job that has ended is listed for some minutes, then not known any more.
        answer = _asked(["squeue", "--noheader", "--jobs", self.launch.job, "--format", "%T|%r"])
        self._asked_at = time.monotonic()
        if answer is None:
            self.state = "unknown"
            return
        state, _, self.reason = answer.partition("|")
        if state in ("PENDING", "CONFIGURING", "REQUEUED", "SUSPENDED"):
            self.state = "queued"
        elif state in ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING"):
            self.state = "running"
        else:
            self.state = "gone"

    def words(self) -> str:
        """The state of a job whose training has not begun, for people."""
        job = f"SLURM job {self.launch.job}"
        if self.state == "running":
            return f"{job} has a computer, the training starts …"
        if self.state == "unknown":
            return f"{job} is queued; SLURM cannot be asked from this computer"
        if self.state == "gone":
            return f"{job} has ended"
        waited = duration_text(max(0.0, time.time() - self.launch.submitted))
        reason = REASONS.get(self.reason.split(",")[0], f"({self.reason})" if self.reason else "")
        return f"{job} has been queued for {waited} and waits {reason}".rstrip()


def job_log(run: RunFolder, job: str) -> str:
    """The end of what the job wrote, its errors first."""
    parts = []
    for ending in ("err", "out"):
        for path in sorted(_logs(run).glob(f"{job}*_log.{ending}")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            parts += [f"{path.name}:", *lines[-8:]]
    return "\n".join(parts)


def _parameters(options: SlurmOptions) -> dict[str, Any]:
    wanted = {
        "job_name": "napari-cryodrgn",
        "partition": options.partition,
        "account": options.account,
        "time": max(1, round(options.hours * 60)),
        "nodes": 1,
        "ntasks_per_node": max(1, options.gpus),
        "gpus_per_node": options.gpus or None,
        "cpus_per_task": options.cpus,
        "mem": None if options.memory is None else f"{options.memory}GB",
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _logs(run: RunFolder) -> Path:
    return run.own / "slurm"


def _asked(words: list[str]) -> str | None:
    """What a command of SLURM answers; "" where it refuses, None where it is not there."""
    if shutil.which(words[0]) is None:
        return None
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode and "Invalid job id" not in done.stderr:
        return None  # its manager is not reached at the moment
    return done.stdout.strip()


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "training on a cluster needs submitit",
            field="--launcher",
            value="slurm",
            hint="Install it with: pip install 'napari-cryodrgn[slurm]'",
        ) from error
    return submitit
