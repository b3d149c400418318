"""Every fault a particle set may have, met by ``napari-cryodrgn train``."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import starfile

N, BOX = 24, 16
SMALL = [
    "-o",
    "new",
    "--zdim",
    "2",
    "--enc-dim",
    "8",
    "--dec-dim",
    "8",
    "-n",
    "1",
    "--device",
    "cpu",
    "--threads",
    "1",
]
STACK = ["train", "particles.mrcs", "--poses", "poses.pkl", "--ctf", "ctf.pkl"]
CHOSEN = [*STACK, "--ind", "ind.pkl"]
STAR, CS, TXT = (["train", f"particles.{ending}"] for ending in ("star", "cs", "txt"))
TXT = [*TXT, "--poses", "poses.pkl"]

Fault = Callable[[Path], object]


class Code:
    """Its pickle leaves a file named 'executed' where it is loaded without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


class Case(NamedTuple):
    """A fault, what is run on it, and what the message must name."""

    name: str
    fault: Fault
    words: list[str]
    fragments: tuple[str, ...]


# ---------------------------------------------------------------- makers of faults


def dump(name: str, content: object) -> Fault:
    return lambda folder: (folder / name).write_bytes(pickle.dumps(content))


def text(name: str, content: str) -> Fault:
    return lambda folder: (folder / name).write_text(content)


def raw(name: str, content: bytes) -> Fault:
    return lambda folder: (folder / name).write_bytes(content)


def gone(name: str) -> Fault:
    return lambda folder: (folder / name).unlink()


