"""From named files to a checked particle set, and every way in which that fails."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations, rotations_from_euler
from napari_cryodrgn.io.image_paths import find_files
from napari_cryodrgn.io.import_particles import read_particles, read_table
from napari_cryodrgn.io.mrc import write_stack, write_volume
from napari_cryodrgn.io.pickles import write_ctf, write_indices, write_poses
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses

N, BOX = 10, 8


@pytest.fixture
def images():
    return np.random.default_rng(3).normal(size=(N, BOX, BOX)).astype(np.float32)


@pytest.fixture
def poses():
    rng = np.random.default_rng(4)
    return Poses(random_rotations(N, rng), rng.uniform(-0.1, 0.1, (N, 2)).astype(np.float32))


@pytest.fixture
def ctf():
    table = np.tile([16, 1.5, 15000, 14500, 30, 300, 2.7, 0.1, 0.0], (N, 1))
    table[:, 2] += 100 * np.arange(N)
    return CTFParameters(table)


@pytest.fixture
def folder(tmp_path, images, poses, ctf):
    write_stack(tmp_path / "p.mrcs", images, 3.0)
    write_poses(tmp_path / "poses.pkl", poses)
    write_ctf(tmp_path / "ctf.pkl", ctf)
    return tmp_path


def dump(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def star(path, names, **columns):
    columns = {"ImageName": names, **columns}
    head = ["data_particles", "", "loop_", *(f"_rln{column}" for column in columns)]
    rows = [" ".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([*head, *rows, ""]))
    return path


def test_stack_with_pickles(folder, images, poses, ctf):
    particles = read_particles(
        folder / "p.mrcs", poses=folder / "poses.pkl", ctf=folder / "ctf.pkl"
    )
    assert (len(particles), particles.box) == (N, BOX)
    # ctf.pkl knows 16 px of 1.5 Å: the same field of view in 8 px
    assert particles.pixel_size == 3.0
    np.testing.assert_array_equal(particles.images.read(np.arange(N)), images)
    np.testing.assert_array_equal(particles.poses.rotations, poses.rotations)
    np.testing.assert_allclose(particles.ctf.table, ctf.table, rtol=1e-6)
    assert particles.rows == ParticleRows.every(N, particles.source.fingerprint)
    metadata = particles.metadata
    assert metadata["image_number"].tolist() == list(range(1, N + 1))
    np.testing.assert_allclose(metadata["defocus_u"], ctf.column("defocus_u"), rtol=1e-6)
    np.testing.assert_allclose(metadata["shift_x"], poses.shifts[:, 0] * BOX, rtol=1e-6)
    angles = (metadata[f"angle_{name}"] for name in ("rot", "tilt", "psi"))
    np.testing.assert_allclose(rotations_from_euler(*angles), poses.rotations, atol=1e-6)


def test_a_choice_of_rows_keeps_everything_together(folder, images, poses, ctf):
    chosen = np.array([7, 2, 5])
    write_indices(folder / "ind.pkl", ParticleRows(chosen, N))
    particles = read_particles(
        folder / "p.mrcs",
        poses=folder / "poses.pkl",
        ctf=folder / "ctf.pkl",
        ind=folder / "ind.pkl",
    )
    assert particles.rows.rows.tolist() == [7, 2, 5]
    assert particles.rows.n_source == N
    np.testing.assert_array_equal(particles.images.read(np.arange(3)), images[chosen])
    np.testing.assert_array_equal(particles.poses.rotations, poses.rotations[chosen])
    np.testing.assert_allclose(particles.ctf.table, ctf.table[chosen], rtol=1e-6)
    assert particles.metadata["image_number"].tolist() == [8, 3, 6]


def test_poses_and_ctf_may_be_chosen_already(folder, poses, ctf):
    chosen = np.array([7, 2, 5])
    write_indices(folder / "ind.pkl", ParticleRows(chosen, N))
    write_poses(folder / "few_poses.pkl", poses.at(chosen))
    write_ctf(folder / "few_ctf.pkl", ctf.at(chosen))
    particles = read_particles(
        folder / "p.mrcs",
        poses=folder / "few_poses.pkl",
        ctf=folder / "few_ctf.pkl",
        ind=folder / "ind.pkl",
    )
    np.testing.assert_array_equal(particles.poses.shifts, poses.shifts[chosen])
    np.testing.assert_allclose(particles.ctf.table, ctf.table[chosen], rtol=1e-6)


def test_pickles_stand_before_the_table(folder, poses):
    names = [f"{n}@p.mrcs" for n in range(N, 0, -1)]
    angles = {f"Angle{name}": ["word"] * N for name in ("Rot", "Tilt", "Psi")}
    path = star(folder / "a.star", names, **angles)
    particles = read_particles(path, poses=folder / "poses.pkl")
    np.testing.assert_array_equal(particles.poses.rotations, poses.rotations)
    assert np.issubdtype(particles.metadata["angle_rot"].dtype, np.floating)
    with pytest.raises(InputError, match="_rlnAngleRot = word"):
        read_particles(path)


def test_star_reads_images_from_several_stacks_in_its_order(folder, images):
    write_stack(folder / "q.mrcs", images + 100, 3.0)
    path = star(folder / "a.star", ["3@q.mrcs", "1@p.mrcs", "1@q.mrcs", "10@p.mrcs"])
    found = read_particles(path).images.read(np.arange(4))
    expected = np.stack([images[2] + 100, images[0], images[0] + 100, images[9]])
    np.testing.assert_array_equal(found, expected)


def test_only_files_of_chosen_rows_are_needed(folder):
    path = star(folder / "a.star", ["1@p.mrcs", "1@gone.mrcs", "2@p.mrcs"])
    write_indices(folder / "ind.pkl", ParticleRows(np.array([2, 0]), 3))
    assert len(read_particles(path, ind=folder / "ind.pkl")) == 2
    with pytest.raises(InputError, match=r"gone\.mrcs"):
        read_particles(path)


def test_a_downsampled_stack_keeps_the_field_of_view(folder):
    """A table for 16 px of 1.5 Å over images of 8 px, whose header agrees: 3 Å."""
    fields = {
        "ImageSize": [16] * N,
        "ImagePixelSize": [1.5] * N,
        "AngleRot": [0] * N,
        "AngleTilt": [0] * N,
        "AnglePsi": [0] * N,
        "OriginXAngst": [2.4] * N,
        "OriginYAngst": [0] * N,
    }
    names = [f"{n + 1}@p.mrcs" for n in range(N)]
    particles = read_particles(star(folder / "a.star", names, **fields))
    assert particles.pixel_size == 3.0
    np.testing.assert_allclose(particles.poses.shifts[0], [0.1, 0], rtol=1e-6)
    # 2.4 Å are 0.8 px of the images that are there
    np.testing.assert_allclose(particles.metadata["shift_x"], 0.8, rtol=1e-6)


def test_a_header_that_contradicts_the_table(folder):
    """RELION 3.0 names no box: shifts in pixels of other images would be wrong in silence."""
    names = [f"{n + 1}@p.mrcs" for n in range(N)]
    path = star(folder / "a.star", names, DetectorPixelSize=[5.0] * N, Magnification=[50000] * N)
    with pytest.raises(InputError, match="rescaled") as caught:
        read_particles(path)
    assert "1 Å" in str(caught.value)
    assert "3 Å" in str(caught.value)


def test_pixel_size_unknown_everywhere(folder, images):
    write_stack(folder / "silent.mrcs", images, None)
    assert read_particles(folder / "silent.mrcs").pixel_size is None
    assert read_particles(folder / "p.mrcs").pixel_size == 3.0


def test_ignoring_the_ctf(folder):
    names = [f"{n + 1}@p.mrcs" for n in range(N)]
    path = star(folder / "a.star", names, DefocusU=["nan"] * N)
    assert read_particles(path, ignore_ctf=True).ctf is None
    with pytest.raises(InputError, match="_rlnDefocusU"):
        read_particles(path)


def test_text_list(folder, images):
    (folder / "list.txt").write_text("p.mrcs\n\n  p.mrcs  \n")
    particles = read_particles(folder / "list.txt")
    assert particles.source.kind == "txt"
    np.testing.assert_array_equal(
        particles.images.read(np.arange(2 * N)), np.concatenate([images, images])
    )


# ------------------------------------------------------------------ where images are looked for


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A RELION project: Extract/job1/a.mrcs, and Refine3D/job2/ for the table."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    root = tmp_path / "project"
    (root / "Extract" / "job1").mkdir(parents=True)
    (root / "Refine3D" / "job2").mkdir(parents=True)
    (root / "Extract" / "job1" / "a.mrcs").touch()
    return root


def test_paths_relative_to_the_project(project):
    table = project / "Refine3D" / "job2" / "run_data.star"
    assert find_files(("Extract/job1/a.mrcs",), table) == [project / "Extract/job1/a.mrcs"]


def test_paths_as_written_and_relative_to_the_working_folder(project, monkeypatch):
    table = project / "Refine3D" / "job2" / "run_data.star"
    absolute = str(project / "Extract/job1/a.mrcs")
    assert find_files((absolute,), table) == [project / "Extract/job1/a.mrcs"]
    monkeypatch.chdir(project / "Extract")
    assert find_files(("job1/a.mrcs",), table) == [project / "Extract/job1/a.mrcs"]


def test_bare_names_beside_the_table(project):
    table = project / "Extract" / "job1" / "t.star"
    expected = [project / "Extract/job1/a.mrcs"]
    assert find_files(("other/place/a.mrcs",), table) == expected
    assert find_files(("C:\\data\\place\\a.mrcs",), table) == expected


def test_datadir_comes_first(project, tmp_path):
    data = tmp_path / "downsampled"
    (data / "Extract" / "job1").mkdir(parents=True)
    table = project / "t.star"
    # nothing there yet: the project's own
    assert find_files(("Extract/job1/a.mrcs",), table, data) == [project / "Extract/job1/a.mrcs"]
    (data / "a.mrcs").touch()
    assert find_files(("Extract/job1/a.mrcs",), table, data) == [data / "a.mrcs"]
    (data / "Extract" / "job1" / "a.mrcs").touch()
    assert find_files(("Extract/job1/a.mrcs",), table, data) == [data / "Extract/job1/a.mrcs"]


def test_a_path_that_resolves_nowhere_says_what_was_tried(project, tmp_path):
    table = project / "Refine3D" / "job2" / "run_data.star"
    with pytest.raises(InputError) as caught:
        find_files(("Extract/job1/a.mrcs", "Gone/b.mrcs", "Gone/c.mrcs"), table, project)
    message = str(caught.value)
    for place in (project / "Gone/b.mrcs", project / "b.mrcs", tmp_path / "elsewhere/Gone/b.mrcs"):
        assert str(place) in message
    for word in ("run_data.star", "Gone/b.mrcs", "1 others", "--datadir"):
        assert word in message
    with pytest.raises(InputError, match=r"datadir = .*nowhere.*no such folder"):
        find_files(("a.mrcs",), table, project / "nowhere")


# ------------------------------------------------------------------ bad input, one clear error each


def _counts(folder, poses, ctf):
    write_poses(folder / "bad.pkl", poses.at(np.arange(N - 1)))
    return {"poses": folder / "bad.pkl"}


def _ctf_count(folder, poses, ctf):
    write_ctf(folder / "bad.pkl", CTFParameters(np.repeat(ctf.table, 2, axis=0)))
    return {"ctf": folder / "bad.pkl"}


def _count_with_indices(folder, poses, ctf):
    write_indices(folder / "ind.pkl", ParticleRows(np.arange(4), N))
    write_poses(folder / "bad.pkl", poses.at(np.arange(5)))
    return {"poses": folder / "bad.pkl", "ind": folder / "ind.pkl"}


def _pixels(folder, poses, ctf):
    return {"poses": dump(folder / "bad.pkl", (poses.rotations, poses.shifts * 128))}


def _nan_pose(folder, poses, ctf):
    rotations = poses.rotations.copy()
    rotations[4] = np.nan
    return {"poses": dump(folder / "bad.pkl", rotations)}


def _no_rotation(folder, poses, ctf):
    return {"poses": dump(folder / "bad.pkl", poses.rotations * 1.1)}


def _nan_ctf(folder, poses, ctf):
    table = ctf.table.copy()
    table[6, 3] = np.nan
    return {"ctf": dump(folder / "bad.pkl", table)}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_counts, ["10 particles", "poses: rows = 9"]),
        (_ctf_count, ["10 particles", "CTF: rows = 20"]),
        (_count_with_indices, ["10 particles", "4 of them", "poses: rows = 5"]),
        (_pixels, ["look like pixels", "Divide", "(8)"]),
        (_nan_pose, ["NaN", "4"]),
        (_no_rotation, ["not rotations", "row 0"]),
        (_nan_ctf, ["defocus_v", "row 6"]),
        (lambda f, p, c: {"ind": dump(f / "bad.pkl", [0, N])}, ["outside", str(N)]),
        (lambda f, p, c: {"ind": dump(f / "bad.pkl", [1, 1])}, ["repeated"]),
        (lambda f, p, c: {"ind": dump(f / "bad.pkl", [])}, ["empty"]),
        (lambda f, p, c: {"ind": f / "bad.pkl"}, ["no such file"]),
    ],
)
def test_bad_pickles(folder, poses, ctf, make, words):
    with pytest.raises(InputError) as caught:
        read_particles(folder / "p.mrcs", **make(folder, poses, ctf))
    for word in ["bad.pkl", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "word"), [((4, 6, 8), "square"), ((4, 7, 7), "even"), ((2, 5, 5), "even")]
)
def test_bad_boxes(tmp_path, shape, word):
    write_volume(tmp_path / "p.mrcs", np.zeros(shape), 1.0)
    with pytest.raises(InputError, match=word):
        read_particles(tmp_path / "p.mrcs")


def test_truncated_stack(folder):
    path = folder / "p.mrcs"
    path.write_bytes(path.read_bytes()[:-1])
    for table in (path, star(folder / "a.star", ["1@p.mrcs"])):
        with pytest.raises(InputError, match=r"p\.mrcs.*3583 bytes.*truncated.*3584"):
            read_particles(table)


def test_image_number_beyond_the_stack(folder):
    with pytest.raises(InputError, match=r"p\.mrcs.*number 11.*holds 10"):
        read_particles(star(folder / "a.star", ["1@p.mrcs", "11@p.mrcs"]))


@pytest.mark.parametrize("name", ["a.pkl", "a", "a.MRCSS"])
def test_unknown_endings(tmp_path, name):
    with pytest.raises(InputError, match="ending"):
        read_table(tmp_path / name)


@pytest.mark.parametrize("ending", ["star", "cs", "mrcs", "mrc", "txt", "STAR"])
def test_missing_tables(tmp_path, ending):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / f"none.{ending}")


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "no image stack"), (b"\xff\xfe", "no readable text")]
)
def test_bad_lists(tmp_path, content, word):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=word):
        read_table(tmp_path / "list.txt")


def test_tilt_series_get_a_clear_word(folder):
    path = star(
        folder / "a.star",
        [f"{n + 1}@p.mrcs" for n in range(4)],
        GroupName=["x", "x", "y", "y"],
        CtfScalefactor=[1, 0.9, 1, 0.9],
    )
    with pytest.raises(InputError, match="tilt series"):
        read_particles(path)
    assert read_table(path).metadata["group_name"].tolist() == ["x", "x", "y", "y"]


def test_a_failed_read_writes_nothing(folder, poses, ctf):
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError):
        read_particles(folder / "p.mrcs", ind=folder / "poses.pkl")
    assert sorted(folder.rglob("*")) == before
