"""cryoSPARC tables: shift units, zero poses, several classes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import rotations_from_vectors
from napari_cryodrgn.io.cs import read_cs


def columns(n=3, **others):
    """Fields of a refinement of images of 128 px, aligned at a quarter of that."""
    made = {
        "uid": np.arange(n, dtype="u8") + 2**63,
        "blob/path": np.array([b">J1/a.mrc", b"J1/b.mrc", b">J1/a.mrc"][:n]),
        "blob/idx": np.array([4, 0, 1][:n], "u4"),
        "blob/shape": np.full((n, 2), 128, "u4"),
        "blob/psize_A": np.full(n, 1.5, "f4"),
        "ctf/accel_kv": np.full(n, 300, "f4"),
        "ctf/cs_mm": np.full(n, 2.7, "f4"),
        "ctf/amp_contrast": np.full(n, 0.1, "f4"),
        "ctf/df1_A": np.array([15000, 16000, 17000][:n], "f4"),
        "ctf/df2_A": np.array([14000, 15000, 16000][:n], "f4"),
        "ctf/df_angle_rad": np.full(n, np.pi / 6, "f4"),
        "ctf/phase_shift_rad": np.full(n, np.pi / 2, "f4"),
        "ctf/exp_group_id": np.array([3, 3, 4][:n], "u4"),
        "alignments3D/pose": np.array([[0, 0, 0], [0.1, 0.2, 0.3], [0, 0, 1]][:n], "f4"),
        "alignments3D/shift": np.array([[2, -4], [0, 0], [8, 8]][:n], "f4"),
        "alignments3D/psize_A": np.full(n, 6.0, "f4"),
        "alignments3D/class": np.zeros(n, "u4"),
    }
    made |= {name.replace("__", "/"): values for name, values in others.items()}
    return {name: values for name, values in made.items() if values is not None}


def write(path, fields):
    kinds = [(name, values.dtype, values.shape[1:]) for name, values in fields.items()]
    table = np.zeros(len(next(iter(fields.values()))), kinds)
    for name, values in fields.items():
        table[name] = values
    with path.open("wb") as file:
        np.save(file, table)
    return path


def read(tmp_path, **others):
    return read_cs(write(tmp_path / "p.cs", columns(**others)))


def test_references_and_identity(tmp_path):
    table = read(tmp_path)
    files = [table.references.files[number] for number in table.references.file_numbers]
    assert files == ["J1/a.mrc", "J1/b.mrc", "J1/a.mrc"]
    assert table.references.sections.tolist() == [4, 0, 1]
    same = read(tmp_path, blob__path=np.array([b"elsewhere"] * 3)).source.fingerprint
    assert same == table.source.fingerprint
    other = read(tmp_path, uid=np.arange(3, dtype="u8")).source.fingerprint
    assert other != table.source.fingerprint


def test_shifts_are_in_pixels_of_the_alignment(tmp_path):
    """2 px of 6 Å in a field of 128 x 1.5 Å."""
    shifts = read(tmp_path).poses(64).shifts
    np.testing.assert_allclose(shifts[0], [12 / 192, -24 / 192], rtol=1e-6)


def test_shifts_without_an_alignment_pixel_size_are_in_image_pixels(tmp_path):
    shifts = read(tmp_path, alignments3D__psize_A=None).poses(64).shifts
    np.testing.assert_allclose(shifts[0], [2 / 128, -4 / 128], rtol=1e-6)


def test_zero_vector_is_the_identity(tmp_path):
    """cryoDRGN's parser gives NaN here."""
    rotations = read(tmp_path).poses(64).rotations
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    np.testing.assert_allclose(rotations[1], rotations_from_vectors([0.1, 0.2, 0.3])[0], atol=1e-6)


def test_ctf_is_in_degrees(tmp_path):
    table = read(tmp_path).ctf(64, 9.9, {}).table
    np.testing.assert_allclose(table[1], [128, 1.5, 16000, 15000, 30, 300, 2.7, 0.1, 90], rtol=1e-6)


def test_metadata(tmp_path):
    metadata = read(tmp_path, location__micrograph_path=np.array([b"m1", b"m2", b"m1"])).metadata
    assert metadata["micrograph"].tolist() == ["m1", "m2", "m1"]
    assert metadata["optics_group"].tolist() == [3, 3, 4]
    assert metadata["image_name"].tolist() == ["5@J1/a.mrc", "1@J1/b.mrc", "2@J1/a.mrc"]
    assert metadata["blob/path"].tolist()[0] == ">J1/a.mrc"
    assert metadata["alignments3D/shift[1]"].tolist() == [-4, 0, 8]
    assert metadata["uid"].tolist()[0] == 2**63
    np.testing.assert_allclose(metadata["defocus_angle"], 30, rtol=1e-6)
    assert metadata.columns.is_unique


def _classes(**posteriors):
    others = {"alignments3D__pose": None, "alignments3D__shift": None}
    for number, posterior in posteriors.items():
        k = int(number[1:])
        others[f"alignments_class_{k}__pose"] = np.full((3, 3), 0.1 * (k + 1), "f4")
        others[f"alignments_class_{k}__shift"] = np.full((3, 2), k + 1, "f4")
        others[f"alignments_class_{k}__psize_A"] = np.full(3, 3.0, "f4")
        if posterior is not None:
            others[f"alignments_class_{k}__class_posterior"] = np.array(posterior, "f4")
    return others