def a_folder(name: str) -> Fault:
    def fault(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return fault


def no_fault(folder: Path) -> None:
    pass


def cut(name: str, keep: int) -> Fault:
    return lambda folder: os.truncate(folder / name, keep)


def poses(change: Callable[[np.ndarray, np.ndarray], object]) -> Fault:
    """Changes rotations and shifts in place, or returns what to write instead."""

    def fault(folder: Path) -> None:
        rotations, shifts = pickle.loads((folder / "poses.pkl").read_bytes())
        changed = change(rotations, shifts)
        dump("poses.pkl", (rotations, shifts) if changed is None else changed)(folder)

    return fault


def ctf(change: Callable[[np.ndarray], object]) -> Fault:
    def fault(folder: Path) -> None:
        table = pickle.loads((folder / "ctf.pkl").read_bytes())
        changed = change(table)
        dump("ctf.pkl", table if changed is None else changed)(folder)

    return fault


def put(array: np.ndarray, where: Any, value: float) -> None:
    array[where] = value


def pixels(change: Callable[[np.ndarray], object]) -> Fault:
    def fault(folder: Path) -> None:
        path = folder / "particles.mrcs"
        data = bytearray(path.read_bytes())
        change(np.frombuffer(data, "<f4", offset=1024).reshape(N, BOX, BOX))
        path.write_bytes(data)

    return fault


def stack_of(*shape: int) -> Fault:
    """Replaces the stack by one of another shape."""

    def fault(folder: Path) -> None:
        header = bytearray((folder / "particles.mrcs").read_bytes()[:1024])
        np.frombuffer(header, "<i4", 3)[:] = shape[::-1]
        size = np.random.default_rng(0).normal(size=shape).astype("<f4").tobytes()
        (folder / "particles.mrcs").write_bytes(bytes(header) + size)

    return fault


def header(offset: int, value: int) -> Fault:
    def fault(folder: Path) -> None:
        with (folder / "particles.mrcs").open("r+b") as file:
            file.seek(offset)
            file.write(int(value).to_bytes(4, "little"))

    return fault


def star(block: str, column: str, values: Any) -> Fault:
    """Gives a column of the star file other values; without any it is left out."""

    def change(blocks: dict[str, pd.DataFrame]) -> None:
        frame = blocks[block].drop(columns=column)
        if values is not None:
            given = blocks[block].get(column)
            frame[column] = values(given.copy()) if callable(values) else values
        blocks[block] = frame

    return star_file(change)


def star_file(change: Callable[[dict[str, pd.DataFrame]], object]) -> Fault:
    def fault(folder: Path) -> None:
        blocks = starfile.read(folder / "particles.star", always_dict=True)
        change(blocks)
        starfile.write(blocks, folder / "particles.star", overwrite=True)

    return fault


def row(number: int, value: Any) -> Callable[[pd.Series], pd.Series]:
    def change(column: pd.Series) -> pd.Series:
        column = column.astype(object)
        column.iloc[number] = value
        return column

    return change


def cs(field: str, change: Callable[[np.ndarray], np.ndarray | None] | None) -> Fault:
    """Gives a field of the cryoSPARC table other values; without any it is left out."""

    def fault(folder: Path) -> None:
        path = folder / "particles.cs"
        table = np.load(path)
        columns = {name: table[name] for name in table.dtype.names if name != field}
        if change is not None:
            values = table[field].copy()
            changed = change(values)
            columns[field] = values if changed is None else changed
        kinds = [(name, values.dtype, values.shape[1:]) for name, values in columns.items()]
        rows = np.zeros(len(table), kinds)
        for name, values in columns.items():
            rows[name] = values
        with path.open("wb") as file:
            np.save(file, rows)

    return fault


def object_array(folder: Path) -> None:
    with (folder / "particles.cs").open("wb") as file:
        np.save(file, np.array([Code()]), allow_pickle=True)


# ---------------------------------------------------------------- the table

INF, NAN = np.inf, np.nan
COUNTS = [
    Case("fewer poses", poses(lambda r, s: (r[:9], s[:9])), STACK, ("poses.pkl", "24", "= 9")),
    Case("more poses", poses(lambda r, s: (r.repeat(2, 0), s.repeat(2, 0))), STACK, ("= 48",)),
    Case("fewer shifts", poses(lambda r, s: (r, s[:9])), STACK, ("poses.pkl", "shifts", "(9, 2)")),
    Case("fewer CTFs", ctf(lambda t: t[:5]), STACK, ("ctf.pkl", "CTF", "24", "= 5")),
    Case("fewer chosen poses", poses(lambda r, s: (r[:9], s[:9])), CHOSEN, ("12", "= 9")),
    Case("fewer images", stack_of(20, BOX, BOX), STACK, ("poses.pkl", "20", "24")),
    Case("fewer images of star", stack_of(20, BOX, BOX), STAR, ("particles.mrcs", "20", "= 21")),
    Case("fewer images of cs", stack_of(20, BOX, BOX), CS, ("particles.mrcs", "20", "= 21")),
    Case("fewer images of txt", stack_of(20, BOX, BOX), TXT, ("poses.pkl", "20", "24")),
]
STACKS = [
    Case("odd box", stack_of(N, 15, 15), STACK, ("particles.mrcs", "15", "even")),
    Case("odd box of star", stack_of(N, 15, 15), STAR, ("particles.mrcs", "15", "even")),
    Case("not square", stack_of(N, 16, 18), STACK, ("particles.mrcs", "18", "16", "square")),
    Case("stack cut", cut("particles.mrcs", 20_000), STACK, ("particles.mrcs", "20000")),
    Case("stack cut in header", cut("particles.mrcs", 500), STACK, ("particles.mrcs", "500")),
    Case("stack empty", cut("particles.mrcs", 0), STACK, ("particles.mrcs",)),
    Case("stack is garbage", raw("particles.mrcs", b"\xf7\x81" * 9000), STACK, ("no MRC file",)),
    Case("stack is text", text("particles.mrcs", "hello " * 999), STACK, ("no MRC file",)),
    Case("stack is gone", gone("particles.mrcs"), STACK, ("particles.mrcs", "no such file")),
    Case("stack is a folder", a_folder("particles.mrcs"), STACK, ("particles.mrcs", "folder")),
    Case("no images", header(8, 0), STACK, ("particles.mrcs", "0")),
    Case("complex pixels", header(12, 4), STACK, ("particles.mrcs", "mode = 4")),
    Case("NaN pixel", pixels(lambda p: put(p, (7, 3, 3), NAN)), STACK, ("particles.mrcs", "= 8")),
    Case("infinite pixel", pixels(lambda p: put(p, (7, 3, 3), INF)), STAR, ("star", "NaN", "= 8")),
    Case("NaN pixel of cs", pixels(lambda p: put(p, (23, 0, 0), NAN)), CS, ("cs", "NaN", "= 24")),
    Case("no contrast", pixels(lambda p: put(p, ..., 0)), STACK, ("particles.mrcs", "contrast")),
]
POSES = [
    Case("NaN rotation", poses(lambda r, s: put(r, (3, 0, 0), NAN)), STACK, ("poses.pkl", "= 3")),
    Case("infinite shift", poses(lambda r, s: put(s, (3, 0), INF)), STACK, ("poses.pkl", "= 3")),
    Case("shear", poses(lambda r, s: put(r, (5, 0, 0), 3)), STACK, ("poses.pkl", "row 5", "3.")),
    Case("mirror", poses(lambda r, s: put(r, 5, np.diag([1, 1, -1]))), STACK, ("row 5", "-1")),
    Case("all zero", poses(lambda r, s: put(r, ..., 0)), STACK, ("poses.pkl", "row 0")),
    Case("2 x 2", poses(lambda r, s: (r[:, :2, :2], s)), STACK, ("poses.pkl", "(24, 2, 2)")),
    Case("shifts in px", poses(lambda r, s: (r, s * 200)), STACK, ("pixels", "fraction", "16")),
    Case("three parts", poses(lambda r, s: (r, s, s)), STACK, ("poses.pkl", "= 3")),
    Case("texts", dump("poses.pkl", (["a"], ["b"])), STACK, ("poses.pkl", "rotations")),
    Case("a table", dump("poses.pkl", {"a": 1}), STACK, ("poses.pkl", "dict")),
    Case("poses gone", gone("poses.pkl"), STACK, ("poses.pkl", "no such file")),
    Case("poses cut", cut("poses.pkl", 300), STACK, ("poses.pkl", "no readable pickle")),
    Case("poses empty", cut("poses.pkl", 0), STACK, ("poses.pkl", "no readable pickle")),
    Case("poses a folder", a_folder("poses.pkl"), STACK, ("poses.pkl", "folder")),
    Case("poses are CTF", lambda f: (f / "ctf.pkl").replace(f / "poses.pkl"),
         STACK, ("poses.pkl", "rotations", "(24, 9)")),
    Case("no poses", no_fault, ["train", "particles.mrcs"], ("particles.mrcs", "--poses")),
    Case("poses run code", dump("poses.pkl", Code()), STACK, ("poses.pkl", "refused", "system")),
]  # fmt: skip
CTFS = [
    Case("NaN CTF", ctf(lambda t: put(t, (4, 2), NAN)), STACK, ("ctf.pkl", "defocus_u", "row 4")),
    Case("infinite CTF", ctf(lambda t: put(t, (4, 4), INF)), STACK, ("defocus_angle = inf",)),
    Case("no voltage", ctf(lambda t: put(t, (6, 5), 0)), STACK, ("ctf.pkl", "voltage, row 6")),
    Case("contrast of 7", ctf(lambda t: put(t, (6, 7), 7)), STACK, ("amplitude_contrast", "7.0")),
    Case("8 columns", ctf(lambda t: t[:, 1:]), STACK, ("ctf.pkl", "(24, 8)")),
    Case("CTF runs code", dump("ctf.pkl", Code()), STACK, ("ctf.pkl", "refused", "system")),
    Case("CTF gone", gone("ctf.pkl"), STACK, ("ctf.pkl", "no such file")),
    Case("CTF is poses", lambda f: (f / "poses.pkl").replace(f / "ctf.pkl"),
         ["train", "particles.star", "--ctf", "ctf.pkl"], ("ctf.pkl", "CTF")),
]  # fmt: skip
INDICES = [
    Case("index too large", dump("ind.pkl", np.array([0, 24])), CHOSEN, ("ind.pkl", "24 rows")),
    Case("index negative", dump("ind.pkl", np.array([-1, 3])), CHOSEN, ("ind.pkl", "= -1")),
    Case("index twice", dump("ind.pkl", np.array([3, 5, 3])), CHOSEN, ("repeated", "= 3")),
    Case("index of text", dump("ind.pkl", ["a"]), CHOSEN, ("ind.pkl", "indices")),
    Case("index a fraction", dump("ind.pkl", np.array([0.5])), CHOSEN, ("ind.pkl", "float64")),
    Case("mask", dump("ind.pkl", np.ones(N, bool)), CHOSEN, ("ind.pkl", "bool")),
    Case("nothing chosen", dump("ind.pkl", np.array([], int)), CHOSEN, ("ind.pkl", "empty")),
    Case("nothing chosen of star", dump("ind.pkl", []), [*STAR, "--ind", "ind.pkl"], ("empty",)),
    Case("indices run code", dump("ind.pkl", Code()), CHOSEN, ("ind.pkl", "refused", "system")),
    Case("indices gone", gone("ind.pkl"), CHOSEN, ("ind.pkl", "no such file")),
    Case("huge index", dump("ind.pkl", np.array([2**63], "u8")), CHOSEN, ("ind.pkl",)),
]
STARS = [
    Case("no angle", star("particles", "rlnAnglePsi", None), STAR, ("star", "_rlnAnglePsi")),
    Case("no names", star("particles", "rlnImageName", None), STAR, ("star", "_rlnImageName")),
    Case("no defocus V", star("particles", "rlnDefocusV", None), STAR, ("_rlnDefocusV",)),
    Case("no voltage", star("optics", "rlnVoltage", None), STAR, ("star", "_rlnVoltage")),
    Case("no group column", star("optics", "rlnOpticsGroup", None), STAR, ("_rlnOpticsGroup",)),
    Case("no y", star("particles", "rlnOriginYAngst", None), STAR, ("_rlnOriginYAngst",)),
    Case("unknown group", star("particles", "rlnOpticsGroup", row(4, 9)), STAR, ("row 5", "= 9")),
    Case("NaN angle", star("particles", "rlnAngleRot", row(4, "nan")), STAR, ("_rlnAngleRot",)),
    Case("text for defocus", star("particles", "rlnDefocusU", row(4, "bad")), STAR, ("= bad",)),
    Case("infinite defocus", star("particles", "rlnDefocusU", row(4, "inf")), STAR, ("= inf",)),
    Case("pixel size 0", star("optics", "rlnImagePixelSize", 0), STAR, ("PixelSize", "= 0")),
    Case("shifts of 9 boxes", star("particles", "rlnOriginXAngst", 432.0), STAR, ("9.0", "Angst")),
    Case("number 0", star("particles", "rlnImageName", row(4, "0@particles.mrcs")), STAR, ("0@",)),
    Case("no number", star("particles", "rlnImageName", row(4, "a.mrcs")), STAR, ("a.mrcs",)),
    Case("stack nowhere", star("particles", "rlnImageName", row(4, "1@far/away.mrcs")), STAR,
         ("particles.star", "image file = far/away.mrcs", "tried", "here/far/away.mrcs",
          "here/away.mrcs", "--datadir")),
    Case("stack nowhere in datadir", star("particles", "rlnImageName", row(4, "1@away.mrcs")),
         [*STAR, "--datadir", "run"], ("away.mrcs", "tried run/away.mrcs")),
    Case("no datadir", no_fault, [*STAR, "--datadir", "nowhere"], ("datadir = nowhere",)),
    Case("no data block", text("particles.star", "# nothing\n"), STAR, ("particles.star",)),
    Case("empty block", text("particles.star", "data_particles\n\nloop_\n_rlnImageName #1\n"),
         STAR, ("particles.star", "no rows")),
    Case("star empty", text("particles.star", ""), STAR, ("particles.star",)),
    Case("star is garbage", raw("particles.star", b"\x00\xff\x93" * 999), STAR, ("star",)),
    Case("star is a folder", a_folder("particles.star"), STAR, ("particles.star", "folder")),
    Case("star is gone", gone("particles.star"), STAR, ("particles.star", "no such file")),
    Case("ragged rows", text("particles.star", "data_\n\nloop_\n_rlnImageName\n_rlnAngleRot\n"
         "1@particles.mrcs 1 2 3\n2@particles.mrcs\n"), STAR, ("particles.star",)),
]  # fmt: skip
CSS = [
    Case("no blob/path", cs("blob/path", None), CS, ("particles.cs", "blob/path")),
    Case("no blob/idx", cs("blob/idx", None), CS, ("particles.cs", "blob/idx")),
    Case("no shift", cs("alignments3D/shift", None), CS, ("cs", "alignments3D/shift")),
    Case("no df2", cs("ctf/df2_A", None), CS, ("particles.cs", "ctf/df2_A")),
    Case("no pose", cs("alignments3D/pose", None), CS, ("particles.cs", "--poses")),
    Case("NaN pose", cs("alignments3D/pose", lambda a: put(a, 3, NAN)), CS, ("alignments3D/pose",)),
    Case("NaN shift", cs("alignments3D/shift", lambda a: put(a, 3, NAN)), CS, ("3D/shift",)),
    Case("NaN defocus", cs("ctf/df1_A", lambda a: put(a, 3, NAN)), CS, ("ctf/df1_A",)),
    Case("pixel size 0 of cs", cs("blob/psize_A", lambda a: put(a, ..., 0)), CS, ("psize_A",)),
    Case("negative index", cs("blob/idx", lambda a: np.full(N, -1)), CS, ("particles.",)),
    Case("nowhere", cs("blob/path", lambda a: np.full(N, b"J1/x.mrc")), CS, ("tried", "J1/x.mrc")),
    Case("cs is garbage", raw("particles.cs", b"\x00\xff" * 999), CS, ("particles.cs",)),
    Case("cs empty", raw("particles.cs", b""), CS, ("particles.cs",)),
    Case("cs cut", cut("particles.cs", 1500), CS, ("particles.cs",)),
    Case("cs is a folder", a_folder("particles.cs"), CS, ("particles.cs",)),
    Case("cs runs code", object_array, CS, ("particles.cs",)),
]
OTHERS = [
    Case("txt nowhere", text("particles.txt", "gone.mrcs\n"), TXT, ("txt", "gone.mrcs", "tried")),
    Case("txt empty", text("particles.txt", "\n"), TXT, ("particles.txt",)),
    Case("txt is garbage", raw("particles.txt", b"\xff\x00\xfe\n\x81"), TXT, ("particles.txt",)),
    Case("txt is a folder", a_folder("particles.txt"), TXT, ("particles.txt",)),
    Case("another ending", no_fault, ["train", "poses.pkl"], ("poses.pkl", ".star", "= .pkl")),
    Case("no ending", no_fault, ["train", "run"], ("run", ".star")),
    Case("nothing there", no_fault, ["train", "nowhere.star"], ("nowhere.star", "no such file")),
    Case("tilt series", star_file(lambda b: b["particles"].insert(0, "rlnTomoParticleName", "t/1")),
         STAR, ("particles.star", "tilt series")),
]  # fmt: skip
CASES = [*COUNTS, *STACKS, *POSES, *CTFS, *INDICES, *STARS, *CSS, *OTHERS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_training_refuses(case: Case, folder: Path, refused: Callable[..., str]) -> None:
    case.fault(folder)
    refused([*case.words, *SMALL], *case.fragments)


@pytest.mark.parametrize("words", [STACK, CHOSEN, STAR, CS, TXT], ids=lambda words: words[1])
def test_without_fault_training_begins(words: list[str], folder: Path, run: Callable) -> None:
    """Or the table above would prove nothing."""
    assert run([*words, *SMALL, "--no-analysis"]) == 0
    assert (folder / "new" / "weights.1.pkl").is_file()
