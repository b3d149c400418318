"""MRC files: every mode and byte order, odd headers, broken files, round trips."""

from __future__ import annotations

import tracemalloc

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mrcfile.dtypes import HEADER_DTYPE

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import read_volume, stack_writer, write_stack, write_volume
from napari_cryodrgn.io.mrc_header import read_header

FLOATS = st.floats(-1e6, 1e6, width=32)


def make_mrc(path, data, *, mode=2, order="<", extended=b"", **fields):
    """An MRC file written field by field, as bare as old programs left them."""
    header = np.zeros((), HEADER_DTYPE.newbyteorder(order))
    header["nz"], header["ny"], header["nx"] = data.shape
    header["mode"] = mode
    header["nsymbt"] = len(extended)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.tobytes() + extended + data.tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("mode", "kind", "values"),
    [
        (0, "u1", [0, 127, 128, 255]),
        (1, "i2", [-32768, -1, 0, 32767]),
        (2, "f4", [-1.5, 0, 1e-30, 3e38]),
        (6, "u2", [0, 1, 32768, 65535]),
        (12, "f2", [-2.5, 0, 0.125, 65504]),
        (17, "i1", [-128, -1, 0, 127]),
    ],
)
@pytest.mark.parametrize("extended", [b"", b"x" * 160])
def test_modes_and_byte_orders(tmp_path, order, mode, kind, values, extended):
    data = np.array(values, order + kind).reshape(1, 2, 2)
    path = make_mrc(tmp_path / "a.mrc", data, mode=mode, order=order, extended=extended)
    volume = read_volume(path)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data.ravel(), np.array(values, np.float32))
    assert read_header(path).offset == 1024 + len(extended)


def test_signed_bytes_where_imod_says_so(tmp_path):
    data = np.array([-128, -1, 0, 127], "i1").reshape(1, 2, 2)
    extra = bytes(40) + np.array([1146047817, 1], "<i4").tobytes() + bytes(36)
    path = make_mrc(tmp_path / "a.mrc", data, mode=0, extra2=np.void(extra))
    np.testing.assert_array_equal(read_volume(path).data.ravel(), [-128, -1, 0, 127])


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=FLOATS),
    st.floats(0.1, 50),
)
def test_volume_round_trip(tmp_path_factory, data, pixel_size):
    path = tmp_path_factory.mktemp("round") / "round.mrc"
    write_volume(path, data, pixel_size, (1.5, -2, 0))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, data)
    assert volume.pixel_size == pytest.approx((pixel_size,) * 3, rel=1e-6)
    assert volume.origin == (1.5, -2, 0)


def test_our_files_are_valid_to_mrcfile(tmp_path, rng, capsys):
    data = rng.normal(size=(4, 6, 8)).astype(np.float32)
    write_volume(tmp_path / "v.mrc", data, (1.1, 2.2, 3.3), (4, 5, 6))
    write_stack(tmp_path / "s.mrcs", rng.normal(size=(3, 8, 8)), 1.5)
    for name in ("v.mrc", "s.mrcs"):
        assert mrcfile.validate(tmp_path / name), capsys.readouterr().out
    with mrcfile.open(tmp_path / "v.mrc") as file:
        np.testing.assert_array_equal(file.data, data)
        assert file.voxel_size.tolist() == pytest.approx((1.1, 2.2, 3.3))
        assert file.header.origin.tolist() == (4, 5, 6)
        assert file.header.dmean == pytest.approx(data.mean(), rel=1e-5)
        assert file.header.rms == pytest.approx(data.std(), rel=1e-5)
        assert file.is_volume()
    with mrcfile.open(tmp_path / "s.mrcs") as file:
        assert file.is_image_stack()
        assert file.voxel_size.x == pytest.approx(1.5)


def test_unknown_pixel_size_stays_unknown(tmp_path):
    """1 Å is never assumed in silence."""
    write_volume(tmp_path / "v.mrc", np.zeros((2, 2, 2)), None)
    assert read_volume(tmp_path / "v.mrc").pixel_size is None


def test_pixel_size_comes_back_as_written(tmp_path):
    write_volume(tmp_path / "v.mrc", np.zeros((3, 3, 3)), 1.1)
    assert read_volume(tmp_path / "v.mrc").pixel_size == (1.1, 1.1, 1.1)


def test_a_stack_in_chunks_is_the_stack_at_once(tmp_path, rng):
    images = rng.normal(size=(10, 4, 4)).astype(np.float32)
    write_stack(tmp_path / "once.mrcs", images, 2.0)
    write_stack(tmp_path / "chunks.mrcs", (images[i : i + 3] for i in range(0, 10, 3)), 2.0)
    once, chunks = (np.fromfile(tmp_path / f"{n}.mrcs", np.float32) for n in ("once", "chunks"))
    np.testing.assert_array_equal(once[256:], chunks[256:])
    assert read_header(tmp_path / "chunks.mrcs").shape == (10, 4, 4)


