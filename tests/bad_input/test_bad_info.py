"""``napari-cryodrgn info`` on anything: says what it is, what is damaged and what missing."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.workflows.info import inspect_path

Run = Callable[[list[str]], int]
Capture = pytest.CaptureFixture[str]

FILES = [
    "particles.mrcs",
    "particles.star",
    "particles.cs",
    "particles.txt",
    "poses.pkl",
    "ctf.pkl",
    "ind.pkl",
    "run/config.yaml",
    "run/z.2.pkl",
    "run/weights.2.pkl",
    "run/analyze.2/umap.pkl",
    "run/analyze.2/kmeans3/labels.pkl",
    "run/analyze.2/kmeans3/centers.txt",
    "run/analyze.2/kmeans3/centers_ind.txt",
    "run/analyze.2/kmeans3/vol_002.mrc",
]


class Code:
    """Its pickle leaves a file named 'executed' where it is loaded without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def pickled(*_: object) -> bytes:
    return pickle.dumps(Code())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) * 2 // 5],
    "garbage": lambda content: bytes(np.random.default_rng(3).integers(0, 256, 3000, np.uint8)),
    "zeros": lambda content: bytes(len(content)),
    "code": pickled,
    "yaml code": lambda content: b'!!python/object/apply:os.system ["touch executed"]\n',
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(name: str, damage: str, folder: Path, run: Run, capsys: Capture) -> None:
    """Refused in one line; what a cut left readable may be described."""
    path = folder / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    before = sorted(folder.rglob("*"))
    status = run(["info", name])
    said = capsys.readouterr()
    assert sorted(folder.rglob("*")) == before
    assert "Traceback" not in said.err
    if status == 0:
        assert damage == "cut"
        return
    assert status == 1
    errors = said.err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("napari-cryodrgn: error: ")
    assert str(path) in errors[0] or name in said.out


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("run/")])
def test_a_run_with_a_damaged_file(
    name: str, damage: str, folder: Path, run: Run, capsys: Capture
) -> None:
    path = folder / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    status = run(["info", "run"])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert not (folder / "executed").exists()
    if damage == "cut" and path.suffix in (".txt", ".yaml"):
        return  # what is left of a text may be sound
    assert status == 1
    assert path.name in said.out
    assert "1 thing is damaged" in said.out.splitlines()[-1]


def test_missing_is_not_damaged(folder: Path, run: Run, capsys: Capture, sound: Path) -> None:
    config = folder / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(sound), "/far/away"))
    for name in ("particles.mrcs", "poses.pkl", "ctf.pkl"):
        (folder / name).unlink()
    assert run(["info", "run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = [line for line in lines if line.startswith("missing: ")]
    assert len(missing) == 3
    assert "/far/away/poses.pkl" in missing[1]
    assert lines[-1] == "Nothing is damaged; 3 things are missing"


def test_an_input_that_cannot_be_used_is_not_missing(
    folder: Path, run: Run, capsys: Capture, sound: Path
) -> None:
    config = folder / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(sound), str(folder)))
    (folder / "poses.pkl").write_bytes(pickled())
    assert run(["info", "run"]) == 1
    said = capsys.readouterr()
    assert "damaged: The" in said.out
    assert "poses.pkl" in said.out
    assert not (folder / "executed").exists()
    assert "damaged" in said.err


@pytest.mark.parametrize("name", [*FILES, "run"])
def test_what_is_sound(name: str, run: Run, capsys: Capture) -> None:
    assert run(["info", name]) == 0
    assert capsys.readouterr().out.endswith("\nNothing is damaged\n")


@pytest.mark.data
def test_every_public_file_is_described_or_refused(data_folder: Path) -> None:
    for path in sorted(data_folder.rglob("*")):
        try:
            text = inspect_path(path).text
        except InputError as error:
            text = str(error)
        assert path.name in text or "damaged" in text
