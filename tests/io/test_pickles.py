"""cryoDRGN's pickled tables: round trips, layouts, and what is refused."""

from __future__ import annotations

import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.pickles import (
    Latents,
    load_pickle,
    read_array,
    read_ctf,
    read_indices,
    read_latents,
    read_poses,
    write_array,
    write_ctf,
    write_indices,
    write_latents,
    write_poses,
)
from napari_cryodrgn.particles import CTFParameters, ParticleRows, Poses

CTF_ROW = [128, 1.5, 15000, 14500, 30, 300, 2.7, 0.1, 0]


def _dump(path, *objects):
    with path.open("wb") as file:
        for written in objects:
            pickle.dump(written, file)
    return path


def _load_all(path):
    with path.open("rb") as file:
        found = []
        while file.peek(1):
            found.append(pickle.load(file))
    return found


@given(st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_poses_round_trip(tmp_path_factory, n, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("round") / "poses.pkl"
    poses = Poses(random_rotations(n, rng), rng.uniform(-1, 1, (n, 2)).astype(np.float32))
    write_poses(path, poses)
    found = read_poses(path)
    np.testing.assert_array_equal(found.rotations, poses.rotations)
    np.testing.assert_array_equal(found.shifts, poses.shifts)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 9), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.booleans(),
)
def test_latents_round_trip(tmp_path_factory, mu, with_variance):
    path = tmp_path_factory.mktemp("round") / "z.pkl"
    write_latents(path, Latents(mu, -mu if with_variance else None))
    found = read_latents(path)
    np.testing.assert_array_equal(found.mu, mu)
    if with_variance:
        np.testing.assert_array_equal(found.logvar, -mu)
    else:
        assert found.logvar is None


@given(st.lists(st.integers(0, 999), min_size=1, unique=True))
def test_indices_round_trip_in_their_order(tmp_path_factory, indices):
    path = tmp_path_factory.mktemp("round") / "ind.pkl"
    rows = ParticleRows(np.array(indices), 1000, "abc")
    write_indices(path, rows)
    assert read_indices(path, 1000, "abc") == rows


def test_layouts_are_cryodrgns(tmp_path, rng):
    """What Python's own unpickler, as cryoDRGN uses it, finds in our files."""
    rotations = random_rotations(4, rng).astype(np.float64)
    write_poses(tmp_path / "poses.pkl", Poses(rotations, np.zeros((4, 2))))
    write_ctf(tmp_path / "ctf.pkl", CTFParameters(np.array([CTF_ROW] * 4, float)))
    write_indices(tmp_path / "ind.pkl", ParticleRows(np.array([3, 1]), 4))
    write_latents(tmp_path / "z.pkl", Latents(np.zeros((4, 2)), np.ones((4, 2))))
    write_array(tmp_path / "labels.pkl", np.arange(4))

    (poses,) = _load_all(tmp_path / "poses.pkl")
    assert isinstance(poses, tuple)
    assert [(part.shape, part.dtype) for part in poses] == [
        ((4, 3, 3), np.float32),
        ((4, 2), np.float32),
    ]
    (ctf,) = _load_all(tmp_path / "ctf.pkl")
    assert (ctf.shape, ctf.dtype) == ((4, 9), np.float32)
    (ind,) = _load_all(tmp_path / "ind.pkl")
    assert ind.tolist() == [3, 1]
    assert ind.dtype == np.int64
    mu, logvar = _load_all(tmp_path / "z.pkl")
    assert mu.dtype == logvar.dtype == np.float32
    assert (logvar == 1).all()
    assert read_array(tmp_path / "labels.pkl").tolist() == [0, 1, 2, 3]
    for path in tmp_path.glob("*.pkl"):
        opcode, protocol, _ = next(pickletools.genops(path.read_bytes()))
        assert (opcode.name, protocol) == ("PROTO", 4)


@pytest.mark.parametrize("wrap", [lambda r: r, lambda r: (r,), list])
def test_poses_without_shifts(tmp_path, rng, wrap):
    rotations = random_rotations(5, rng)
    found = read_poses(_dump(tmp_path / "poses.pkl", wrap(rotations)))
    np.testing.assert_array_equal(found.rotations, rotations)
    assert found.shifts.shape == (5, 2)
    assert not found.shifts.any()


def test_float64_ctf_keeps_its_digits(tmp_path):
    table = np.array([CTF_ROW], float)
    table[0, 2] = 15000.0000001
    assert read_ctf(_dump(tmp_path / "ctf.pkl", table)).table[0, 2] == 15000.0000001


def test_latents_of_the_other_methods(tmp_path):
    z = np.arange(6.0).reshape(3, 2)
    decoder_only = read_latents(_dump(tmp_path / "dec.pkl", z.astype(np.float32)))
    abinit = read_latents(_dump(tmp_path / "abinit.pkl", z))
    for found in (decoder_only, abinit):
        assert found.logvar is None
        assert found.mu.dtype == np.float32
        np.testing.assert_array_equal(found.mu, z)


