"""What a run that is there already was told, to go on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_cryodrgn.config import RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.run import RunFolder

# What may change when a run is continued, see `training.resume`.
FREE_OPTIONS = ("num_epochs", "checkpoint", "device", "threads", "cache")


def recorded_config(run: RunFolder) -> TrainingConfig:
    """The options that continue a run as it was begun.

    Parameters
    ----------
    run : RunFolder
        A run with a ``config.yaml``, ours or cryoDRGN's.

    Returns
    -------
    TrainingConfig
        With ``load="latest"``. Of cryoDRGN's runs the options that its
        configuration does not record have their defaults.

    Raises
    ------
    InputError
        Where the configuration cannot be used, or is of a run that cannot be
        continued here.
    """
    recorded = read_run_config(run.config)
    # cryoDRGN does not keep the state of the poses' optimiser; our runs do.
    unfinished = recorded.refines_poses and not recorded.training
    if recorded.kind not in ("vae", "nn") or recorded.tilt_series or unfinished:
        raise InputError(
            "runs of this kind cannot be continued here, only explored",
            file=run.config,
            field="kind",
            value="tilt series" if recorded.tilt_series else recorded.kind,
        )
    options = recorded.training or _shown_options(recorded)
    known = {name: value for name, value in options.items() if name in TrainingConfig.model_fields}
    try:
        return TrainingConfig(**(known | {"outdir": run.path, "load": "latest"}))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"it does not say how to continue the run ({first['msg']})",
            file=run.config,
            field=".".join(map(str, first["loc"])),
        ) from error


def _shown_options(recorded: RunConfig) -> dict[str, Any]:
    """Options that cryoDRGN's own configuration shows."""
    files = ("particles", "poses", "ctf", "ind", "datadir")
    named = {name: getattr(recorded, name) for name in files}
    return {
        **recorded.model.model_dump(),
        **{name: Path(value) for name, value in named.items() if value is not None},
        "ignore_ctf": recorded.ctf is None,
        "invert_data": recorded.invert_data,
        "window": recorded.window,
        "window_r": recorded.window_r,
    }