def test_nothing_is_left_of_a_stack_that_fails(tmp_path):
    def chunks():
        yield np.zeros((1, 4, 4))
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        write_stack(tmp_path / "a.mrcs", chunks(), 1.0)
    with pytest.raises(InputError, match="no images"):
        write_stack(tmp_path / "a.mrcs", [], 1.0)
    with pytest.raises(ValueError, match="box"), stack_writer(tmp_path / "a.mrcs", 1.0) as add:
        add(np.zeros((1, 4, 4)))
        add(np.zeros((1, 6, 6)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("axes", [(1, 2, 3), (3, 1, 2), (2, 3, 1), (3, 2, 1), (2, 1, 3), (1, 3, 2)])
def test_axes_are_put_in_order(tmp_path, rng, axes):
    """Whatever the order in the file, x, y, z come out as z, y, x of the array."""
    spatial = rng.normal(size=(3, 4, 5)).astype(np.float32)  # z, y, x
    columns, rows, sections = axes
    in_file = spatial.transpose([3 - axis for axis in (sections, rows, columns)])
    path = make_mrc(
        tmp_path / "a.mrc",
        np.ascontiguousarray(in_file),
        **dict(zip(("mapc", "mapr", "maps"), axes, strict=True)),
        mx=5,
        my=4,
        mz=3,
        cella=(10.0, 12.0, 12.0),
        # starting indices, given along columns, rows, sections: 10 x, 20 y, 30 z
        **dict(zip(("nxstart", "nystart", "nzstart"), (10 * a for a in axes), strict=True)),
    )
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, spatial)
    assert volume.pixel_size == (2, 3, 4)
    assert volume.origin == (20, 60, 120)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": 4}, ["mode = 4"]),
        ({"mode": 101}, ["mode = 101"]),
        ({"mode": -7}, ["no MRC file"]),
        ({"nx": 0}, ["no MRC file"]),
        ({"nx": -3}, ["no MRC file"]),
        ({"nsymbt": -8}, ["no MRC file"]),
        (
            {"nz": 9_999_999, "ny": 9_999_999, "nx": 9_999_999},
            ["truncated", str(9_999_999**3 * 4 + 1024)],
        ),
        ({"nsymbt": 2_000_000_000}, ["truncated", "1040 bytes"]),
        ({"nz": 2}, ["truncated", "1040 bytes", "1056"]),
    ],
)
def test_senseless_headers(tmp_path, fields, words):
    path = make_mrc(tmp_path / "bad.mrc", np.zeros((1, 2, 2), "<f4"), **fields)
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_volume(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    for word in ["bad.mrc", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"MRC", b"\xff" * 2000, b"text " * 400])
def test_files_that_are_no_mrc(tmp_path, content):
    path = tmp_path / "no.mrc"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no MRC file"):
        read_header(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_header(tmp_path / "none.mrc")
    with pytest.raises(InputError, match=r"this is a folder"):
        read_header(tmp_path)


@pytest.mark.data
def test_real_files_as_mrcfile_reads_them(data_folder):
    paths = [p for p in sorted(data_folder.rglob("*")) if p.suffix in (".mrc", ".mrcs", ".map")]
    compared = 0
    for path in paths:
        header = read_header(path)
        # mrcfile itself refuses files without a machine stamp to begin with.
        if header.axes != (1, 2, 3) or path.read_bytes()[212:214] == bytes(2):
            continue
        with mrcfile.open(path, permissive=True) as file:
            expected = np.asarray(file.data, np.float32)
        np.testing.assert_array_equal(read_volume(path).data, expected)
        compared += 1
        assert header.path.stat().st_size >= header.offset + header.data_bytes
    assert compared > 30


@pytest.mark.data
def test_emdb_headers(data_folder):
    """EMD-3001: section axis y, crystal cell; EMD-3197: starting index."""
    crystal = read_volume(data_folder / "emdb-maps" / "EMD-3001.map")
    assert crystal.data.shape == (73, 25, 43)
    assert crystal.pixel_size == pytest.approx((17.93 / 40, 4.71 / 12, 33.03 / 72), rel=1e-6)
    assert crystal.origin == pytest.approx((-21 * 17.93 / 40, -4.71, 0), rel=1e-6)
    # Column i of row j of section k lies at x = j, y = k, z = i.
    raw = np.fromfile(data_folder / "emdb-maps" / "EMD-3001.map", "<f4", offset=1184)
    assert crystal.data[7, 3, 11] == raw.reshape(25, 43, 73)[3, 11, 7]

    shifted = read_volume(data_folder / "emdb-maps" / "EMD-3197.map")
    assert shifted.pixel_size == (11.4, 11.4, 11.4)
    assert shifted.origin == pytest.approx((-22.8, 0, 0))
