from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import write_indices
from napari_cryodrgn.particles import ParticleRows, Particles, Poses
from napari_cryodrgn.training.source import (
    RunSource,
    read_run_source,
    require_same_particles,
    rows_of,
    write_run_source,
)


def test_round_trip_with_rows(tmp_path: Path, particles: Particles) -> None:
    source = RunSource.of(particles, "rows.pkl")
    write_run_source(tmp_path / "particles.json", source)
    write_indices(tmp_path / "rows.pkl", particles.rows)
    again = read_run_source(tmp_path / "particles.json")
    assert again == source
    assert rows_of(again, tmp_path) == particles.rows
    require_same_particles(source, again)


def test_no_rows_file_means_the_whole_table(particles: Particles, tmp_path: Path) -> None:
    rows = rows_of(RunSource.of(particles, None), tmp_path)
    assert rows == ParticleRows.every(80, "fingerprint")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"path": 3}'])
def test_unusable_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "particles.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"particles\.json"):
        read_run_source(path)
    with pytest.raises(InputError, match="no such file"):
        read_run_source(tmp_path / "none.json")


def test_rows_are_looked_for_beside_the_file_only(tmp_path: Path, particles: Particles) -> None:
    (tmp_path / "run").mkdir()
    write_indices(tmp_path / "rows.pkl", particles.rows)
    source = RunSource.of(particles, "../rows.pkl")
    with pytest.raises(InputError):
        rows_of(source, tmp_path / "run")


def test_what_differs_is_named(particles: Particles) -> None:
    recorded = RunSource.of(particles, None)
    poses, ctf, rows = particles.poses, particles.ctf, particles.rows
    assert poses is not None
    assert ctf is not None
    moved = poses.shifts.copy()
    moved[3] += 0.01
    changed = {
        "particles": replace(particles, source=replace(particles.source, fingerprint="other")),
        "--ind": replace(particles, rows=rows.at(np.arange(40)[::-1])),
        "--poses": replace(particles, poses=Poses(poses.rotations, moved)),
        "--ctf": replace(particles, ctf=None),
    }
    for option, other in changed.items():
        with pytest.raises(InputError) as caught:
            require_same_particles(recorded, RunSource.of(other, None))
        assert caught.value.field == option
