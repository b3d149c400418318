"""RELION tables: versions, optics groups, units, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import rotations_from_euler
from napari_cryodrgn.io.star import read_star

OPTICS = {
    "OpticsGroup": [1, 2],
    "OpticsGroupName": ["first", "second"],
    "ImagePixelSize": [1.25, 1.24],
    "ImageSize": [64, 64],
    "Voltage": [300, 200],
    "SphericalAberration": [2.7, 0.01],
    "AmplitudeContrast": [0.1, 0.07],
}
PARTICLES = {
    "ImageName": ["000003@a.mrcs", "1@b.mrcs", "2@a.mrcs"],
    "MicrographName": ["7", "8", "7"],
    "OpticsGroup": [1, 2, 1],
    "AngleRot": [10.0, 20.0, 30.0],
    "AngleTilt": [40.0, 50.0, 60.0],
    "AnglePsi": [70.0, 80.0, 90.0],
    "OriginXAngst": [8.0, -12.4, 0.0],
    "OriginYAngst": [4.0, 24.8, 0.0],
    "DefocusU": [15000.0, 16000.0, 17000.0],
    "DefocusV": [14000.0, 15000.0, 16000.0],
    "DefocusAngle": [5.0, 6.0, 7.0],
}


def block(name, columns):
    rows = zip(*columns.values(), strict=True)
    lines = [f"data_{name}", "", "loop_", *(f"_rln{column}" for column in columns)]
    return "\n".join([*lines, *(" ".join(map(str, row)) for row in rows), "", ""])


def write(path, particles, optics=None, extra=""):
    text = extra + ("" if optics is None else block("optics", optics))
    path.write_text(text + block("particles", particles))
    return path


@pytest.fixture
def table(tmp_path):
    return read_star(write(tmp_path / "run_data.star", PARTICLES, OPTICS))


def without(columns, *names):
    return {name: values for name, values in columns.items() if name not in names}


def test_image_references(table):
    references = table.references
    files = [references.files[number] for number in references.file_numbers]
    assert files == ["a.mrcs", "b.mrcs", "a.mrcs"]
    assert references.sections.tolist() == [2, 0, 1]
    assert (table.source.kind, table.source.n_rows) == ("star", 3)


def test_poses(table):
    poses = table.poses(box=999)
    np.testing.assert_array_equal(
        poses.rotations, rotations_from_euler([10, 20, 30], [40, 50, 60], [70, 80, 90])
    )
    # Å over the box in Å, each row with the pixel size of its own optics group
    expected = [[8 / 80, 4 / 80], [-12.4 / 79.36, 24.8 / 79.36], [0, 0]]
    np.testing.assert_allclose(poses.shifts, expected, rtol=1e-6)


def test_ctf_takes_each_rows_optics(table):
    expected = [
        [64, 1.25, 15000, 14000, 5, 300, 2.7, 0.1, 0],
        [64, 1.24, 16000, 15000, 6, 200, 0.01, 0.07, 0],
        [64, 1.25, 17000, 16000, 7, 300, 2.7, 0.1, 0],
    ]
    np.testing.assert_allclose(table.ctf(999, 9.9, {}).table, expected)


def test_metadata_keeps_every_column(table):
    metadata = table.metadata
    assert metadata["micrograph"].tolist() == ["7", "8", "7"]
    assert metadata["optics_group_name"].tolist() == ["first", "second", "first"]
    assert metadata["voltage"].tolist() == [300, 200, 300]
    assert metadata["rlnOriginXAngst"].tolist() == [8.0, -12.4, 0.0]
    assert len(metadata.columns) == len(PARTICLES) + len(OPTICS) - 1
    assert metadata.columns.is_unique


def test_a_particles_own_value_stands_before_its_optics_group(tmp_path):
    own = PARTICLES | {"Voltage": [100, 100, 100]}
    table = read_star(write(tmp_path / "a.star", own, OPTICS))
    assert table.ctf(64, None, {}).column("voltage").tolist() == [100, 100, 100]


def test_one_optics_group_needs_no_column(tmp_path):
    optics = {name: values[:1] for name, values in OPTICS.items()}
    path = write(tmp_path / "a.star", without(PARTICLES, "OpticsGroup"), optics)
    assert read_star(path).ctf(64, None, {}).column("voltage").tolist() == [300, 300, 300]


def test_blocks_written_as_names_and_values(tmp_path):
    """A single row may come without a loop, in either block."""
    pairs = "\n".join(f"_rln{name} {values[0]}" for name, values in OPTICS.items())
    row = "\n".join(f"_rln{name} {values[0]}" for name, values in PARTICLES.items())
    path = tmp_path / "one.star"
    path.write_text(f"data_optics\n\n{pairs}\n\ndata_particles\n\n{row}\n")
    table = read_star(path)
    assert table.source.n_rows == 1
    assert table.ctf(64, None, {}).table[0, 1:6].tolist() == [1.25, 15000, 14000, 5, 300]


def test_relion30_units(tmp_path):
    old = without(PARTICLES, "OriginXAngst", "OriginYAngst", "OpticsGroup") | {
        "OriginX": [3.2, 0, 0],
        "OriginY": [-6.4, 0, 0],
        "Magnification": [50000] * 3,
        "DetectorPixelSize": [5.0] * 3,
        "Voltage": [300] * 3,
        "SphericalAberration": [2.7] * 3,
        "AmplitudeContrast": [0.1] * 3,
    }
    table = read_star(write(tmp_path / "a.star", old))
    assert table.pixel_size == 1.0
    assert table.box is None
    np.testing.assert_allclose(table.poses(64).shifts[0], [0.05, -0.1], rtol=1e-6)
    assert table.ctf(64, None, {}).table[0, :2].tolist() == [64, 1.0]


def test_pixel_size_without_a_magnification_is_in_angstrom(tmp_path):
    """As tomoDRGN and Warp write it."""
    path = write(tmp_path / "a.star", PARTICLES | {"DetectorPixelSize": [13.1] * 3})
    assert read_star(path).pixel_size == 13.1


def test_tables_without_poses_or_ctf(tmp_path):
    path = write(tmp_path / "a.star", {"ImageName": PARTICLES["ImageName"]})
    table = read_star(path)
    assert table.poses(64) is None
    assert table.ctf(64, 1.0, {}) is None


def test_defaults_stand_in_for_missing_columns_only(tmp_path):
    optics = without(OPTICS, "AmplitudeContrast")
    table = read_star(write(tmp_path / "a.star", PARTICLES, optics))
    ctf = table.ctf(64, None, {"amplitude_contrast": 0.2, "voltage": 1.0})
    assert ctf.column("amplitude_contrast").tolist() == [0.2] * 3
    assert ctf.column("voltage").tolist() == [300, 200, 300]


def test_fingerprint_is_that_of_names_and_order(tmp_path):
    def of(names):
        return read_star(write(tmp_path / "a.star", {"ImageName": names})).source.fingerprint

    names = PARTICLES["ImageName"]
    assert of(names) == of(["3@a.mrcs", "0001@b.mrcs", "2@a.mrcs"])
    assert of(names) != of(names[::-1])
    assert of(names) != of(names[:2])
    assert of(names) != of(["3@a.mrcs", "1@c.mrcs", "2@a.mrcs"])
    assert of(["1@ab", "1@c"]) != of(["1@a", "1@bc"])


@pytest.mark.parametrize(
    ("particles", "optics", "words"),
    [
        (PARTICLES | {"OpticsGroup": [1, 2, 5]}, OPTICS, ["_rlnOpticsGroup = 5", "row 3"]),
        (PARTICLES, OPTICS | {"OpticsGroup": [1, 1]}, ["_rlnOpticsGroup = 1", "twice"]),
        (without(PARTICLES, "OpticsGroup"), OPTICS, ["_rlnOpticsGroup", "missing", "2 optics"]),
        (PARTICLES, without(OPTICS, "OpticsGroup"), ["_rlnOpticsGroup", "optics block"]),
        (without(PARTICLES, "ImageName"), OPTICS, ["_rlnImageName"]),
        (
            PARTICLES | {"ImageName": ["1@a", "0@a", "2@a"]},
            OPTICS,
            ["_rlnImageName = 0@a", "row 2"],
        ),
        (PARTICLES | {"ImageName": ["1@a", "a", "2@a"]}, OPTICS, ["_rlnImageName = a", "row 2"]),
        (PARTICLES | {"ImageName": ["x@a", "1@a", "2@a"]}, OPTICS, ["_rlnImageName = x@a"]),
        (PARTICLES | {"ImageName": ["1@", "1@a", "2@a"]}, OPTICS, ["_rlnImageName = 1@"]),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, particles, optics, words):
    with pytest.raises(InputError) as caught:
        read_star(write(tmp_path / "bad.star", particles, optics))
    for word in ["bad.star", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("particles", "optics", "words"),
    [
        (without(PARTICLES, "AngleTilt"), OPTICS, ["_rlnAngleTilt", "missing"]),
        (without(PARTICLES, "OriginYAngst"), OPTICS, ["_rlnOriginYAngst", "missing"]),
        (PARTICLES | {"AnglePsi": [1, "nan", 2]}, OPTICS, ["_rlnAnglePsi = nan", "row 2"]),
        (PARTICLES | {"AnglePsi": [1, 2, "inf"]}, OPTICS, ["_rlnAnglePsi = inf", "row 3"]),
        (PARTICLES | {"AnglePsi": [1, "word", 2]}, OPTICS, ["_rlnAnglePsi = word"]),
        (PARTICLES | {"OriginXAngst": [1, 900.0, 2]}, OPTICS, ["_rlnOriginXAngst", "row 1"]),
        (PARTICLES, OPTICS | {"ImageSize": [64, 128]}, ["_rlnImageSize = 64 and 128"]),
        (PARTICLES, OPTICS | {"ImagePixelSize": [1, 2]}, ["_rlnImagePixelSize = 1 and 2"]),
        (PARTICLES, OPTICS | {"ImagePixelSize": [0, 0]}, ["_rlnImagePixelSize = 0", "positive"]),
        (PARTICLES, without(OPTICS, "ImagePixelSize"), ["_rlnImagePixelSize"]),
    ],
)
def test_poses_that_cannot_be_used(tmp_path, particles, optics, words):
    table = read_star(write(tmp_path / "bad.star", particles, optics))
    with pytest.raises(InputError) as caught:
        table.poses(64)
    for word in ["bad.star", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("particles", "optics", "words"),
    [
        (PARTICLES, without(OPTICS, "AmplitudeContrast"), ["_rlnAmplitudeContrast", "missing"]),
        (without(PARTICLES, "DefocusV"), OPTICS, ["_rlnDefocusV", "missing"]),
        (PARTICLES | {"DefocusU": [1, "nan", 2]}, OPTICS, ["_rlnDefocusU", "row 2"]),
        (PARTICLES, OPTICS | {"Voltage": [0, 300]}, ["voltage", "positive"]),
        (PARTICLES, without(OPTICS, "ImagePixelSize"), ["_rlnImagePixelSize", "pixel size"]),
    ],
)
def test_ctf_that_cannot_be_used(tmp_path, particles, optics, words):
    table = read_star(write(tmp_path / "bad.star", particles, optics))
    with pytest.raises(InputError) as caught:
        table.ctf(64, None, {})
    for word in ["bad.star", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"some text\n", bytes(range(256)) * 10, b"data_\nloop_\n_rlnImageName\n",
     b"data_\nloop_\n_rlnImageName\n_rlnX\n1@a\n2@a 3 4 5\n"],
)  # fmt: skip
def test_files_that_are_no_particle_table(tmp_path, content):
    path = tmp_path / "no.star"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"no\.star"):
        read_star(path)
    with pytest.raises(InputError, match="no such file"):
        read_star(tmp_path / "none.star")


def test_tilt_series_are_known(tmp_path):
    tilts = {
        "ImageName": [f"{n}@a.mrcs" for n in range(1, 7)],
        "GroupName": ["p1"] * 3 + ["p2"] * 3,
        "CtfScalefactor": [1.0, 0.99, 0.97] * 2,
    }
    assert "_rlnGroupName" in (read_star(write(tmp_path / "a.star", tilts)).tilt_series or "")
    # Micrograph groups of single particles have one scale factor.
    single = tilts | {"CtfScalefactor": [1.0] * 6}
    assert read_star(write(tmp_path / "b.star", single)).tilt_series is None
