"""What a cluster is asked for when a training is queued there."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from napari_cryodrgn.config import option

GROUP = "Cluster (SLURM)"


class SlurmOptions(BaseModel):
    """Resources of a SLURM job. What is left empty the cluster decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: str | None = option(
        None,
        "Partition",
        "Queue of the cluster; its default one if empty.",
        "--slurm-partition",
        group=GROUP,
    )
    gpus: int = option(
        1,
        "GPUs",
        "GPUs on one computer, each with a process of its own; 0 trains on processors.",
        "--slurm-gpus",
        group=GROUP,
        ge=0,
        le=64,
    )
    hours: float = option(
        24.0,
        "Time limit (h)",
        "The job is ended after this time; a run that is cut off can be continued.",
        "--slurm-hours",
        group=GROUP,
        gt=0,
    )
    cpus: int = option(
        4, "CPUs per process", "Processors for each process.", "--slurm-cpus", group=GROUP, ge=1
    )
    memory: int | None = option(
        None,
        "Memory (GB)",
        "Memory of the whole job; the cluster's default if empty.",
        "--slurm-memory",
        group=GROUP,
        ge=1,
    )
    account: str | None = option(
        None, "Account", "Whom the time is booked on.", "--slurm-account", group=GROUP
    )
