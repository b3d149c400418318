"""What a training writes into its run folder beside checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.io.pickles import write_ctf, write_indices, write_poses
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.source import write_run_source
from napari_cryodrgn.workflows.train_inputs import ROWS_FILE, TrainingInputs

PATH_OPTIONS = ("particles", "poses", "ctf", "ind", "datadir", "outdir")


def write_new_run(run: RunFolder, config: TrainingConfig, inputs: TrainingInputs) -> RunConfig:
    """Write what describes a new run; nothing of it stays where something fails.

    ``config.yaml`` comes last: a folder that has it is a run.

    Parameters
    ----------
    run : RunFolder
        Its folders must exist.
    config : TrainingConfig
    inputs : TrainingInputs

    Returns
    -------
    RunConfig
        What was written.

    Raises
    ------
    InputError
        Where a file cannot be written.
    """
    poses, ctf = run.path / "poses.pkl", run.path / "ctf.pkl"
    rows = None if inputs.source.rows is None else run.own / inputs.source.rows
    table = inputs.whole_table
    # The file names are free for the user's own tables when the run keeps none.
    owned = [run.config, run.source, *([rows] if rows else [])]
    try:
        if table is not None and config.poses is None and table.poses is not None:
            _refuse_existing(poses)
            owned.append(poses)
            write_poses(poses, table.poses)
        if table is not None and config.ctf is None and table.ctf is not None:
            _refuse_existing(ctf)
            owned.append(ctf)
            write_ctf(ctf, table.ctf)
        if rows is not None:
            write_indices(rows, inputs.particles.rows)
        write_run_source(run.source, inputs.source)
        return write_config(run, config, inputs)
    except BaseException:
        for path in owned:
            path.unlink(missing_ok=True)
        raise


def write_config(run: RunFolder, config: TrainingConfig, inputs: TrainingInputs) -> RunConfig:
    """Write ``config.yaml`` and return what it says."""
    kept_poses, kept_ctf = run.path / "poses.pkl", run.path / "ctf.pkl"
    poses = config.poses if config.poses is not None else kept_poses
    ctf = config.ctf if config.ctf is not None else kept_ctf
    has_ctf = inputs.particles.ctf is not None
    run_config = RunConfig(
        kind="vae" if config.zdim else "nn",
        seed=inputs.seed,
        cmd=command(config),
        box=inputs.particles.box,
        model=config.model(),
        norm=inputs.norm,
        particles=_absolute(config.particles),
        poses=_absolute(poses),
        ctf=_absolute(ctf) if has_ctf else None,
        ind=_absolute(config.ind),
        datadir=_absolute(config.datadir),
        invert_data=config.invert_data,
        window=config.window,
        window_r=config.window_r,
        refines_poses=config.do_pose_sgd,
        training=_recorded(config, inputs),
    )
    write_run_config(run.config, run_config)
    return run_config


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with source.open("rb") as original, replacing(target) as copy:
        shutil.copyfileobj(original, copy)


def remove_leftovers(run: RunFolder) -> None:
    """Delete what a killed training had begun to write and never named.

    Only files of a training, whose lock is held: others may be writing their own.
    """
    names = [path.name for path in (run.config, run.log, run.metrics, run.source, run.status)]
    for start in ("weights", "z", "pose", "reconstruct", "poses.pkl", "ctf.pkl", ROWS_FILE, *names):
        for folder in (run.path, run.own):
            for path in folder.glob(f".{start}.*.part"):
                path.unlink(missing_ok=True)


def command(config: TrainingConfig) -> list[str]:
    """The command line that a training could be started with."""
    words = ["napari-cryodrgn", "train", str(_absolute(config.particles))]
    for name, field in TrainingConfig.model_fields.items():
        value = getattr(config, name)
        extra = field.json_schema_extra
        names = extra.get("names") if isinstance(extra, dict) else None
        if not isinstance(names, list) or not names or value == field.default:
            continue
        option = str(names[-1])
        if isinstance(value, bool):
            words.append(option.split("/")[0 if value else -1])
        elif isinstance(value, tuple):
            words += [option, *map(str, value)]
        else:
            words += [option, str(_absolute(value)) if isinstance(value, Path) else str(value)]
    return words


def _recorded(config: TrainingConfig, inputs: TrainingInputs) -> dict[str, Any]:
    """All options, with absolute paths; the weights first begun with stay on record."""
    recorded = config.model_dump(mode="json")
    for name in PATH_OPTIONS:
        recorded[name] = _absolute(getattr(config, name))
    # Decided once: on it depends the order of the images.
    recorded["lazy"] = inputs.training_set.images.lazy
    if inputs.begun is not None:
        recorded["load"] = inputs.begun.training.get("load")
    elif config.load is not None:
        recorded["load"] = _absolute(Path(config.load))
    return recorded


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise InputError(
            "this file would be overwritten",
            file=path,
            hint="Give another run folder, or move the file",
        )
