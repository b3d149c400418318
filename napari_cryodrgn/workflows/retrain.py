"""Training again on what was kept of a run."""

from __future__ import annotations

from pathlib import Path

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import making_folders
from napari_cryodrgn.io.pickles import write_indices, write_poses
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.workflows.continue_run import recorded_config
from napari_cryodrgn.workflows.open_run import OpenRun
from napari_cryodrgn.workflows.run_inputs import UNKNOWN_TABLE


def retrain_config(
    run: OpenRun, kept: ParticleRows, outdir: str | Path, *, from_weights: bool = False
) -> TrainingConfig:
    """The options that train anew, as a run was trained, on some of its particles.

    Their indices are written beside the new run folder, as ``<name>.ind.pkl``; where the run
    has refined poses, so are these, as ``<name>.poses.pkl``, for the new run to begin with.

    Parameters
    ----------
    run : OpenRun
        The run that the particles were chosen in.
    kept : ParticleRows
        The particles to keep.
    outdir : path-like
        Folder for the new run.
    from_weights : bool
        Whether to start from the weights of the epoch that is open, instead of random ones.

    Returns
    -------
    TrainingConfig
        The run's own options, with ``ind`` naming the kept particles.

    Raises
    ------
    InputError
        Where nothing is kept, it is not of this run, the run's options cannot be used, or the
        folder or the weights cannot be.
    """
    if run.latent is None or run.latent.rows.fingerprint == UNKNOWN_TABLE:
        raise InputError(
            "nobody can say which rows of its table the particles of this run are",
            file=run.folder.path,
        )
    if not len(kept):
        raise InputError("no particles are kept, so there is nothing to train on")
    run.latent.rows.positions_of(kept)  # refuses particles of anything else
    target = Path(outdir).expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("this folder is not empty; choose another for the new run", file=target)
    if from_weights and run.weights is None:
        raise InputError("this epoch has no weights to start from", file=run.folder.path)
    config = recorded_config(run.folder)
    files = {name: path for name, path in run.files.items() if getattr(config, name, None)}
    poses = None
    if run.particles is not None and run.folder.poses(run.epoch).is_file():
        poses = run.particles.at(run.particles.rows.positions_of(kept)).poses
    ind = target.with_name(f"{target.name}.ind.pkl")
    with making_folders(target.parent):
        write_indices(ind, kept)
        if poses is not None:
            files["poses"] = target.with_name(f"{target.name}.poses.pkl")
            write_poses(files["poses"], poses)
    return config.model_copy(
        update={
            **files,
            "ind": ind,
            "outdir": target,
            "load": str(run.weights) if from_weights else None,
            # The images kept have another contrast than all; it is measured again.
            "norm": None if not from_weights else config.norm,
        }
    )
