"""Identity: rows of a source table, and the positions within a choice of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import CTFParameters, ParticleRows


@st.composite
def choices(draw: st.DrawFn) -> ParticleRows:
    n_source = draw(st.integers(1, 60))
    rows = draw(st.lists(st.integers(0, n_source - 1), unique=True))
    return ParticleRows(np.array(rows, dtype=np.int64), n_source, "table")


@given(choices(), st.randoms())
def test_positions_of_inverts_at_in_any_order(rows, random):
    positions = list(range(len(rows)))
    random.shuffle(positions)
    chosen = rows.at(positions)
    assert rows.positions_of(chosen).tolist() == positions


@pytest.mark.parametrize(("bad", "value"), [([0, 5], "5"), ([-1], "-1")])
def test_rows_outside_the_table_are_refused_by_number(bad, value):
    with pytest.raises(InputError, match=f"index = {value}: .*table of 5 rows"):
        ParticleRows(np.array(bad), 5)


def test_repeated_rows_are_refused_by_number():
    with pytest.raises(InputError, match="index = 3: 1 particle indices are repeated"):
        ParticleRows(np.array([1, 3, 3]), 5)


def test_rows_cannot_be_changed_behind_their_back():
    given_rows = np.array([0, 1])
    rows = ParticleRows(given_rows, 3)
    given_rows[0] = 2
    assert rows.rows.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        rows.rows[0] = 2


def test_selections_of_different_tables_do_not_mix():
    mine = ParticleRows.every(4, "a")
    with pytest.raises(InputError, match="different particle tables"):
        mine.positions_of(ParticleRows.every(4, "b"))
    with pytest.raises(InputError, match="different particle tables"):
        mine.positions_of(ParticleRows.every(5, "a"))


def test_rows_of_an_unknown_table_match_by_its_length():
    assert ParticleRows.every(4, "a").positions_of(ParticleRows(np.array([2]), 4)).tolist() == [2]


def test_a_row_that_is_not_part_of_the_set_is_named():
    filtered = ParticleRows(np.array([0, 2]), 4, "a")
    with pytest.raises(InputError, match="index = 3: 1 particles are not part of this set"):
        filtered.positions_of(ParticleRows(np.array([2, 3]), 4, "a"))


def test_pixel_size_keeps_the_field_of_view():
    table = np.zeros((2, 9))
    table[:, 0], table[:, 1] = 256, 1.5
    assert CTFParameters(table).pixel_size_at_box(64) == pytest.approx(6.0)