def test_the_likeliest_class_gives_all_poses(tmp_path):
    """The frames of several ab-initio classes differ: poses of two cannot be mixed."""
    poses = read(tmp_path, **_classes(k0=[0.9, 0.1, 0.1], k1=[0.1, 0.9, 0.9])).poses(64)
    np.testing.assert_allclose(poses.rotations, rotations_from_vectors([[0.2] * 3] * 3), atol=1e-6)
    np.testing.assert_allclose(poses.shifts, 2 * 3.0 / 192, rtol=1e-6)


def test_classes_without_posteriors_give_the_first(tmp_path):
    poses = read(tmp_path, **_classes(k1=None, k0=None)).poses(64)
    np.testing.assert_allclose(poses.rotations, rotations_from_vectors([[0.1] * 3] * 3), atol=1e-6)


def test_tables_with_hundreds_of_fields(tmp_path):
    """NumPy refuses headers beyond 10,000 bytes unless told otherwise."""
    many = {f"alignments_class_{k}__pose": np.zeros((3, 3), "f4") for k in range(400)}
    assert read(tmp_path, **many).source.n_rows == 3


def test_tables_without_poses_or_ctf(tmp_path):
    table = read(tmp_path, alignments3D__pose=None, ctf__df1_A=None)
    assert table.poses(64) is None
    assert table.ctf(64, None, {}) is None
    # 2D classification knows an in-plane angle only: that is no pose.
    flat = read(tmp_path, alignments3D__pose=None, alignments2D__pose=np.zeros(3, "f4"))
    assert flat.poses(64) is None


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"alignments3D__pose": np.array([[0, 0, np.nan]] * 3)}, ["alignments3D/pose", "row 1"]),
        ({"alignments3D__shift": np.array([[0, 0], [1, 1], [0, np.inf]])}, ["shift", "row 3"]),
        ({"alignments3D__shift": np.array([[0, 0], [500, 1], [0, 0]])}, ["shift", "row 1"]),
        ({"alignments3D__psize_A": np.zeros(3)}, ["alignments3D/psize_A", "positive"]),
        ({"blob__shape": np.array([[128, 100]] * 3)}, ["blob/shape", "(128, 100)", "square"]),
        ({"blob__shape": np.array([[64, 64], [64, 64], [32, 32]])}, ["(32, 32) and (64, 64)"]),
        ({"alignments3D__pose": np.zeros(3)}, ["alignments3D/pose", "three numbers"]),
    ],
)
def test_poses_that_cannot_be_used(tmp_path, others, words):
    table = read(tmp_path, **others)
    with pytest.raises(InputError) as caught:
        table.poses(64)
    for word in ["p.cs", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"ctf__cs_mm": None}, ["ctf/cs_mm", "missing"]),
        ({"ctf__df2_A": np.array([1, np.nan, 2])}, ["ctf/df2_A", "nan", "row 2"]),
        ({"ctf__accel_kv": np.zeros(3)}, ["voltage", "positive"]),
        ({"blob__psize_A": None}, ["blob/psize_A", "pixel size"]),
        ({"ctf__cs_mm": np.array([b"a"] * 3)}, ["ctf/cs_mm", "numbers"]),
    ],
)
def test_ctf_that_cannot_be_used(tmp_path, others, words):
    table = read(tmp_path, **others)
    with pytest.raises(InputError) as caught:
        table.ctf(64, None, {})
    for word in ["p.cs", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("missing", ["blob/path", "blob/idx"])
def test_tables_without_images(tmp_path, missing):
    fields = columns()
    del fields[missing]
    with pytest.raises(InputError, match=f"{missing}.*missing"):
        read_cs(write(tmp_path / "p.cs", fields))


def test_files_that_are_no_table(tmp_path):
    path = tmp_path / "no.cs"
    np.save(tmp_path / "plain.npy", np.zeros(3))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    whole = write(tmp_path / "p.cs", columns()).read_bytes()
    giant = whole.replace(b"'shape': (3,)", b"'shape': (3000000000000,)", 1)
    contents = {
        "plain": (tmp_path / "plain.npy").read_bytes(),
        "objects": (tmp_path / "objects.npy").read_bytes(),
        "truncated": whole[:-20],
        "header cut": whole[:40],
        "giant": giant,
        "brackets": whole.replace(b"'fortran_order'", b"((((((((((((((("),
        "empty": b"",
        "text": b"hello",
        "zip": b"PK\x03\x04" + bytes(100),
    }
    for name, content in contents.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"no\.cs") as caught:
            read_cs(path)
        assert "cs file" in str(caught.value) or "cryoSPARC table" in str(caught.value), name
    with pytest.raises(InputError, match="no rows"):
        read_cs(write(path, columns(n=0)))
    with pytest.raises(InputError, match="no such file"):
        read_cs(tmp_path / "none.cs")
