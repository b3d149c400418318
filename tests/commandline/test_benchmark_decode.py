"""``benchmark decode``: its table, and what it says without the other program."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_cryodrgn.cli import app
from napari_cryodrgn.commandline.benchmark import decode_table
from napari_cryodrgn.workflows.benchmark_decode import DecodeCase, DecodeTiming, Spent


def test_without_the_other_program_it_says_where_it_was_looked_for(tmp_path):
    missing = tmp_path / "no" / "cryodrgn"
    result = CliRunner().invoke(app, ["benchmark", "decode", "--cryodrgn", str(missing)])
    assert result.exit_code == 1
    assert str(missing) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_volume_is_what_is_left_without_the_start_of_the_program():
    spent = Spent(12.0, 20.0).per(4, start=Spent(4.0, 6.0))
    assert spent.wall == pytest.approx(2.0)
    assert spent.cpu == pytest.approx(3.5)
    assert Spent(3.0, None).per(1, start=Spent(1.0, 2.0)).cpu is None


def test_the_table_gives_ratios_by_the_clock_and_by_processors():
    timing = DecodeTiming(
        str(DecodeCase(64, 256, 6)), Spent(2.0, 4.0), Spent(0.5, 0.8), None, None, 5.7e-7, None
    )
    row = decode_table([timing])[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[0] == "256x3, box 64"
    numbers = [float(word.strip("()")) for word in cells[3].split()]
    np.testing.assert_allclose(numbers, [4.0, 5.0], atol=0.05)
    assert cells[4] == "5.7e-07"
    assert cells[5:] == [""] * 5
    assert len(cells) == decode_table([])[0].count("|") - 1
