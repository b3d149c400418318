"""``decode.json``: what the volumes of a folder were decoded from, so that a rerun goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_json
from napari_cryodrgn.workflows.analysis_files import Z_VALUES
from napari_cryodrgn.workflows.analysis_record import digest
from napari_cryodrgn.workflows.volume_files import VolumeSettings, is_whole
from napari_cryodrgn.workflows.z_values import read_z_values

DECODE_RECORD = "decode.json"

# Names of the settings on the command line, for messages.
_OPTIONS = {
    "weights": "the weights",
    "epoch": "the epoch",
    "box": "-d",
    "pixel_size": "--Apix",
    "flip": "--flip",
    "invert": "--invert",
    "start_index": "--vol-start-index",
    "prefix": "--prefix",
}

Record = dict[str, Any]


def decode_record(
    weights: Path, epoch: int, settings: VolumeSettings, start_index: int, prefix: str
) -> Record:
    """What decides the volumes of a folder, but for the latent points beside them."""
    own = {"weights": digest(weights), "epoch": epoch}
    return own | asdict(settings) | {"start_index": start_index, "prefix": prefix}


def volumes_there(
    out: Path,
    record: Record,
    z: npt.NDArray[np.float32] | None,
    paths: list[Path],
    settings: VolumeSettings,
) -> set[Path]:
    """The volumes that an earlier run of the same decoding has finished.

    Parameters
    ----------
    out : Path
        The folder.
    record : dict
        From `decode_record`.
    z : (n, zdim) float32 array or None
        Latent points wanted; they may go on where those of the earlier run end.
    paths : list of Path
        A file for each.
    settings : VolumeSettings

    Returns
    -------
    set of Path
        None of them where the folder has no record.

    Raises
    ------
    InputError
        Where the folder has volumes of other points, weights or settings.
    """
    path = out / DECODE_RECORD
    if not path.exists():
        return set()
    found = _read(path)
    for name, option in _OPTIONS.items():
        if found.get(name) != record[name]:
            raise InputError(
                f"the volumes in this folder were decoded with another value of {option}",
                file=out,
                field=name,
                value=found.get(name),
                hint="Give another folder, or remove this one",
            )
    if z is not None:
        _check_points(out / Z_VALUES, z)
    return {volume for volume in paths if is_whole(volume, settings)}


def write_record(out: Path, record: Record) -> None:
    """Write down what the volumes in a folder are made from."""
    write_text(out / DECODE_RECORD, json.dumps(record, indent=2) + "\n")


def _check_points(path: Path, z: npt.NDArray[np.float32]) -> None:
    before = read_z_values(path, z.shape[1])
    if len(before) > len(z):
        raise InputError(
            f"the volumes in this folder are of {len(before)} latent points, not {len(z)}",
            file=path.parent,
            hint="Give another folder, or remove this one",
        )
    differs = (before != z[: len(before)]).any(axis=1)
    if differs.any():
        raise InputError(
            "the volumes in this folder are of other latent points",
            file=path,
            field="line",
            value=int(np.argmax(differs)) + 1,
            hint="Give another folder, or remove this one",
        )


def _read(path: Path) -> Record:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError("this is no record of a decoding", file=path)
    return content
