"""Real files: cryoDRGN's fixtures with an expected result, and other people's tables.

Where the expected result is at fault, the correction is named and tested.
"""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import check_rotations
from napari_cryodrgn.io.cs import read_cs
from napari_cryodrgn.io.image_stack import check_images
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import read_ctf, read_indices, read_latents, read_poses
from napari_cryodrgn.io.star import read_star
from napari_cryodrgn.progress import run_to_end

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def fixtures(data_folder):
    return data_folder / "cryodrgn-tests"


# ------------------------------------------------------------------ expected parser results


def test_ctf_of_a_relion30_star(fixtures):
    """``parse_ctf_star -D 300 --Apix 1.035 -w 0.1``; the star has no amplitude contrast."""
    table = read_star(fixtures / "FinalRefinement-OriginalParticles-PfCRT.star")
    found = table.ctf(300, None, {"amplitude_contrast": 0.1}).table
    np.testing.assert_allclose(found, read_ctf(fixtures / "ctf1.pkl").table, rtol=1e-6, atol=1e-6)
    with pytest.raises(InputError, match="_rlnAmplitudeContrast"):
        table.ctf(300, None, {})


def test_poses_of_a_relion30_star(fixtures):
    """``parse_pose_star -D 300``."""
    found = read_star(fixtures / "FinalRefinement-OriginalParticles-PfCRT.star").poses(300)
    expected = read_poses(fixtures / "pose.star.pkl")
    np.testing.assert_allclose(found.rotations, expected.rotations, atol=1e-6)
    np.testing.assert_allclose(found.shifts, expected.shifts, atol=1e-8)


def test_ctf_of_cryosparc(fixtures):
    found = read_cs(fixtures / "cryosparc_P12_J24_001_particles.cs").ctf(180, None, {}).table
    expected = read_ctf(fixtures / "ctf2.pkl").table
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_poses_of_cryosparc(fixtures):
    """``parse_pose_csparc -D 180``; here the alignment's pixel size is that of the images."""
    found = read_cs(fixtures / "cryosparc_P12_J24_001_particles.cs").poses(180)
    expected = read_poses(fixtures / "pose.cs.pkl")
    np.testing.assert_allclose(found.rotations, expected.rotations, atol=2e-6)
    np.testing.assert_allclose(found.shifts, expected.shifts, atol=1e-7)


def test_shift_units_are_corrected(fixtures, tmp_path):
    """Upstream takes shifts as pixels of the images, whatever the alignment was binned to."""
    fields = np.load(fixtures / "cryosparc_P12_J24_001_particles.cs")
    fields["alignments3D/psize_A"] *= 2
    with (tmp_path / "binned.cs").open("wb") as file:
        np.save(file, fields)
    expected = read_poses(fixtures / "pose.cs.pkl")
    found = read_cs(tmp_path / "binned.cs").poses(180)
    np.testing.assert_allclose(found.shifts, 2 * expected.shifts, atol=1e-7)


def test_zero_vectors_are_corrected(fixtures, tmp_path):
    """Upstream gives NaN for a pose that is exactly zero."""
    fields = np.load(fixtures / "cryosparc_P12_J24_001_particles.cs")
    fields["alignments3D/pose"][7] = 0
    with (tmp_path / "zero.cs").open("wb") as file:
        np.save(file, fields)
    rotations = read_cs(tmp_path / "zero.cs").poses(180).rotations
    check_rotations(rotations, file=None)
    np.testing.assert_array_equal(rotations[7], np.eye(3))


@pytest.mark.parametrize("name", ["sta_testing.star", "sta_testing_bin8.star"])
def test_tilt_series_star(fixtures, name):
    """Made with ``-D 512 --Apix 1.82``, where the star itself says 1.96 Å.

    The expected shifts come from a star with origins that is not among the fixtures; both of
    these have none.
    """
    table = read_star(fixtures / name)
    expected = read_ctf(fixtures / "sta_ctf.pkl").table
    found = table.ctf(512, None, {}).table
    np.testing.assert_allclose(found[:, 2:], expected[:, 2:], rtol=1e-6)
    np.testing.assert_array_equal(found[:, 0], expected[:, 0])
    assert table.pixel_size == 1.96
    rotations = table.poses(512).rotations
    np.testing.assert_array_equal(rotations, read_poses(fixtures / "sta_pose.pkl").rotations)
    assert table.tilt_series is not None
    with pytest.raises(InputError, match="tilt series"):
        read_particles(fixtures / name)


