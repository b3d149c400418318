"""Particles that we export, parsed by cryoDRGN 4.3.1: the rows of the original, no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.export.particle_table import write_particles
from napari_cryodrgn.io.import_particles import read_table
from napari_cryodrgn.io.pickles import load_pickle
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end

from .conftest import Upstream

pytestmark = [pytest.mark.upstream, pytest.mark.data, pytest.mark.timeout(600)]

IMAGE = ("-D", 64, "--Apix", 2)
OPTICS = ("--kv", 300, "--cs", 2.7, "-w", 0.1, "--ps", 0)
STAR = {
    "aspire/sample_particles_relion31.star": (),
    "cryodrgn-tests/FinalRefinement-OriginalParticles-PfCRT.star": (),
    "cryodrgn-tests/relion31.6opticsgroups.star": (),
    "cryodrgn-tests/relion31.star": (),
    "cryodrgn-tests/relion31.v2.star": OPTICS,
    "cryodrgn-tests/sta_testing_bin8.star": (),
    "cryodrgn-tests/toy_projections.star": OPTICS,
    "real-poses-ctf/aspire_starfile.star": (),
    "tomodrgn-10076-DE/10076_both_32_sim.star": (),
}
CSPARC = (
    "cryodrgn-tests/cryosparc_P12_J24_001_particles.cs",
    "real-poses-ctf/t20s_cryosparc_P9_J209_000_particles.cs",
)


def exported(source: Path, target: Path) -> np.ndarray:
    """Export a third of the rows of a table; which ones."""
    table = read_table(source)
    n = table.source.n_rows
    rows = np.sort(np.random.default_rng(1).choice(n, max(2, n // 3), replace=False))
    wanted = ParticleRows(rows, n, table.source.fingerprint)
    run_to_end(write_particles(target, wanted, table))
    return rows


def same_rows(whole: Path, part: Path, rows: np.ndarray) -> None:
    """What was parsed of the export is what was parsed of these rows of the original."""
    before, after = load_pickle(whole), load_pickle(part)
    pairs = zip(before, after, strict=True) if isinstance(before, tuple) else [(before, after)]
    for old, new in pairs:
        np.testing.assert_array_equal(new, np.asarray(old)[rows])


@pytest.mark.parametrize("name", STAR)
def test_star(cryodrgn: Upstream, name: str, data_folder: Path, tmp_path: Path) -> None:
    source, target = data_folder / name, tmp_path / "kept.star"
    rows = exported(source, target)
    parsed = 0
    for command, extra in (("parse_pose_star", ()), ("parse_ctf_star", STAR[name])):
        if command == "parse_pose_star" and b"_rlnAngleRot" not in source.read_bytes():
            continue
        if command == "parse_ctf_star" and b"_rlnDefocusU" not in source.read_bytes():
            continue
        whole, part = (tmp_path / f"{command}.{which}.pkl" for which in ("whole", "part"))
        cryodrgn(command, source, "-o", whole, *IMAGE, *extra)
        cryodrgn(command, target, "-o", part, *IMAGE, *extra)
        same_rows(whole, part, rows)
        parsed += 1
    assert parsed


@pytest.mark.parametrize("name", CSPARC)
def test_cs(cryodrgn: Upstream, name: str, data_folder: Path, tmp_path: Path) -> None:
    source, target = data_folder / name, tmp_path / "kept.cs"
    rows = exported(source, target)
    for command, extra in (("parse_pose_csparc", ("-D", 64)), ("parse_ctf_csparc", ())):
        whole, part = (tmp_path / f"{command}.{which}.pkl" for which in ("whole", "part"))
        cryodrgn(command, source, "-o", whole, *extra)
        cryodrgn(command, target, "-o", part, *extra)
        same_rows(whole, part, rows)
