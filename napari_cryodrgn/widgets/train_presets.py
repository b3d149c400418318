"""Sets of sensible training options, and plain words on how long they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_cryodrgn.config import TrainingConfig

CUSTOM = "Custom"


@dataclass(frozen=True)
class Preset:
    """Options that go together.

    Parameters
    ----------
    name : str
        As people choose it.
    purpose : str
        What it is for.
    values : mapping
        Options by field of `TrainingConfig`.
    """

    name: str
    purpose: str
    values: Mapping[str, Any]


def _defaults(*names: str) -> dict[str, Any]:
    return {name: TrainingConfig.model_fields[name].default for name in names}


_NETWORK = ("zdim", "enc_layers", "enc_dim", "dec_layers", "dec_dim")
_COURSE = ("num_epochs", "batch_size", "lr", "schedule")

PRESETS = (
    Preset(
        "Quick look",
        "A small network that learns fast: shows within minutes to hours whether there is "
        "something to find. Images of 128 px or less are best.",
        _defaults(*_NETWORK, *_COURSE)
        | {"zdim": 4, "enc_dim": 256, "dec_dim": 256, "num_epochs": 15, "lr": 5e-4}
        | {"schedule": "fast"},
    ),
    Preset(
        "Fine detail",
        "A wide network that learns fast: for particles that have been cleaned up.",
        _defaults(*_NETWORK, *_COURSE) | {"schedule": "fast"},
    ),
    Preset(
        "cryoDRGN default",
        "What cryodrgn train_vae does without options, step for step: a wide network, which "
        "learns more slowly than with “Fine detail”.",
        _defaults(*_NETWORK, *_COURSE),
    ),
)


def default_preset(device: str) -> Preset:
    """The preset to begin with on a device: ``cuda``, ``mps`` or ``cpu``."""
    return PRESETS[1] if device == "cuda" else PRESETS[0]


def matching_preset(values: Mapping[str, Any]) -> Preset | None:
    """The preset that form values agree with; None where they are one's own."""
    for preset in PRESETS:
        if all(values.get(name) == value for name, value in preset.values.items()):
            return preset
    return None


def device_advice(device: str, values: Mapping[str, Any]) -> str:
    """A warning where a training will take very long on a device; else "".

    Parameters
    ----------
    device : str
        Where it will be computed: ``cuda``, ``mps`` or ``cpu``.
    values : mapping
        Form values.
    """
    width = max(int(values.get("enc_dim") or 0), int(values.get("dec_dim") or 0))
    if device == "cpu" and width > 256:
        return (
            f"PyTorch finds no GPU here. Networks {width} wide take days to weeks on a CPU: "
            "choose “Quick look” or widths of 256 or less, or train on a computer with a GPU "
            "and open the run folder here."
        )
    return ""
