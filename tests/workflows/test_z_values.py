"""Latent points as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.workflows.z_values import read_z_values, write_z_values


def test_points_come_back_exactly(tmp_path: Path, rng: np.random.Generator) -> None:
    for shape in ((1, 1), (5, 1), (1, 7), (4, 3)):
        z = rng.normal(size=shape).astype(np.float32)
        write_z_values(tmp_path / "z.txt", z)
        np.testing.assert_array_equal(read_z_values(tmp_path / "z.txt"), z)


def test_commas_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "z.txt"
    path.write_text("# two points\n1, -2e-1\n\n3 4 # second\n")
    np.testing.assert_allclose(read_z_values(path), [[1, -0.2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no latent points"),
        ("1 2\n1 2 3\n", "line = 2: there are 3 numbers where a latent point has 2"),
        ("1 2\n1 x\n", "line 2 = x: this is no finite number"),
        ("1 nan\n", "line 1 = nan"),
        ("1 2 3\n", "line = 1: there are 3 numbers where a latent point has 2"),
    ],
)
def test_what_is_wrong_is_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "z.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_z_values(path, 2)


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_z_values(tmp_path / "z.txt")
    (tmp_path / "z.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no readable text"):
        read_z_values(tmp_path / "z.txt")
