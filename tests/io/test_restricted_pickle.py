"""Hostile and damaged pickles: one clear error each, and no code run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import (
    load_pickle,
    read_array,
    read_ctf,
    read_indices,
    read_latents,
    read_poses,
)
from napari_cryodrgn.io.restricted_pickle import RestrictedUnpickler, UnsafePickleError

READERS = {
    "load_pickle": load_pickle,
    "read_array": read_array,
    "read_poses": read_poses,
    "read_ctf": read_ctf,
    "read_indices": lambda path: read_indices(path, 10),
    "read_latents": read_latents,
}


class _Call:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def _touching(marker) -> dict[str, bytes]:
    """Pickles that would make a file, were they run by the ordinary unpickler."""
    command = f"touch {marker}"
    open_code = f"open({str(marker)!r}, 'w').close()"
    protocols = {
        f"system, protocol {n}": pickle.dumps(_Call(os.system, command), protocol=n)
        for n in range(6)
    }
    nested = (np.eye(3, dtype=np.float32)[None], [{"deep": _Call(os.system, command)}])
    return protocols | {
        "eval": pickle.dumps(_Call(eval, open_code)),
        "exec by GLOBAL": b"cbuiltins\nexec\n(V" + open_code.encode() + b"\ntR.",
        "INST": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nS'" + command.encode() + b"'\no.",
        "nested": pickle.dumps(nested),
        "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\nV__call__\ntR.",
        "behind an array": pickle.dumps([np.arange(3), _Call(os.system, command)]),
    }


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_runs_code(tmp_path, reader):
    marker = tmp_path / "was-run"
    for name, data in _touching(marker).items():
        path = tmp_path / "hostile.pkl"
        path.write_bytes(data)
        with pytest.raises(InputError, match="refused") as caught:
            READERS[reader](path)
        assert "hostile.pkl" in str(caught.value), name
        assert not marker.exists(), name


def test_the_hostile_pickles_are_hostile(tmp_path):
    """The test above could not fail if its pickles did nothing anyway."""
    marker = tmp_path / "was-run"
    pickle.loads(_touching(marker)["eval"])
    assert marker.exists()


def test_code_in_the_second_pickle_is_not_run(tmp_path):
    marker = tmp_path / "was-run"
    path = tmp_path / "z.1.pkl"
    path.write_bytes(pickle.dumps(np.zeros((2, 2), np.float32)) + _touching(marker)["eval"])
    with pytest.raises(InputError, match="refused"):
        read_latents(path)
    assert not marker.exists()


def _global(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


NDARRAY = _global("numpy", "ndarray")
RECONSTRUCT = _global("numpy._core.multiarray", "_reconstruct")
DTYPE = _global("numpy", "dtype")


def _array_pickle(dtype: bytes, shape: bytes, raw: bytes) -> bytes:
    """An array with the given dtype spec, shape tuple and raw object, as opcodes."""
    made = RECONSTRUCT + b"(" + NDARRAY + b"(K\x00tC\x01btR"
    spec = DTYPE + b"(V" + dtype + b"\nI00\nI01\ntR"
    state = spec + b"(K\x03V<\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return b"\x80\x04" + made + b"(K\x01" + shape + state + b"I00\n" + raw + b"tb."


def _bytes(content: bytes) -> bytes:
    return b"C" + bytes([len(content)]) + content


def _load(data: bytes) -> object:
    return RestrictedUnpickler(io.BytesIO(data)).load()


def test_array_pickle_helper_is_right():
    found = _load(_array_pickle(b"f4", b"(K\x02t", _bytes(struct.pack("<2f", 1, 2))))
    np.testing.assert_array_equal(found, [1, 2])


@pytest.mark.parametrize(
    ("data", "word"),
    [
        # a giant shape over a few bytes
        (
            _array_pickle(b"f4", b"(\x8a\x08" + struct.pack("<q", 1 << 60) + b"t", _bytes(b"abcd")),
            "shape",
        ),
        # shapes whose product overflows 64 bits to 4
        (_array_pickle(b"f4", b"(J\x00\x00\x00\x40J\x00\x00\x00\x40K\x10t", _bytes(b"")), "shape"),
        # negative length
        (_array_pickle(b"f4", b"(J\xff\xff\xff\xfft", _bytes(b"abcd")), "shape"),
        # an object array over a short list, which would read foreign memory
        (_array_pickle(b"O8", b"(M\xff\xfft", b"]"), "type 'O8'"),
        (_array_pickle(b"O", b"(K\x01t", b"]"), "type 'O'"),
        # fields at offsets outside the item
        (_array_pickle(b"V8", b"(K\x01t", _bytes(b"abcdefgh")), "type 'V8'"),
        (_array_pickle(b"f4,O", b"(K\x01t", _bytes(b"abcdefgh")), "type"),
        (_array_pickle(b"M8[ns]", b"(K\x01t", _bytes(b"abcdefgh")), "type"),
        # an array whose state never comes
        (b"\x80\x04" + RECONSTRUCT + b"(" + NDARRAY + b"(K\x00tC\x01btR.", "without content"),
        # a type by itself; its attributes; an array class called directly
        (b"\x80\x04" + NDARRAY + b".", "a type, not data"),
        (b"\x80\x04" + NDARRAY + b"}V__doc__\nNsb.", "attributes"),
        (b"\x80\x04" + NDARRAY + b"(K\x01tR.", "unknown way"),
        # a string is no function
        (b"\x80\x04Vabc\n(tR.", "no function"),
        # an operation of no use for data: NEWOBJ, persistent id, extension
        (b"\x80\x04" + NDARRAY + b")\x81.", "operation"),
        (b"P1\n.", "operation"),
        (b"\x82\x01.", "operation"),
    ],
)
def test_crafted_pickles_are_refused(data, word):
    with pytest.raises(UnsafePickleError, match=word):
        _load(data)


@pytest.mark.parametrize(
    "data",
    [
        # lengths claimed for bytes, text, a byte array and a frame
        b"\x80\x05\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
        b"\x80\x05\x8d" + struct.pack("<Q", 1 << 40) + b"abc.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"abc.",
        b"\x80\x05\x95" + struct.pack("<Q", 1 << 40) + b"abc.",
        # a memo index that the C unpickler would make a table for
        b"\x80\x04Nr\xff\xff\xff\x7f0r.",
    ],
)
def test_claimed_lengths_are_not_allocated(tmp_path, data):
    path = tmp_path / "bomb.pkl"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb\.pkl"):
        load_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_the_same_bytes_in_many_arrays_are_refused(tmp_path):
    """300 kB that would become 3 GB."""
    raw = bytes(200_000)
    shared = b"\x80\x04B" + struct.pack("<I", len(raw)) + raw + b"q\x000("
    one = _array_pickle(b"u1", b"(J" + struct.pack("<i", len(raw)) + b"t", b"h\x00")[2:-1]
    path = tmp_path / "bomb.pkl"
    path.write_bytes(shared + one * 1000 + b"l.")
    with pytest.raises(InputError, match="larger than the file"):
        load_pickle(path)


def test_lists_shared_a_million_times_are_built_once():
    """Forty levels of [x, x]: 2^40 if each reference were followed."""
    deep: list = []
    for _ in range(40):
        deep = [deep, deep]
    found = _load(pickle.dumps(deep))
    assert found[0] is found[1]


def test_a_list_within_itself_is_an_error(tmp_path):
    circle: list = []
    circle.append(circle)
    path = tmp_path / "circle.pkl"
    path.write_bytes(pickle.dumps(circle))
    with pytest.raises(InputError, match="RecursionError"):
        load_pickle(path)


@given(st.binary(max_size=200))
def test_noise_gives_data_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("round") / "noise.pkl"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        load_pickle(path)


@given(
    st.integers(0, 5),
    hnp.arrays(
        st.one_of(
            hnp.integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.boolean_dtypes()
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.booleans(),
)
def test_arrays_come_back_under_every_protocol(protocol, array, fortran):
    array = np.asfortranarray(array) if fortran else array
    found = _load(pickle.dumps(array, protocol=protocol))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


@given(
    st.integers(4, 5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text()
        | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=10,
    ),
)
def test_containers_come_back(protocol, content):
    assert _load(pickle.dumps(content, protocol=protocol)) == content


@pytest.mark.data
def test_every_pickle_of_the_test_data_reads_as_python_reads_it(data_folder):
    seen = 0
    for path in sorted(data_folder.rglob("*.pkl")):
        if path.read_bytes().startswith(b"PK"):
            with pytest.raises(InputError, match="archive"):
                load_pickle(path)
            continue
        with path.open("rb") as file:
            expected = pickle.load(file)
        np.testing.assert_equal(load_pickle(path), expected)
        seen += 1
    assert seen > 30
