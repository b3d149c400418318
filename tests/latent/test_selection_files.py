"""A selection that went through a file is the same particles: always, or it is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import read_indices, write_indices
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_files import (
    ALL_SELECTIONS,
    read_run_selections,
    read_selection,
    write_run_selections,
    write_selection,
)
from napari_cryodrgn.latent.selection_state import SelectionState
from napari_cryodrgn.particles import ParticleRows

# Set to 1000 for the figure of docs/benchmarks.md.
ROUNDS = int(os.environ.get("NAPARI_CRYODRGN_SELECTIONS", "6"))


def empiar_10180(folder: Path) -> ParticleRows:
    """139,722 of 327,490 particles, as published."""
    path = folder / "cryodrgn-empiar" / "empiar10180_inputs_filtered.ind.pkl"
    return read_indices(path, 327_490, "EMPIAR-10180")


def unsorted(rng: np.random.Generator) -> ParticleRows:
    return ParticleRows(rng.permutation(5000)[:2000], 5000, "unsorted table")


def selections(rng: np.random.Generator, n: int) -> np.ndarray:
    mask = rng.random(n) < rng.choice([0.001, 0.1, 0.5, 0.99])
    mask[rng.integers(n)] = True
    return mask


@pytest.mark.data
@pytest.mark.parametrize(
    "kind", ["EMPIAR-10180", "unsorted", "unsorted EMPIAR-10180", "tilt series"]
)
def test_identical_particles_every_time(
    kind: str, data_folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Written with one object, read with another made anew, as in another session."""
    if kind == "tilt series":
        # Their particles are numbered by themselves, and no table of them is known.
        rows = ParticleRows(rng.permutation(400)[:300], 400)
    else:
        rows = unsorted(rng) if kind == "unsorted" else empiar_10180(data_folder)
    if kind == "unsorted EMPIAR-10180":
        rows = ParticleRows(rng.permutation(rows.rows), rows.n_source, rows.fingerprint)
    shuffled = ParticleRows(rng.permutation(rows.rows), rows.n_source, rows.fingerprint)
    for _ in range(ROUNDS):
        mask = selections(rng, len(rows))
        chosen = set(rows.rows[mask].tolist())
        for name in ("picks.json", "ind.pkl"):
            written = write_selection(tmp_path / name, rows, mask)
            again = ParticleRows(np.array(rows.rows), rows.n_source, rows.fingerprint)
            assert_array_equal(read_selection(tmp_path / name, again).mask, mask)
            # Also where the run lists the same particles in another order.
            other = read_selection(tmp_path / name, shuffled).mask
            assert set(shuffled.rows[other].tolist()) == chosen == set(written.rows.tolist())
        book = SelectionBook()
        book.restore(SelectionState(rows, PackedMask.of(mask), "lasso", ()))
        book.keep("kept", note="a note")
        write_run_selections(tmp_path / "saved", book.state)
        state = read_run_selections(tmp_path / "saved", rows)
        assert state is not None
        assert_array_equal(state.working.unpacked(), mask)
        assert state == book.state
        fresh = SelectionBook()
        fresh.restore(state)
        assert set(fresh.named[0].particles.rows.tolist()) == chosen


def test_indices_are_cryodrgns(tmp_path: Path, rng: np.random.Generator) -> None:
    """Rows of the particle table, in the order of the run, not positions in the run."""
    rows = unsorted(rng)
    mask = selections(rng, len(rows))
    write_selection(tmp_path / "ind.pkl", rows, mask)
    assert_array_equal(read_indices(tmp_path / "ind.pkl", 5000).rows, rows.rows[mask])


