"""Every fault a run folder or a request to it may have, met by the commands that use one."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import yaml

N, ZDIM = 24, 2
ANALYZE = ["analyze", "run", "--ksample", "4", "--pc", "1", "--device", "cpu"]
DECODE = ["decode", "run", "-o", "new", "--device", "cpu"]
AT = [*DECODE, "-z", "0.1", "0.2"]
NETWORK = [
    "--zdim",
    "2",
    "--enc-dim",
    "8",
    "--enc-layers",
    "1",
    "--dec-dim",
    "8",
    "--dec-layers",
    "1",
]
TRAINING = [*NETWORK, "--seed", "1", "--device", "cpu", "--threads", "1", "--no-analysis"]
STACK = ["train", "particles.mrcs", "--poses", "poses.pkl", "--ctf", "ctf.pkl"]
TRAIN = [*STACK, *TRAINING, "-n", "4"]
LATEST = [*TRAIN, "-o", "run", "--load", "latest"]
NEW = [*TRAIN, "-o", "new"]

Fault = Callable[[Path], object]


class Code:
    """Its pickle leaves a file named 'executed' where it is loaded without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


CODE = pickle.dumps(Code())
YAML_CODE = b"""!!python/object/apply:os.system ["touch executed"]\n"""


class Case(NamedTuple):
    """A fault, what is run on it, and what the message must name."""

    name: str
    fault: Fault
    words: list[str]
    fragments: tuple[str, ...]


def no_fault(folder: Path) -> None:
    pass


def raw(name: str, content: bytes) -> Fault:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str) -> Fault:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size * 2 // 5)


def gone(name: str) -> Fault:
    return lambda folder: (folder / name).unlink()


def torch_code(name: str) -> Fault:
    """A file of ``torch.save`` with code in it: another format than a bare pickle."""
    return lambda folder: torch.save({"epoch": 2, "model_state_dict": Code()}, folder / name)


def latents(*arrays: np.ndarray) -> Fault:
    return lambda folder: (folder / "run/z.2.pkl").write_bytes(b"".join(map(pickle.dumps, arrays)))


def not_finite(value: float) -> np.ndarray:
    array = np.ones((N, ZDIM), np.float32)
    array[5, 1] = value
    return array


def config(section: str, **changes: object) -> Fault:
    """Changes entries of ``config.yaml``; None takes one away."""

    def fault(folder: Path) -> None:
        path = folder / "run" / "config.yaml"
        content = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            content[section][key] = value
            if value is None:
                del content[section][key]
        path.write_text(yaml.safe_dump(content))

    return fault


def weights(change: Callable[[dict[str, Any]], object]) -> Fault:
    def fault(folder: Path) -> None:
        path = folder / "run" / "weights.2.pkl"
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return fault


def without(part: str) -> Fault:
    return weights(lambda content: content.pop(part))


def another_weight(content: dict[str, Any]) -> None:
    content["model_state_dict"]["strange"] = torch.zeros(3)


def folder_named_new(folder: Path) -> None:
    (folder / "new").mkdir()


