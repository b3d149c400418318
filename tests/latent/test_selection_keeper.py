"""Selections last: another session on the same run finds them, another run does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_cryodrgn.latent import selection_keeper
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_keeper import SelectionKeeper
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.run import RunFolder

ROWS = ParticleRows(np.random.default_rng(3).permutation(300)[:200], 300, "table")


@dataclass(frozen=True)
class Run:
    """All of an open run that a keeper looks at."""

    folder: RunFolder


class Sitting:
    """A session's book and keeper, and what was told."""

    def __init__(self, path: Path, rows: ParticleRows = ROWS) -> None:
        self.told: list[str] = []
        self.calls: list = []
        self.book = SelectionBook()
        self.keeper = SelectionKeeper(
            self.book, self.calls.append, lambda text, kind, details: self.told.append(text)
        )
        self.open(path, rows)

    def open(self, path: Path, rows: ParticleRows = ROWS) -> None:
        path.mkdir(exist_ok=True)
        self.keeper.set_run(Run(RunFolder(path)))  # type: ignore[arg-type]
        self.keeper.set_space(space(rows))

    def deliver(self) -> None:
        self.keeper.flush()
        while self.calls:
            self.calls.pop(0)()


def space(rows: ParticleRows) -> LatentSpace:
    return make_latent_space(np.random.default_rng(1).normal(size=(len(rows), 2)), rows, epoch=1)


def some(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(200) < 0.4


def test_the_next_session_finds_what_was_selected(tmp_path: Path) -> None:
    first = Sitting(tmp_path / "run")
    first.book.apply(some(0), "replace", "lasso in UMAP1, UMAP2")
    first.book.keep("good", note="look again")
    first.book.apply(some(1), "replace", "brush")
    first.keeper.flush()
    second = Sitting(tmp_path / "run")
    assert_array_equal(second.book.mask, some(1))
    assert second.book.made == "brush"
    (named,) = second.book.named
    assert_array_equal(named.mask, some(0))
    assert (named.name, named.note, named.made) == ("good", "look again", "lasso in UMAP1, UMAP2")
    assert not second.book.can_undo
    assert not second.told


def test_each_run_has_its_own(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path / "one")
    sitting.book.apply(some(0), "replace", "lasso")
    sitting.open(tmp_path / "two")
    assert sitting.book.count == 0
    sitting.book.apply(some(1), "replace", "lasso")
    sitting.open(tmp_path / "one")
    assert_array_equal(sitting.book.mask, some(0))
    sitting.open(tmp_path / "two")
    assert_array_equal(sitting.book.mask, some(1))


def test_a_large_file_is_read_beside_and_keeps_what_was_done_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Sitting(tmp_path / "run")
    first.book.apply(some(0), "replace", "lasso")
    first.book.keep("good")
    first.keeper.flush()
    monkeypatch.setattr(selection_keeper, "_QUICK_BYTES", 0)
    second = Sitting(tmp_path / "run")
    assert not second.book.named
    second.book.apply(some(2), "replace", "brush")
    second.book.keep("early")
    for _ in range(500):
        if second.calls:
            break
        second.keeper.flush()
        np.random.default_rng(0).normal(size=20_000)
    second.deliver()
    assert second.book.names == ("good", "early")
    assert_array_equal(second.book.mask, some(2))
    second.keeper.flush()
    monkeypatch.undo()
    assert Sitting(tmp_path / "run").book.names == ("good", "early")


@pytest.mark.parametrize("damage", ["not json", "another table"])
def test_a_file_that_cannot_be_used_is_kept_and_told(damage: str, tmp_path: Path) -> None:
    first = Sitting(tmp_path / "run")
    first.book.apply(some(0), "replace", "lasso")
    first.keeper.flush()
    path = RunFolder(tmp_path / "run").selections / "selections.json"
    before = path.read_text()
    damaged = "{" if damage == "not json" else json.dumps(json.loads(before) | {"fingerprint": "x"})
    path.write_text(damaged)
    second = Sitting(tmp_path / "run")
    assert len(second.told) == 1
    assert second.book.count == 0
    second.book.apply(some(1), "replace", "lasso")
    second.keeper.flush()
    assert (path.parent / "selections.unreadable.json").read_text() == damaged
    assert_array_equal(Sitting(tmp_path / "run").book.mask, some(1))


def test_a_folder_that_cannot_be_written_to_is_told_once(tmp_path: Path) -> None:
    sitting = Sitting(tmp_path / "run")
    (tmp_path / "run" / "napari-cryodrgn").write_text("a file in the way")
    for seed in range(3):
        sitting.book.apply(some(seed), "replace", "lasso")
        sitting.deliver()
    assert len(sitting.told) == 1
    assert "could not be saved" in sitting.told[0]
    assert_array_equal(sitting.book.mask, some(2))
