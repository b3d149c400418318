"""Whatever a file holds, its reader gives a value or one `InputError`, and does nothing else."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io import checks, restricted_pickle
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.mrc_header import read_header
from napari_cryodrgn.io.npy import read_npy, read_npz
from napari_cryodrgn.io.pickles import load_pickle
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.io.star import read_star
from napari_cryodrgn.model.checkpoint import load_model_files, read_checkpoint
from napari_cryodrgn.training.source import read_run_source
from napari_cryodrgn.workflows.open_run import open_run

from .hostile_files import READERS, Reader, outcome
from .mutations import mutated
from .sound_files import make_sound

HARNESS = Path(__file__).parent / "harness.py"
PYDANTIC = ("session", "paths", "movie recipe")
"""These bound the size of their files instead: see `session_file.LARGEST` and its like."""

JSON_READERS = [
    reader
    for reader in READERS
    if reader.file.endswith((".json", ".jsonl", ".lock"))
    and reader.name not in PYDANTIC
    and not reader.name.startswith("run: ")
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    make_sound(folder)
    return folder


@pytest.fixture
def here(sound: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(sound, folder)
    return folder


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_sound_files_are_read(reader: Reader, sound: Path) -> None:
    assert outcome(reader, sound / reader.file) == "value"


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_give_a_value_or_one_error(reader: Reader, sound: Path) -> None:
    path = sound / reader.file
    whole = path.read_bytes()

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(seed=st.integers(0, 2**32))
    def damage(seed: int) -> None:
        content = mutated(whole, path.suffix, random.Random(seed))
        path.write_bytes(content)
        assert outcome(reader, path) in ("value", "refused")
        assert path.read_bytes() == content

    try:
        damage()
    finally:
        path.write_bytes(whole)


def test_time_memory_programs_and_files_are_in_bounds() -> None:
    """In a process of its own, whose memory is limited and whose doings are watched."""
    done = subprocess.run(
        [sys.executable, str(HARNESS), "--cases", "4", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["reader"] for report in reports] == [reader.name for reader in READERS]
    assert [report["found"] for report in reports if report["faults"]] == []


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    """The harness itself: a reader that runs code, writes, reads elsewhere, and takes memory."""
    script = tmp_path / "bad.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(HARNESS.parent)!r})\n"
        "import json, os, pathlib, harness\n"
        "from tests.hostile import hostile_files\n"
        "harness.SECONDS_ALLOWED = 2\n"
        "def read(path):\n"
        "    kind = path.read_text()\n"
        "    if kind == 'run': os.system('true')\n"
        "    if kind == 'write': (path.parent / 'new').write_text('')\n"
        "    if kind == 'change': path.write_text('changed')\n"
        f"    if kind == 'elsewhere': pathlib.Path({str(tmp_path / 'other')!r}).read_text()\n"
        "    if kind == 'memory': bytearray(b'x') * (600 << 20)\n"
        "    if kind == 'much memory': bytearray(4 << 40)\n"
        "    if kind == 'hang':\n"
        "        while True: pass\n"
        "    if kind == 'error': raise KeyError('x')\n"
        "root = pathlib.Path.cwd() / 'root'; root.mkdir(); (root / 'file').write_text('')\n"
        "watch = harness.Watch(root)\n"
        "for kind in ('', *sys.argv[1:]):\n"
        "    trial = harness.Trial(hostile_files.Reader('x', 'file', read), root, watch, None)\n"
        "    trial(kind.encode())\n"
        "    print(len(trial.faults))\n"
    )
    (tmp_path / "other").write_text("secret")
    kinds = ["run", "write", "change", "elsewhere", "memory", "much memory", "hang", "error"]
    done = subprocess.run(
        [sys.executable, str(script), *kinds],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    sound_faults, *faults = map(int, done.stdout.split())
    assert sound_faults == 0
    assert all(faults), dict(zip(kinds, faults, strict=True))


class Evil:
    """Its pickle leaves a file where it is loaded without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize(
    "reader",
    [r for r in READERS if r.file.endswith((".pkl", ".npz", ".npy"))],
    ids=lambda r: r.name,
)
def test_no_pickle_runs_code(reader: Reader, here: Path, tmp_path: Path) -> None:
    path, mark = here / reader.file, tmp_path / "mark"
    evil = Evil(mark)
    as_array, archive, legacy, in_archive = (io.BytesIO() for _ in range(4))
    np.save(as_array, np.array([evil], object), allow_pickle=True)
    np.savez(archive, values=np.array([evil], object), rows=np.arange(1), about=np.zeros(1))
    torch.save({"epoch": 1, "model_state_dict": {}, "x": evil}, legacy)
    torch.save([evil], in_archive, _use_new_zipfile_serialization=False)
    contents = [pickle.dumps(evil), pickle.dumps(evil, 0), as_array, archive, legacy, in_archive]
    for content in contents:
        path.write_bytes(content if isinstance(content, bytes) else content.getvalue())
        assert outcome(reader, path) in ("value", "refused")
        assert not mark.exists()


