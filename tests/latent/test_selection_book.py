"""The selections of a session: what is selected, named, undone, and carried over."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_state import SelectionState, carried_over
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows

N = 500


def space(rows: ParticleRows) -> LatentSpace:
    mu = np.random.default_rng(1).normal(size=(len(rows), 3)).astype(np.float32)
    return make_latent_space(mu, rows, epoch=1)


@pytest.fixture
def book() -> SelectionBook:
    made = SelectionBook()
    made.set_space(space(ParticleRows.every(N, "table")))
    return made


def some(rng: np.random.Generator, n: int = N, share: float = 0.3) -> np.ndarray:
    return rng.random(n) < share


def everything(book: SelectionBook) -> tuple[object, ...]:
    named = tuple(
        (one.name, one.colour, one.note, one.made, one.mask.tobytes()) for one in book.named
    )
    marks = book.marks.good.tobytes(), book.marks.bad.tobytes()
    return book.mask.tobytes(), book.made, named, marks


def test_undo_and_redo_go_through_every_state(
    book: SelectionBook, rng: np.random.Generator
) -> None:
    """Two hundred random actions, back to the first state and forth to the last."""
    states = [everything(book)]
    actions = (
        lambda: book.apply(some(rng), "replace", "lasso"),
        lambda: book.apply(some(rng), "add", "lasso"),
        lambda: book.apply(some(rng), "subtract", "brush"),
        lambda: book.apply(some(rng, share=0.9), "intersect", "rectangle"),
        lambda: book.invert(),
        lambda: book.clear(),
        lambda: book.mark(int(rng.integers(N)), [True, False, None][int(rng.integers(3))]),
        lambda: book.mark(some(rng, share=0.1), bool(rng.integers(2))),
        lambda: book.keep(f"kept {len(states)}") if book.count else book.invert(),
        lambda: book.rename(book.names[-1], f"renamed {len(states)}") if book.names else None,
        lambda: (
            book.recolour(book.names[0], f"#{rng.integers(1 << 24):06x}") if book.names else None
        ),
        lambda: book.annotate(book.names[0], f"note {len(states)}") if book.names else None,
        lambda: book.delete(book.names[0]) if len(book.names) > 3 else None,
        lambda: book.load(book.names[-1], "add") if book.names else None,
        lambda: (
            book.combine(book.names[0], book.names[-1], "union", f"union {len(states)}")
            if book.names
            else None
        ),
        lambda: book.invert_named(book.names[0], f"not {len(states)}") if book.names else None,
        lambda: book.update(book.names[0]) if book.names and book.count else None,
    )
    for _ in range(200):
        steps = len(book._past)
        actions[rng.integers(len(actions))]()
        if len(book._past) > steps:
            states.append(everything(book))
    assert len(states) > 100
    for state in reversed(states[:-1]):
        assert book.can_undo
        book.undo()
        assert everything(book) == state
    assert not book.can_undo
    assert book.undo_text == ""
    for state in states[1:]:
        book.redo()
        assert everything(book) == state
    assert not book.can_redo


def test_a_new_action_forgets_what_was_undone(book: SelectionBook) -> None:
    first, second = np.arange(N) < 10, np.arange(N) < 20
    book.apply(first, "replace", "lasso in UMAP1, UMAP2")
    book.apply(second, "add", "brush")
    assert book.undo_text == "add brush"
    assert book.made == "lasso in UMAP1, UMAP2 + brush"
    book.undo()
    assert book.redo_text == "add brush"
    book.apply(second, "subtract", "k nearest")
    assert not book.can_redo
    assert book.count == 0
    assert book.made == ""


def test_what_changes_nothing_is_no_step(book: SelectionBook) -> None:
    heard: list[object] = []
    book.changed.connect(heard.append)
    book.clear()
    book.apply(np.zeros(N, bool), "add", "tiny lasso")
    assert not book.can_undo
    assert not heard


def test_signals_say_what_has_changed(book: SelectionBook) -> None:
    masks: list[np.ndarray] = []
    named: list[tuple] = []
    book.changed.connect(masks.append)
    book.named_changed.connect(named.append)
    book.apply(np.arange(N) < 7, "replace", "lasso")
    book.keep("seven", note="the first")
    book.undo()
    assert [mask.sum() for mask in masks] == [7]
    assert [[one.name for one in tuple_] for tuple_ in named] == [["seven"], []]


def test_combining_named_selections(book: SelectionBook) -> None:
    low, high = np.arange(N) < 300, np.arange(N) >= 200
    for name, mask in (("low", low), ("high", high)):
        book.apply(mask, "replace", name)
        book.keep(name)
    book.combine("low", "high", "union", "all")
    book.combine("low", "high", "intersection", "both")
    book.combine("low", "high", "difference", "only low")
    book.invert_named("low", "not low")
    shown = {one.name: one for one in book.named}
    assert_array_equal(shown["all"].mask, low | high)
    assert_array_equal(shown["both"].mask, low & high)
    assert_array_equal(shown["only low"].mask, low & ~high)
    assert_array_equal(shown["not low"].mask, ~low)
    assert shown["both"].made == "'low' ∩ 'high'"
    assert len({one.colour for one in book.named}) == 6
    assert_array_equal(shown["both"].particles.rows, np.arange(200, 300))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda book: book.apply(np.ones(N - 1, bool), "add", "lasso"), "each of 500 particles"),
        (lambda book: book.apply(np.arange(N), "add", "lasso"), "int64 array"),
        (lambda book: book.keep("empty"), "nothing is selected"),
        (lambda book: book.keep("first"), "of this name already"),
        (lambda book: book.keep("  "), "a name has"),
        (lambda book: book.keep("two\nlines"), "a name has"),
        (lambda book: book.recolour("first", "red"), "#rrggbb"),
        (lambda book: book.load("nobody"), "there are first"),
        (lambda book: book.combine("first", "first", "xor", "new"), "union, intersection"),
        (lambda book: book.add_named("new", np.ones(3, bool)), "each of 500 particles"),
    ],
)
def test_a_mistake_changes_nothing(book: SelectionBook, wrong: object, says: str) -> None:
    book.apply(np.arange(N) < 5, "replace", "lasso")
    book.keep("first")
    if says == "nothing is selected":
        book.clear()
    before = everything(book)
    with pytest.raises(InputError, match=says):
        wrong(book)  # type: ignore[operator]
    assert everything(book) == before


def test_selections_follow_their_particles(book: SelectionBook, rng: np.random.Generator) -> None:
    """To an unsorted choice of the same table and back; those left out are lost."""
    mask = some(rng)
    book.apply(mask, "replace", "lasso")
    book.keep("kept")
    chosen = ParticleRows(rng.permutation(N)[:400], N, "table")
    book.set_space(space(chosen))
    assert_array_equal(book.mask, mask[chosen.rows])
    assert set(book.particles.rows) == set(np.flatnonzero(mask)) & set(chosen.rows)
    assert not book.can_undo
    book.set_space(space(ParticleRows.every(N, "table")))
    assert_array_equal(book.named[0].mask, mask & np.isin(np.arange(N), chosen.rows))


def test_another_epoch_of_the_same_particles_leaves_the_history(book: SelectionBook) -> None:
    book.apply(np.arange(N) < 5, "replace", "lasso")
    book.set_space(dataclasses.replace(space(ParticleRows.every(N, "table")), epoch=2))
    book.undo()
    assert book.count == 0


def test_nothing_is_carried_to_another_table(book: SelectionBook) -> None:
    book.apply(np.arange(N) < 5, "replace", "lasso")
    book.keep("kept")
    book.set_space(space(ParticleRows.every(N, "another table")))
    assert book.count == 0
    assert not book.named
    book.set_space(None)
    assert book.mask.shape == (0,)


def test_packed_masks_are_what_they_were(rng: np.random.Generator) -> None:
    for n in (0, 1, 7, 8, 9, 1000):
        mask = some(rng, n)
        packed = PackedMask.of(mask)
        assert_array_equal(packed.unpacked(), mask)
        assert packed.count == mask.sum()
    with_other_particles = SelectionState(
        ParticleRows.every(4), PackedMask.of(np.ones(4, bool)), "", ()
    )
    over = carried_over(with_other_particles, ParticleRows(np.array([3, 1]), 4))
    assert over.working.unpacked().tolist() == [True, True]


def test_a_hundred_steps_over_a_million_particles_stay_small_and_quick() -> None:
    """At worst a bit flips or not at random: 125 kB a step; undo is far below 0.5 s."""
    n = 1_000_000
    rng = np.random.default_rng(2)
    book = SelectionBook()
    rows = ParticleRows.every(n)
    empty = PackedMask.of(np.zeros(n, bool))
    book.restore(SelectionState(rows, empty, "", ()))
    masks = [rng.random(n) < share for share in (0.5, 0.02)]
    for step in range(40):
        book.apply(masks[step % 2], "replace", "lasso")
    began = time.process_time()
    for _ in range(40):
        book.undo()
    seconds = time.process_time() - began
    assert book.count == 0
    assert book.history_bytes < 40 * 127_000
    assert seconds < 40 * 0.1
