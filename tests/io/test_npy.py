"""Arrays in NumPy's own format, written by older programs."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io import npy
from napari_cryodrgn.io.npy import read_npy, read_npy_rows


def write_as(path: Path, description: str, values: bytes) -> None:
    """An array of two values with its type described as an older program would."""
    header = f"{{'descr': {description}, 'fortran_order': False, 'shape': (2,), }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values)


@pytest.mark.parametrize(
    ("description", "values", "expected"),
    [
        ("'a3'", b"oneTWO", [b"one", b"TWO"]),
        ("[('uid', '<i8'), ('path', '|a2')]", 2 * (struct.pack("<q", 7) + b"ab"), [(7, b"ab")] * 2),
    ],
)
def test_older_names_of_types_are_read_without_a_word(tmp_path, description, values, expected):
    write_as(tmp_path / "old.npy", description, values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_npy(tmp_path / "old.npy").tolist() == expected


def test_headers_of_python_2_are_read_without_a_word(tmp_path):
    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (2L,), }\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "old.npy").write_bytes(content + np.array([5, 6], np.int32).tobytes())
    assert read_npy(tmp_path / "old.npy").tolist() == [5, 6]


def test_rows_are_those_asked_for_in_their_order(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(npy, "READ_BYTES", 100)
    table = np.zeros(50, [("uid", "<u8"), ("path", "S5")])
    table["uid"] = rng.permutation(50)
    np.save(tmp_path / "table.npy", table)
    rows = np.array([49, 3, 3, 0, 20])
    np.testing.assert_array_equal(read_npy_rows(tmp_path / "table.npy", rows), table[rows])
    assert len(read_npy_rows(tmp_path / "table.npy", rows[:0])) == 0


def test_rows_of_a_table_that_was_cut_are_refused(tmp_path):
    np.save(tmp_path / "table.npy", np.arange(1000))
    os.truncate(tmp_path / "table.npy", 4000)
    with pytest.raises(InputError, match=r"table\.npy.*bytes are less than"):
        read_npy_rows(tmp_path / "table.npy", np.array([1]))
