"""Volumes and models that ``simulate`` cannot take, and paths that ``open`` cannot find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from napari_cryodrgn.io.mrc import write_volume

VOLUME = ["simulate", "new", "-N", "4", "--volume", "v.mrc"]
MODEL = ["simulate", "new", "-N", "4", "--box", "16", "--model", "m.pdb"]


def volume(data: np.ndarray, pixel_size: float | None = 3.0) -> Callable[[Path], object]:
    return lambda folder: write_volume(folder / "v.mrc", data, pixel_size)


def raw(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def nothing(folder: Path) -> None:
    pass


class Case(NamedTuple):
    """A fault, what is run on it, and what the message must name."""

    name: str
    fault: Callable[[Path], object]
    words: list[str]
    fragments: tuple[str, ...]


SHAPE = (16, 16, 16)
NOISE = np.random.default_rng(0).normal(size=SHAPE)
CASES = [
    Case("no volume", nothing, VOLUME, ("v.mrc", "no such file")),
    Case("volume garbage", raw("v.mrc", b"\xf0\x81" * 999), VOLUME, ("v.mrc", "no MRC file")),
    Case("not a cube", volume(np.ones((16, 16, 12))), VOLUME, ("v.mrc", "12")),
    Case("NaN voxels", volume(np.full(SHAPE, np.nan)), VOLUME, ("v.mrc", "NaN")),
    Case("flat", volume(np.zeros(SHAPE)), VOLUME, ("v.mrc", "voxels = 0")),
    Case("no pixel size", volume(NOISE, None), VOLUME, ("v.mrc", "--volume-apix")),
    Case("no model", nothing, MODEL, ("m.pdb", "no such file")),
    Case("model garbage", raw("m.pdb", b"\xf0\x81" * 999), MODEL, ("m.pdb",)),
    Case("model empty", raw("m.pdb", b""), MODEL, ("m.pdb",)),
    Case("nothing to open", nothing, ["open", "nowhere"], ("nowhere", "no such file or folder")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_command_refuses(case: Case, folder: Path, refused: Callable[..., str]) -> None:
    if "m.pdb" in case.words:
        pytest.importorskip("gemmi")
    case.fault(folder)
    refused(case.words, *case.fragments)