def test_expected_pose_and_index_files(fixtures):
    for name, n in [("hand_rot", 100), ("hand_rot_trans", 100), ("toy_rot_trans", 1000),
                    ("toy_rot_zerotrans", 1000), ("toy_angles", 1000)]:  # fmt: skip
        assert len(read_poses(fixtures / f"{name}.pkl")) == n
    with pytest.raises(InputError, match="3 x 3"):
        read_poses(fixtures / "toy_trans.pkl")
    for name, n in [("ind100", 100), ("ind100-rand", 100), ("ind4", 4), ("ind5", 5)]:
        assert len(read_indices(fixtures / f"{name}.pkl", 1000)) == n
    assert read_latents(fixtures / "zvals_het-2_1k.pkl").mu.shape == (1319, 2)
    assert read_latents(fixtures / "zvals_het-8_4k.pkl").mu.shape == (4549, 8)


# ------------------------------------------------------------------ RELION tables


def test_six_optics_groups(fixtures):
    table = read_star(fixtures / "relion31.6opticsgroups.star")
    ctf = table.ctf(1, None, {})
    groups = table.metadata["optics_group"].to_numpy()
    assert set(groups) == set(range(1, 7))
    # In this file groups 2 and 5 have pixels of 1.24 Å, and group 4 another microscope's Cs.
    np.testing.assert_allclose(
        ctf.column("pixel_size"), np.where(np.isin(groups, (2, 5)), 1.24, 1.25)
    )
    np.testing.assert_allclose(ctf.column("spherical_aberration"), np.where(groups == 4, 2.6, 2.7))
    assert table.box == 196
    shifts = table.poses(1).shifts
    expected = table.columns["rlnOriginXAngst"] / (196 * ctf.column("pixel_size"))
    np.testing.assert_allclose(shifts[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["relion31.star", "relion31.v2.star"])
def test_relion31_in_either_order_of_blocks(fixtures, tmp_path, name):
    """The particles name a stack of a project that is not here."""
    particles = read_particles(fixtures / name)
    assert (len(particles), particles.box, particles.pixel_size) == (5, 256, 2.806)
    assert particles.metadata["voltage"].tolist() == [300] * 5
    assert particles.poses is not None
    direct = read_volume(fixtures / "relion31.mrcs").data
    np.testing.assert_array_equal(particles.images.read(np.arange(5)), direct)


def test_relion5(fixtures):
    """Made for 448 px of 0.89 Å; the images at hand have 30 px of unknown size."""
    particles = read_particles(fixtures / "relion5.star", datadir=fixtures / "toy_datadir")
    assert (len(particles), particles.box) == (17, 30)
    assert particles.pixel_size == pytest.approx(448 * 0.89 / 30)
    second = read_volume(fixtures / "toy_datadir" / "toy_images_b.mrcs").data[1]
    np.testing.assert_array_equal(particles.images.read(np.array([1]))[0], second)
    with pytest.raises(InputError, match=r"toy_images_a\.mrcs"):
        read_particles(fixtures / "relion5.star")


def test_relion30_and_31_of_the_same_images(data_folder):
    old = read_particles(data_folder / "aspire" / "sample_particles_relion30.star")
    new = read_particles(data_folder / "aspire" / "sample_particles_relion31.star")
    assert len(old) == len(new) == 17
    # Row 15 of the 3.1 file repeats the angles of its row 14.
    same = np.delete(np.arange(17), 14)
    np.testing.assert_array_equal(old.poses.rotations[same], new.poses.rotations[same])
    # The 3.0 file has 37369x on 5 µm pixels.
    assert old.pixel_size == pytest.approx(5e4 / 37369.207031, rel=1e-6)
    assert new.pixel_size == 1.4
    assert new.ctf.column("voltage").tolist() == [300.0] * 8 + [200.0] * 9
    run_to_end(check_images(old.images))


def test_a_real_table_of_98_micrographs(data_folder):
    table = read_star(data_folder / "real-poses-ctf" / "aspire_starfile.star")
    assert table.source.n_rows == 3796
    assert table.metadata["micrograph"].nunique() == 98
    check_rotations(table.poses(200).rotations, file=None)
    with pytest.raises(InputError, match="97 others"):
        read_particles(table.source.path)


# ------------------------------------------------------------------ the toy set in all its forms


@pytest.fixture(scope="module")
def toy_images(fixtures):
    return read_volume(fixtures / "toy_projections.mrcs").data


@pytest.mark.parametrize(
    "name", ["toy_projections.mrcs", "toy_projections.txt", "toy_projections.star", "toy.star"]
)
def test_toy_set(fixtures, toy_images, name):
    particles = read_particles(fixtures / name)
    np.testing.assert_array_equal(particles.images.read(np.arange(1000)), toy_images)


def test_toy_set_twice(fixtures, toy_images):
    particles = read_particles(fixtures / "toy_projections_2.txt")
    found = particles.images.read(np.array([1999, 0, 1000]))
    np.testing.assert_array_equal(found, toy_images[[999, 0, 0]])


def test_toy_subset(fixtures, toy_images):
    particles = read_particles(fixtures / "toy_projections_13.star")
    names = particles.metadata["image_name"]
    numbers = np.array([int(name.split("@")[0]) - 1 for name in names])
    np.testing.assert_array_equal(particles.images.read(np.arange(13)), toy_images[numbers])
    # 300 px of 1.035 Å in 30 px
    assert particles.pixel_size == pytest.approx(10.35)


def test_toy_set_with_datadir(fixtures):
    table = fixtures / "toy_projections_dir.star"
    particles = read_particles(table, datadir=fixtures / "toy_datadir")
    folder = fixtures / "toy_datadir"
    stacks = {name: read_volume(folder / f"toy_images_{name}.mrcs").data for name in "ab"}
    names = particles.metadata["image_name"].tolist()
    expected = [stacks[name[-6]][int(name.split("@")[0]) - 1] for name in names]
    np.testing.assert_array_equal(particles.images.read(np.arange(1000)), expected)
    with pytest.raises(InputError, match=r"toy_images_b\.mrcs.*tried"):
        read_particles(table)


def test_toy_set_filtered(fixtures, toy_images):
    """``ind`` with tables for the whole stack; order kept."""
    particles = read_particles(
        fixtures / "toy_projections.mrcs",
        poses=fixtures / "toy_rot_trans.pkl",
        ctf=fixtures / "test_ctf.pkl",
        ind=fixtures / "ind100-rand.pkl",
    )
    with (fixtures / "ind100-rand.pkl").open("rb") as file:
        rows = pickle.load(file)
    np.testing.assert_array_equal(particles.images.read(np.arange(100)), toy_images[rows])
    whole = read_poses(fixtures / "toy_rot_trans.pkl")
    np.testing.assert_array_equal(particles.poses.rotations, whole.rotations[rows])


# ------------------------------------------------------------------ cryoSPARC


def test_the_same_images_by_cryosparc_and_relion(fixtures):
    sparc = read_particles(fixtures / "empiar_10076_7.cs")
    relion = read_particles(fixtures / "empiar_10076_7.star")
    np.testing.assert_array_equal(sparc.images.read(np.arange(7)), relion.images.read(np.arange(7)))
    np.testing.assert_allclose(sparc.ctf.table, relion.ctf.table, rtol=1e-6)
    assert sparc.poses is None
    assert relion.metadata["micrograph"].tolist() == [str(n) for n in range(1, 8)]


def test_an_exported_table_with_a_marked_path(fixtures, tmp_path):
    """Paths begin with '>'; the stacks are looked for by name in the data folder."""
    table = read_cs(fixtures / "cryosparc_J2_particles_exported.cs")
    assert not any(name.startswith(">") for name in table.references.files)
    assert table.poses(300) is None
    with pytest.raises(InputError, match=r"000090334788266266069_18jam15b"):
        read_particles(table.source.path, datadir=tmp_path)


def test_a_real_refinement(data_folder):
    path = data_folder / "real-poses-ctf" / "t20s_cryosparc_P9_J209_000_particles.cs"
    table = read_table(path)
    poses = table.poses(256)
    check_rotations(poses.rotations, file=path)
    fields = np.load(path)
    ratio = fields["alignments3D/psize_A"] / (fields["blob/psize_A"] * 256)
    expected = fields["alignments3D/shift"] * ratio[:, None]
    np.testing.assert_allclose(poses.shifts, expected, rtol=1e-5)
    assert len(table.ctf(256, None, {})) == len(table.metadata) == 11764


# ------------------------------------------------------------------ tomoDRGN, WarpTools, published


def test_tomodrgn_tables(data_folder):
    folder = data_folder / "tomodrgn-10076-DE"
    for name, n in [("D", 576), ("E", 720)]:
        particles = read_particles(
            folder / f"10076_class{name}_32_sim.mrcs",
            poses=folder / f"pose_class{name}.pkl",
            ctf=folder / f"ctf_class{name}.pkl",
        )
        assert (len(particles), particles.box) == (n, 32)
        assert particles.pixel_size == pytest.approx(13.1)
        # their star is the same in RELION's words
        table = read_star(folder / f"10076_class{name}_32_sim.star")
        found = table.poses(32)
        np.testing.assert_allclose(found.rotations, particles.poses.rotations, atol=1e-5)
        np.testing.assert_allclose(found.shifts, particles.poses.shifts, atol=1e-5)
        np.testing.assert_allclose(
            table.ctf(32, None, {}).table, particles.ctf.table, rtol=1e-5, atol=1e-4
        )


def test_two_stacks_as_one(data_folder, tmp_path):
    """Classes D and E, one after the other, as a text file lists them."""
    folder = data_folder / "tomodrgn-10076-DE"
    for name in "DE":
        shutil.copy(folder / f"10076_class{name}_32_clean.mrcs", tmp_path)
    (tmp_path / "both.txt").write_text("10076_classD_32_clean.mrcs\n10076_classE_32_clean.mrcs\n")
    particles = read_particles(tmp_path / "both.txt")
    assert len(particles) == 1296
    first = read_volume(folder / "10076_classE_32_clean.mrcs").data[0]
    np.testing.assert_array_equal(particles.images.read(np.array([576]))[0], first)


def test_warptools_2d_stacks(data_folder):
    path = next((data_folder / "tomodrgn-warptools-ribosomes").glob("*angpix-12.star"))
    table = read_table(path)
    assert table.source.n_rows == 40
    assert (table.box, table.pixel_size) == (32, 12.0)
    assert table.metadata["rlnTomoName"].nunique() == 4
    with pytest.raises(InputError, match=r"tilt series.*one image for each tilt"):
        read_particles(path)
    stack = next(path.parent.rglob("*_000001.mrcs"))
    particles = read_particles(stack)
    assert (len(particles), particles.pixel_size) == (37, 12.0)
    run_to_end(check_images(particles.images))


def test_published_tables(data_folder):
    folder = data_folder / "cryodrgn-empiar"
    assert len(read_ctf(folder / "empiar10028_inputs_ctf.pkl")) == 105_247
    kept = read_indices(folder / "empiar10028_inputs_filtered.ind.pkl", 105_247)
    assert len(kept) == 93_852
    assert len(read_indices(folder / "empiar10180_inputs_filtered.ind.pkl", 327_490)) == 139_722
    latents = read_latents(data_folder / "cftr-cryodrgn-demo" / "train" / "z.20.pkl")
    assert latents.mu.shape == latents.logvar.shape == (3000, 4)
    poses = read_poses(data_folder / "cftr-cryodrgn-demo" / "inputs" / "poses.pkl")
    assert len(poses) == 3000