Z = "run/z.2.pkl"
WEIGHTS, CONFIG = "run/weights.2.pkl", "run/config.yaml"
LATENTS = [
    Case("epoch not there", no_fault, [*ANALYZE, "7"], ("run", "epoch = 7", "1, 2")),
    Case("no latents", lambda f: [p.unlink() for p in (f / "run").glob("z.*")], ANALYZE,
         ("run", "latents")),
    Case("latents cut", cut(Z), ANALYZE, ("z.2.pkl", "pickle")),
    Case("latents garbage", raw(Z, b"\xff\x00" * 99), ANALYZE, ("z.2.pkl", "pickle")),
    Case("latents empty", raw(Z, b""), ANALYZE, ("z.2.pkl", "pickle")),
    Case("latents run code", raw(Z, CODE), ANALYZE, ("z.2.pkl", "refused", "system")),
    Case("latents run code, picked", raw(Z, CODE), [*DECODE, "--particles", "3"],
         ("z.2.pkl", "refused")),
    Case("NaN latents", latents(not_finite(np.nan)), ANALYZE, ("z.2.pkl", "= 5")),
    Case("infinite latents", latents(not_finite(np.inf)), ANALYZE, ("z.2.pkl", "= 5")),
    Case("flat latents", latents(np.zeros(N)), ANALYZE, ("z.2.pkl", "(24,)")),
    Case("no particles", latents(np.zeros((0, 2))), ANALYZE, ("z.2.pkl", "(0, 2)")),
    Case("no dimensions", latents(np.zeros((N, 0))), [*ANALYZE, "--skip-vol"], ("z.2.pkl",)),
    Case("more clusters than particles", no_fault, [*ANALYZE, "--ksample", "25"],
         ("z.2.pkl", "--ksample = 25", "24")),
    Case("more latent dimensions", config("model_args", zdim=3), ANALYZE, ("z.2.pkl", "zdim = 2")),
    Case("latents of 3", latents(np.eye(N, 3, dtype="f4")), ANALYZE, ("z.2.pkl", "zdim = 3")),
    Case("no run", no_fault, ["analyze", "nowhere"], ("nowhere", "no such folder")),
    Case("a file", no_fault, ["analyze", "poses.pkl"], ("poses.pkl", "no such folder")),
    Case("an empty folder", folder_named_new, ["analyze", "new"], ("new", "no run folder")),
]  # fmt: skip
WEIGHT_FILES = [
    Case(f"{name}: {words[0]}", fault, words, (WEIGHTS, *fragments))
    for words in (ANALYZE, AT)
    for name, fault, fragments in [
        ("weights gone", gone(WEIGHTS), ()),
        ("weights cut", cut(WEIGHTS), ("damaged",)),
        ("weights garbage", raw(WEIGHTS, b"\xff\x00" * 99), ("damaged",)),
        ("weights empty", raw(WEIGHTS, b""), ("damaged",)),
        ("weights run code", raw(WEIGHTS, CODE), ("no file of weights",)),
        ("weights of torch run code", torch_code(WEIGHTS), ("code", "system")),
        ("weights hold none", without("model_state_dict"), ("model_state_dict",)),
        ("weights without epoch", without("epoch"), ("epoch",)),
        ("weights too many", weights(another_weight), ("strange",)),
        ("wider decoder", config("model_args", pdim=9), ("(8,", "(9,", "config.yaml")),
        ("another box", config("lattice_args", D=19), ("config.yaml",)),
    ]
    if (name, words) != ("weights gone", AT)
]
CONFIGS = [
    Case(f"{name}: {words[0]}", fault, words, (CONFIG, *fragments))
    for words in (ANALYZE, AT, LATEST)
    for name, fault, fragments in [
        ("config cut", raw(CONFIG, b"cmd: [a\nmodel_args: {zdim"), ("YAML",)),
        ("config garbage", raw(CONFIG, b"\xff\x00\x81" * 99), ("YAML",)),
        ("config empty", raw(CONFIG, b""), ("settings",)),
        ("config a list", raw(CONFIG, b"- 1\n- 2\n"), ("settings",)),
        ("config runs code", raw(CONFIG, YAML_CODE), ("YAML", "python/object/apply:os.system")),
        ("no lattice", config("lattice_args", D=None), ("D",)),
        ("odd lattice", config("lattice_args", D="many"), ("D", "many")),
        ("no width", config("model_args", pdim=None), ("pdim",)),
        ("unknown encoding", config("model_args", pe_type="odd"), ("pe_type", "odd")),
        ("negative layers", config("model_args", qlayers=-1), ("enc_layers", "-1")),
    ]
]
POINTS = [
    Case("config of 3", config("model_args", zdim=3), [*AT, "0.3"], (WEIGHTS, "config.yaml")),
    Case("three numbers", no_fault, [*DECODE, "-z", "1", "2", "3"], ("-z = 1 2 3", "2 numbers")),
    Case("NaN", no_fault, [*DECODE, "-z", "nan", "2"], ("-z = nan", "finite")),
    Case("infinite", no_fault, [*DECODE, "-z", "inf", "1"], ("-z = inf", "finite")),
    Case("too large for float32", no_fault, [*DECODE, "-z", "1", "1e39"], ("-z", "1e+39")),
    Case("no point", no_fault, DECODE, ("-z", "--zfile", "--particles")),
    Case("no zfile", no_fault, [*DECODE, "--zfile", "no.txt"], ("no.txt", "no such file")),
    Case("zfile a folder", no_fault, [*DECODE, "--zfile", "run"], ("run",)),
    Case(
        "row not there", no_fault, [*DECODE, "--particles", "24"], ("--particles = 24", "24 rows")
    ),
    Case(
        "row twice", no_fault, [*DECODE, "--particles", "3", "3"], ("--particles = 3", "repeated")
    ),
    Case("odd box", no_fault, [*AT, "-d", "15"], ("-d = 15", "even", "16")),
    Case("large box", no_fault, [*AT, "-d", "64"], ("-d = 64", "16")),
    Case("large box: analyze", no_fault, [*ANALYZE, "-d", "64"], ("-d = 64", "16")),
    Case("pixel size 0", no_fault, [*AT, "--Apix", "0"], ("--Apix = 0",)),
    Case("pixel size NaN", no_fault, [*AT, "--Apix", "nan"], ("--Apix = nan",)),
    Case("pixel size -1: analyze", no_fault, [*ANALYZE, "--Apix", "-1"], ("--Apix = -1",)),
    Case("prefix a path", no_fault, [*AT, "--prefix", "a/b"], ("--prefix = a/b",)),
    Case("no weights of epoch", no_fault, ["decode", "run", "7", *AT[2:]], ("epoch = 7", "1, 2")),
    Case("decode no run", no_fault, ["decode", "nowhere", *AT[2:]], ("nowhere",)),
    *[
        Case(name, raw("z.txt", content), [*DECODE, "--zfile", "z.txt"], ("z.txt", *fragments))
        for name, content, fragments in [
            ("zfile of text", b"1 2\n3 four\n", ("line 2 = four",)),
            ("zfile of three", b"1 2 3\n", ("line = 1", "3 numbers")),
            ("ragged zfile", b"1 2\n3\n", ("line = 2",)),
            ("zfile with NaN", b"1 2\n3 nan\n", ("line 2 = nan",)),
            ("zfile too large for float32", b"1 2\n3 1e39\n", ("line 2 = 1e39",)),
            ("zfile empty", b"\n", ("no latent points",)),
            ("zfile garbage", b"\xff\xfe\x81", ("no readable text",)),
        ]
    ],
]
CONTINUED = [
    Case("another run there", no_fault, [*TRAIN, "-o", "run"], ("run", "--outdir", "latest")),
    Case("only latents there", gone(CONFIG), [*TRAIN, "-o", "run"], ("run", "holds a run")),
    Case("latest of nothing", no_fault, [*NEW, "--load", "latest"], ("new", "--load = latest")),
    Case("latest of an empty folder", folder_named_new, [*NEW, "--load", "latest"],
         ("new", "--load = latest")),
    Case("latest without config", gone(CONFIG), LATEST, ("run", "--load = latest")),
    Case("another width", no_fault, [*LATEST, "--dec-dim", "16"], ("--dec-dim = 16", "8")),
    Case("another box", config("lattice_args", D=19), LATEST, ("config.yaml", "box", "18", "16")),
    Case("fewer epochs", no_fault, [*LATEST, "-n", "1"], ("run", "--num-epochs = 1", "2")),
    Case("other poses", lambda f: shutil.copy(f / "run/analyze.2/umap.pkl", f / "poses.pkl"),
         LATEST, ("poses.pkl",)),
    Case("other CTF", no_fault, ["train", "particles.mrcs", "--poses", "poses.pkl", *TRAINING,
         "-o", "run", "-n", "4", "--load", "latest"], ("--ctf", "begun with")),
    Case("without optimiser", weights(lambda c: c.update(optimizer_state_dict=None)), LATEST,
         (WEIGHTS, "optimizer_state_dict")),
    Case("particles.json cut", cut("run/napari-cryodrgn/particles.json"), LATEST,
         ("particles.json",)),
    Case("metrics garbage", raw("run/napari-cryodrgn/metrics.jsonl", b"\xff\n"), LATEST,
         ("metrics.jsonl", "no readable text", "position 0")),
    Case("no weights to start", no_fault, [*NEW, "--load", "gone.pkl"], ("--load = gone.pkl",)),
    Case("garbage to start", raw("w.pkl", b"\x81\x00" * 99), [*NEW, "--load", "w.pkl"],
         ("w.pkl", "weights")),
    Case("code to start", torch_code("w.pkl"), [*NEW, "--load", "w.pkl"], ("w.pkl", "code")),
    Case("other weights to start", no_fault, [*NEW, "--load", WEIGHTS, "--dec-dim", "9"],
         (WEIGHTS, "options")),
]  # fmt: skip
CASES = [*LATENTS, *WEIGHT_FILES, *CONFIGS, *POINTS, *CONTINUED]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_command_refuses(case: Case, folder: Path, refused: Callable[..., str]) -> None:
    case.fault(folder)
    refused(case.words, *case.fragments)


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (ANALYZE, "run/analyze.2/kmeans4/vol_004.mrc"),
        (AT, "new/vol_001.mrc"),
        ([*DECODE, "--particles", "3", "4"], "new/vol_002.mrc"),
        (LATEST, "run/weights.4.pkl"),
        ([*NEW, "--load", WEIGHTS], "new/weights.4.pkl"),
    ],
)
def test_without_fault_commands_work(
    words: list[str], made: str, folder: Path, run: Callable
) -> None:
    """Or the table above would prove nothing."""
    assert run(words) == 0
    assert (folder / made).is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "analyze.2/kmeans3/labels.pkl",
            ["analyze", "run", "--ksample", "3", "--pc", "1", "--device", "cpu"],
        ),
        ("analyze.2/umap.pkl", [*DECODE, "--particles", "3"]),
        ("analyze.2/kmeans3/labels.pkl", [*DECODE, "--particles", "3"]),
        ("pose.2.pkl", [*DECODE, "--particles", "3"]),
        ("weights.2.pkl", LATEST),
        ("z.2.pkl", LATEST),
    ],
)
def test_what_a_command_can_do_without_is_passed_over_and_never_run(
    name: str, words: list[str], folder: Path, run: Callable
) -> None:
    (folder / "run" / name).write_bytes(CODE)
    assert run(words) == 0
    assert not (folder / "executed").exists()


def test_that_something_is_made_again_is_said(
    folder: Path, run: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = folder / "run/analyze.2/kmeans3/labels.pkl"
    labels.write_bytes(CODE)
    assert run(["analyze", "run", "--ksample", "3", "--pc", "1", "--device", "cpu"]) == 0
    assert f"warning: Clustering again: {labels}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [*AT, "--zfile", "z.txt"],
        [*AT, "-d", "0"],
        [*DECODE, "-z", "one"],
        [*ANALYZE, "--ksample", "0"],
        ["analyze", "run", "-1"],
        [*NEW, "--zdim", "-1"],
        [*NEW, "--batch-size", "0"],
        [*NEW, "--beta", "e"],
        [*NEW, "--lr", "nan"],
        [*NEW, "--window-r", "2"],
        ["train", "particles.star"],
        ["simulate"],
        ["simulate", "new", "--box", "15"],
        ["simulate", "new", "--kind", "states"],
        ["nonsense"],
    ],
    ids=lambda words: " ".join(words[-2:]),
)
def test_wrong_usage(
    words: list[str], folder: Path, run: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert run(words) == 2
    assert sorted(folder.rglob("*")) == before
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert words[-1] in said or words[-2] in said or "--outdir" in said or "OUT" in said