def test_a_selection_of_another_table_is_refused_by_name(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    rows = unsorted(rng)
    write_selection(tmp_path / "picks.json", rows, selections(rng, len(rows)))
    other = ParticleRows.every(5000, "another table")
    with pytest.raises(InputError, match=r"picks.json: .*another particle table.*unsorted tab"):
        read_selection(tmp_path / "picks.json", other)
    longer = ParticleRows.every(6000, "unsorted table")
    with pytest.raises(InputError, match=r"5000 rows.*6000"):
        read_selection(tmp_path / "picks.json", longer)


@pytest.mark.parametrize("name", ["picks.json", "ind.pkl"])
def test_particles_that_this_run_has_not_are_refused_or_left_out(name: str, tmp_path: Path) -> None:
    rows = ParticleRows.every(10, "table")
    write_selection(tmp_path / name, rows, np.arange(10) < 4)
    fewer = ParticleRows(np.array([9, 2, 3]), 10, "table")
    with pytest.raises(InputError, match="2 of its 4 particles are not in this run"):
        read_selection(tmp_path / name, fewer)
    found = read_selection(tmp_path / name, fewer, missing="leave out")
    assert found.mask.tolist() == [False, True, True]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    rows = ParticleRows.every(10)
    for mask, name, says in (
        (np.zeros(10, bool), "ind.pkl", "no particle is selected"),
        (np.ones(9, bool), "ind.pkl", "9 entries where there are 10"),
        (np.ones(10, bool), "ind.txt", "written as .pkl"),
        (np.ones(10, bool), "nowhere/ind.pkl", "folder does not exist"),
    ):
        with pytest.raises(InputError, match=says):
            write_selection(tmp_path / name, rows, mask)
    assert not list(tmp_path.iterdir())


def saved(folder: Path) -> tuple[SelectionState, Path]:
    rows = ParticleRows(np.array([5, 1, 3, 8]), 9, "table")
    book = SelectionBook()
    book.restore(SelectionState(rows, PackedMask.of(np.array([1, 0, 1, 0], bool)), "lasso", ()))
    book.keep("kept")
    book.mark(1, True)
    book.mark(3, False)
    write_run_selections(folder, book.state)
    return book.state, folder / ALL_SELECTIONS


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("fingerprint", "other", "another particle table"),
        ("n_particles", 3, "not the particles"),
        ("rows_digest", "0", "not the particles"),
        ("rows", "../elsewhere.npy", "no such file"),
        ("format", "something else", "no file of selections"),
        ("version", 2, "no file of selections"),
    ],
)
def test_a_file_of_a_run_that_does_not_fit_is_refused(
    field: str, value: object, says: str, tmp_path: Path
) -> None:
    state, path = saved(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {field: value}))
    with pytest.raises(InputError, match=says):
        read_run_selections(tmp_path, state.rows)


def test_marks_last_and_none_is_both(tmp_path: Path) -> None:
    state, path = saved(tmp_path)
    found = read_run_selections(tmp_path, state.rows)
    assert found == state
    assert np.flatnonzero(found.marks.good).tolist() == [1]
    assert np.flatnonzero(found.marks.bad).tolist() == [3]
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"bad": content["good"]}))
    with pytest.raises(InputError, match="both good and bad"):
        read_run_selections(tmp_path, state.rows)


@pytest.mark.parametrize("bits", ["", "!", "eJwDAAAAAAE=", "AAAA"])
def test_damaged_bits_select_nothing_else(bits: str, tmp_path: Path) -> None:
    state, path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["named"][0]["bits"] = bits
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="kept: it is damaged"):
        read_run_selections(tmp_path, state.rows)


def test_bits_that_unpack_to_gigabytes_are_not_unpacked(tmp_path: Path) -> None:
    import base64
    import zlib

    state, path = saved(tmp_path)
    content = json.loads(path.read_text())
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    content["named"][0]["bits"] = bomb
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="damaged"):
        read_run_selections(tmp_path, state.rows)


def test_a_count_that_is_not_that_of_the_bits_is_noticed(tmp_path: Path) -> None:
    rows = ParticleRows.every(10)
    write_selection(tmp_path / "picks.json", rows, np.arange(10) < 4)
    content = json.loads((tmp_path / "picks.json").read_text())
    (tmp_path / "picks.json").write_text(json.dumps(content | {"count": 5}))
    with pytest.raises(InputError, match="not 5 of 10"):
        read_selection(tmp_path / "picks.json", rows)


def test_no_file_is_no_selection_and_a_stray_one_is_named(tmp_path: Path) -> None:
    rows = ParticleRows.every(3)
    assert read_run_selections(tmp_path, rows) is None
    with pytest.raises(InputError, match="no such file"):
        read_selection(tmp_path / "missing.json", rows)
    write_indices(tmp_path / "wrong.json", rows)
    shutil.copy(tmp_path / "wrong.json", tmp_path / ALL_SELECTIONS)
    with pytest.raises(InputError, match="no file of selections"):
        read_selection(tmp_path / "wrong.json", rows)
    with pytest.raises(InputError, match="no file of selections"):
        read_run_selections(tmp_path, rows)