def header(**fields: int) -> bytes:
    names = {"nx": 0, "ny": 4, "nz": 8, "mode": 12, "nsymbt": 92}
    content = bytearray(2048)
    for name, value in ({"nx": 8, "ny": 8, "nz": 8, "mode": 2} | fields).items():
        content[names[name] : names[name] + 4] = value.to_bytes(4, "little", signed=True)
    return bytes(content)


@pytest.mark.parametrize(
    "fields",
    [
        {"nx": 10_000, "ny": 10_000, "nz": 10_000},
        {"nx": (1 << 24) - 1, "ny": (1 << 24) - 1, "nz": (1 << 24) - 1},
        {"nx": 1, "ny": 1, "nz": (1 << 24) - 1},
        {"nsymbt": 2**31 - 1},
        {"nx": -8},
        {"mode": 4},
    ],
)
def test_a_header_that_claims_too_much(fields: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "volume.mrc"
    path.write_bytes(header(**fields))
    with pytest.raises(InputError):
        read_volume(path)


def npy(shape: str, kind: str = "'<f8'", content: bytes = bytes(64)) -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (len(text) + 1).to_bytes(2, "little")
        + text.encode()
        + b"\n"
        + content
    )


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("(1000000000000,)", "'<f8'"),
        ("(1000000000000,)", "'|S0'"),
        ("(1000000000000,)", "[('blob/path', '|S0'), ('blob/idx', '|V0')]"),
        ("(-1,)", "'<f8'"),
        ("(" * 300 + "1" + ",)" * 300, "'<f8'"),
        ("(1,)", "'|O'"),
    ],
)
def test_an_array_that_claims_too_much(shape: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    path.write_bytes(npy(shape, kind))
    with pytest.raises(InputError):
        read_npy(path)


def test_archives_that_unfold(here: Path) -> None:
    path = here / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("values.npy", "w", force_zip64=True) as part,
    ):
        for _ in range(600):
            part.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="too large"):
        read_npz(path, ("values",))
    weights = here / "run" / "weights.1.pkl"
    parts = zipfile.ZipFile(io.BytesIO(weights.read_bytes()))
    with zipfile.ZipFile(weights, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts.infolist():
            archive.writestr(part.filename, parts.read(part))
    with pytest.raises(InputError, match="packed"):
        read_checkpoint(weights)


@pytest.mark.parametrize(
    "operation", [b"]", b"(", b"N", b"\x8f"], ids=["lists", "marks", "Nones", "sets"]
)
def test_pickles_of_far_too_many_objects(
    operation: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.pkl"
    monkeypatch.setattr(restricted_pickle, "_ALWAYS", 1 << 20)
    path.write_bytes(b"\x80\x04" + operation * 200_000)
    with pytest.raises(InputError, match="far more objects"):
        load_pickle(path)


def test_a_long_list_of_numbers_is_none_of_these(tmp_path: Path) -> None:
    path = tmp_path / "ind.pkl"
    path.write_bytes(pickle.dumps(list(range(300_000))))
    assert load_pickle(path)[-1] == 299_999


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_references_to_references_are_not_written_out(here: Path) -> None:
    path = here / "run" / "config.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    text = path.read_text().replace("cmd: []", "cmd: *a11")
    path.write_text("\n".join(lines) + "\n" + text)
    with pytest.raises(InputError, match="more than"):
        read_run_config(path)
    assert open_run(path.parent).latent is not None


@pytest.mark.parametrize("width", ["qdim: 16384", "pdim: 16384", "pe_dim: 100000000"])
def test_a_network_of_a_configurations_word_alone_is_not_made(width: str, here: Path) -> None:
    path = here / "run" / "config.yaml"
    key = width.partition(":")[0]
    line = next(
        line for line in path.read_text().splitlines() if line.strip().startswith(f"{key}:")
    )
    edit(path, line.strip(), width)
    edit(path, "qlayers: 1", "qlayers: 32")
    edit(path, "players: 1", "players: 32")
    with pytest.raises(InputError, match="the configuration asks for"):
        load_model_files(here / "run" / "weights.1.pkl", path)


@pytest.mark.parametrize("name", ["n_rows", "n_particles"])
def test_a_record_of_more_particles_than_there_are(name: str, here: Path) -> None:
    path = here / "run" / "napari-cryodrgn" / "particles.json"
    edit(path, f'"{name}": 24', f'"{name}": 1000000000000')
    with pytest.raises(InputError, match=name):
        read_run_source(path)
    opened = open_run(here / "run")
    assert opened.latent is not None
    assert any("record of the particles" in problem.what for problem in opened.problems)


def test_a_checkpoint_without_numbers(tmp_path: Path) -> None:
    """Tensors that claim more than is stored, or are stored nowhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's of sparse and complex tensors
        tensors = (
            torch.zeros(1).expand(1 << 40),
            torch.empty(4, device="meta"),
            torch.sparse_coo_tensor(torch.zeros((1, 1), dtype=torch.long), [1.0], (1 << 40,)),
            torch.zeros(2, dtype=torch.complex64),
        )
        path = tmp_path / "weights.1.pkl"
        for tensor in tensors:
            torch.save({"epoch": 1, "model_state_dict": {"decoder.rand_freqs": tensor}}, path)
            with pytest.raises(InputError):
                read_checkpoint(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["pipe", "zero", "loop", "nowhere", "folder"])
def test_what_is_no_file_is_not_read(kind: str, here: Path, sound: Path) -> None:
    """A pipe would be waited for without end, as is a drive that has gone; /dev/zero never ends."""
    silent = ("run", "info", "training", "launch", "analysis", "stop", "metrics", "image cache")
    none_where_missing = ("selections", "paths", "decode.json")
    for reader in READERS:
        path = here / reader.file
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to({"zero": "/dev/zero", "loop": path, "nowhere": here / "gone"}[kind])
        result = outcome(reader, path)
        gone = kind in ("loop", "nowhere") and reader.name in none_where_missing
        assert result == "refused" or gone or reader.name.startswith(silent), reader.name
        path.rmdir() if kind == "folder" else path.unlink()
        shutil.copy(sound / reader.file, path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize(
    "name",
    ["/dev/zero", "../" * 40 + "etc/passwd", "a" * 5000, "pipe", ".", "here\x00there", "~"],
)
def test_images_are_looked_for_in_files_alone(name: str, here: Path) -> None:
    """Names in a star file may be of anything: what is no stack of images is refused."""
    os.mkfifo(here / "pipe")
    edit(here / "particles.star", "1@particles.mrcs", f"1@{name}")
    reader: Callable[[Path], object] = next(r.read for r in READERS if r.name == "STAR")
    assert reader(here / "particles.star")
    read_star(here / "particles.star")


def test_a_stack_that_is_cut_while_it_is_open(here: Path) -> None:
    from napari_cryodrgn.io.image_stack import FileImageStack

    path = here / "particles.mrcs"
    stack = FileImageStack((read_header(path),), np.zeros(24, np.int64), np.arange(24))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="ends"):
        stack.read(np.arange(24))
    path.unlink()
    with pytest.raises(InputError, match="cannot be read any more"):
        stack.read(np.arange(24))


@pytest.mark.parametrize("reader", JSON_READERS, ids=lambda reader: reader.name)
@pytest.mark.parametrize("unit", ["{},", "[],"])
def test_lists_without_end_are_not_built(
    reader: Reader, unit: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty object is two characters in a file, and sixty bytes in memory."""
    monkeypatch.setattr(checks, "MOST_CONTAINERS", 1000)
    loads = json.loads

    def watched(text: str) -> object:
        assert text.count("[") + text.count("{") <= 1000, "it was built"
        return loads(text)

    monkeypatch.setattr(checks.json, "loads", watched)
    path = here / reader.file
    path.write_text('{"a": [' + unit * 1000 + unit[:2] + "]}\n")
    none_where_damaged = ("training.lock", "training.json", "launch.json", "analysis record")
    assert outcome(reader, path) == "refused" or reader.name in none_where_damaged
