"""Arrays in NumPy's own format, written by older programs."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.io.npy import read_npy


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