def test_consecutive_pickles(tmp_path):
    path = _dump(tmp_path / "two.pkl", [1], [2])
    assert load_pickle(path) == [1]
    assert load_pickle(path, 2) == [[1], [2]]
    with pytest.raises(InputError, match="holds 2 pickled objects, not 3"):
        load_pickle(path, 3)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda r, t: (r, t * 100), ["look like pixels", "row 2", "Divide", "128"]),
        (lambda r, t: (r, np.where(t == t.max(), np.nan, t)), ["NaN or infinite", "shifts"]),
        (lambda r, t: (r, t[:-1]), ["(4, 2)", "shape"]),
        (lambda r, t: (r * 2, t), ["not rotations", "row 0"]),
        (lambda r, t: (-r, t), ["not rotations"]),
        (
            lambda r, t: (np.where(np.arange(4)[:, None, None] == 2, np.inf, r), t),
            ["infinite", "2"],
        ),
        (lambda r, t: (r, t, t), ["3"]),
        (lambda r, t: (), ["0"]),
        (lambda r, t: (r.reshape(4, 9), t), ["3 x 3", "(4, 9)"]),
        (lambda r, t: ("abc", t), ["numbers", "rotations", "str"]),
        (lambda r, t: {"rot": r}, ["dict"]),
    ],
)
def test_bad_poses(tmp_path, rng, spoil, words):
    shifts = np.zeros((4, 2), np.float32)
    shifts[2] = 0.05, 0.01
    path = _dump(tmp_path / "poses.pkl", spoil(random_rotations(4, rng), shifts))
    with pytest.raises(InputError) as caught:
        read_poses(path, box=128)
    for word in ["poses.pkl", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (2, np.nan, ["defocus_u", "nan", "row 1"]),
        (4, np.inf, ["defocus_angle", "inf"]),
        (0, 0, ["box", "positive"]),
        (1, -1, ["pixel_size", "-1", "positive"]),
        (5, 0, ["voltage"]),
        (7, 1.5, ["amplitude_contrast", "1.5"]),
    ],
)
def test_bad_ctf(tmp_path, column, value, words):
    table = np.array([CTF_ROW] * 3, float)
    table[1, column] = value
    with pytest.raises(InputError) as caught:
        read_ctf(_dump(tmp_path / "ctf.pkl", table))
    for word in ["ctf.pkl", "row 1", *words]:
        assert word in str(caught.value)


def test_ctf_of_another_shape(tmp_path):
    with pytest.raises(InputError, match=r"9 columns.*") as caught:
        read_ctf(_dump(tmp_path / "ctf.pkl", np.ones((3, 8))))
    assert "(3, 8)" in str(caught.value)


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ([], ["empty"]),
        ([0, 10], ["outside", "10"]),
        ([-1], ["outside", "-1"]),
        ([1, 2, 1], ["repeated", "1"]),
        (np.ones(10, bool), ["whole numbers", "bool"]),
        ([0.5], ["whole numbers", "float64"]),
        ([[1, 2]], ["(1, 2)"]),
        (5, ["()"]),
        ("text", ["str"]),
    ],
)
def test_bad_indices(tmp_path, indices, words):
    with pytest.raises(InputError) as caught:
        read_indices(_dump(tmp_path / "ind.pkl", indices), 10)
    for word in ["ind.pkl", *words]:
        assert word in str(caught.value)


def test_indices_as_a_list_of_numpy_scalars(tmp_path):
    path = _dump(tmp_path / "ind.pkl", [np.int64(7), np.int64(2)])
    assert read_indices(path, 8).rows.tolist() == [7, 2]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([np.zeros(3)], ["shape", "(3,)"]),
        ([np.zeros((3, 2)), np.zeros((2, 2))], ["(3, 2) and (2, 2)"]),
        ([np.array([[0.0], [np.nan]])], ["NaN", "1"]),
        (["abc"], ["numbers"]),
    ],
)
def test_bad_latents(tmp_path, arrays, words):
    with pytest.raises(InputError) as caught:
        read_latents(_dump(tmp_path / "z.3.pkl", *arrays))
    for word in ["z.3.pkl", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_truncated_pickle(tmp_path, cut):
    path = tmp_path / "z.pkl"
    path.write_bytes(pickle.dumps(np.zeros((50, 2), np.float32))[:cut])
    with pytest.raises(InputError, match="no readable pickle"):
        read_latents(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="this is a folder"):
        load_pickle(tmp_path)


def test_torch_archive_says_what_it_is(tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(InputError, match=r"torch\.save"):
        load_pickle(path)
