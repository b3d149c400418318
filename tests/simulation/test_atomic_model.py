"""Damaged atomic models, as a fuzzer has found them."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.simulation.atomic_model import read_models

ATOM = b"ATOM      1  CA  ALA A   1      11.104   6.134  -6.504  1.00  0.00           C\n"


@pytest.mark.parametrize("place", [12, 21])
def test_names_that_are_no_text_are_refused(tmp_path: Path, place: int) -> None:
    pytest.importorskip("gemmi")
    model = tmp_path / "model.pdb"
    model.write_bytes(ATOM)
    assert list(read_models(model)[0]) == ["A"]
    model.write_bytes(ATOM[:place] + b"\xe8" + ATOM[place + 1 :])
    with pytest.raises(InputError, match="no readable atomic model"):
        read_models(model)


def test_a_table_cut_short_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    model = tmp_path / "model.cif"
    model.write_bytes(b"data_\nloop_\n_atom_site.id\n_atom_site.type_symbol\n1 C\n")
    with pytest.raises(InputError, match="atomic model"):
        read_models(model)
