"""What cryoDRGN's trainings of simulated sets have come to, kept in a file for later comparisons.

A training's result does not depend on the machine's speed, its time does: with the results known,
a comparison of speed need not train cryoDRGN to the end again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.checks import read_text
from napari_cryodrgn.io.safe_yaml import read_yaml
from napari_cryodrgn.workflows.training_quality import TrainingQuality

LARGEST = 1 << 20
"""Bytes of a file with the results of thousands of trainings."""


class KnownTrainings(BaseModel):
    """Trainings that differ by their seed alone.

    Parameters
    ----------
    particles : dict
        Settings by which `simulate` made the set.
    options : dict
        Of the training: width, layers, latent dimensions, learning rate, epochs.
    qualities : dict of int to TrainingQuality
        After the last epoch, by seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    particles: dict[str, Any]
    options: dict[str, float]
    qualities: dict[int, TrainingQuality]


_FILE = TypeAdapter(list[KnownTrainings])


def simulation_settings(particles: Path) -> dict[str, Any]:
    """Settings of the simulation that made the set in a folder.

    Raises
    ------
    InputError
        Where the folder does not say.
    """
    file = particles / "simulation.yaml"
    found = read_yaml(file)
    if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
        raise InputError("there are no settings of a simulation", file=file)
    return dict(found["settings"])


def known_qualities(
    file: Path, particles: dict[str, Any], options: dict[str, float]
) -> dict[int, TrainingQuality]:
    """What is known of trainings of a set, by seed.

    Parameters
    ----------
    file : Path
        Need not exist.
    particles, options : dict
        As in `KnownTrainings`.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    for entry in _read(file):
        if (entry.particles, entry.options) == (particles, options):
            return entry.qualities
    return {}


def remember_quality(
    file: Path,
    particles: dict[str, Any],
    options: dict[str, float],
    seed: int,
    quality: TrainingQuality,
) -> None:
    """Add what a training has come to, in place of what was known of this seed."""
    found = _read(file)
    others = [entry for entry in found if (entry.particles, entry.options) != (particles, options)]
    qualities = {**known_qualities(file, particles, options), seed: quality}
    mine = KnownTrainings(
        particles=particles, options=options, qualities=dict(sorted(qualities.items()))
    )
    write_text(file, _FILE.dump_json([*others, mine], indent=1).decode() + "\n")


def _read(file: Path) -> list[KnownTrainings]:
    if not file.exists():
        return []
    try:
        return _FILE.validate_json(read_text(file, LARGEST))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(first["msg"], file=file, field=where or None) from error
