"""Sets made like a table of RELION or cryoSPARC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.simulate import SimulatedSet, simulate

TABLES = (
    "real-poses-ctf/aspire_starfile.star",  # RELION 3.0: pixels, no box
    "cryodrgn-tests/relion31.6opticsgroups.star",
    "cryodrgn-tests/cryosparc_P12_J24_001_particles.cs",
)


def _like(table: Path, out: Path, **settings: object) -> SimulatedSet:
    config = SimulationConfig.model_validate(
        {"like": table, "n_particles": 40, "box": 16, "snr": 1, **settings}
    )
    return SimulatedSet(run_to_end(simulate(out, config)))


@pytest.mark.data
@pytest.mark.parametrize("name", TABLES)
def test_the_set_has_poses_shifts_and_ctf_of_the_table(
    name: str, data_folder: Path, tmp_path: Path
) -> None:
    table = read_table(data_folder / name)
    made = _like(data_folder / name, tmp_path / "set")
    rows = np.unique(np.linspace(0, table.source.n_rows - 1, 40).astype(int))
    box = table.box or 100
    poses, ctf = table.poses(box), table.ctf(box, table.pixel_size, {})
    assert poses is not None
    assert ctf is not None
    files = [made.star] + ([made.cryosparc_table] if name.endswith(".cs") else [])
    for file in files:
        found = read_particles(file)
        assert len(found) == len(rows)
        assert found.poses is not None
        assert found.ctf is not None
        assert found.pixel_size is not None
        np.testing.assert_allclose(found.poses.rotations, poses.rotations[rows], atol=1e-5)
        np.testing.assert_allclose(
            found.poses.shifts * (16 * found.pixel_size),
            poses.shifts[rows] * (box * (table.pixel_size or 1)),
            rtol=1e-4,
            atol=1e-3,
        )
        np.testing.assert_allclose(found.ctf.table[:, 2:], ctf.table[rows, 2:], rtol=1e-5)
        for column in ("micrograph", "uid"):
            if column in table.metadata and column in found.metadata:
                expected = table.metadata[column].to_numpy()[rows]
                assert (found.metadata[column].to_numpy() == expected).all()
    if name.endswith(".cs"):
        assert "uid" in read_particles(made.cryosparc_table).metadata


@pytest.mark.data
def test_false_poses_are_false_in_both_tables(data_folder: Path, tmp_path: Path) -> None:
    table = data_folder / TABLES[2]
    made = _like(table, tmp_path / "set", false_poses=0.5)
    by_star, by_cs = read_particles(made.star), read_particles(made.cryosparc_table)
    assert by_star.poses is not None
    assert by_cs.poses is not None
    np.testing.assert_allclose(by_cs.poses.rotations, by_star.poses.rotations, atol=1e-5)
    true = _like(table, tmp_path / "true")
    right = read_particles(true.star).poses
    assert right is not None
    wrong = np.abs(right.rotations - by_star.poses.rotations).max(axis=(1, 2)) > 1e-3
    assert wrong.sum() == 20


def test_a_table_without_poses_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "extracted.star"
    table.write_text("data_\n\nloop_\n_rlnImageName #1\n1@a.mrcs\n2@a.mrcs\n")
    with pytest.raises(InputError, match="no poses"):
        _like(table, tmp_path / "set")
    assert not (tmp_path / "set").exists()
