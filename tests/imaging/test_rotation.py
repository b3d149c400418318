"""Rotations: conventions, round trips, and matrices that are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import (
    check_rotations,
    euler_from_rotations,
    random_rotations,
    rotations_from_euler,
    rotations_from_vectors,
)

ANGLE = st.floats(-180, 180, allow_nan=False)


def test_euler_matrix_of_the_reference():
    """Expected value of cryoDRGN's own test suite."""
    expected = [
        [0.90571941, 0.21306972, 0.36643367],
        [-0.27142096, 0.95553406, 0.11526193],
        [-0.32558103, -0.20385275, 0.92327734],
    ]
    rotations = rotations_from_euler(-147.9485, 22.58999, 162.539)
    np.testing.assert_allclose(rotations[0], expected, atol=1e-6)
    assert rotations.dtype == np.float32


def test_plane_times_matrix_is_in_the_volume_frame():
    """rot = 90: the image's x axis lies along the volume's y axis (row vector times R)."""
    rotation = rotations_from_euler(90, 0, 0)[0]
    np.testing.assert_allclose(np.array([1, 0, 0]) @ rotation, [0, 1, 0], atol=1e-6)
    # A tilt of 90 degrees brings the beam direction onto the volume's x axis.
    tilted = rotations_from_euler(0, 90, 0)[0]
    np.testing.assert_allclose(np.array([0, 0, 1]) @ tilted, [1, 0, 0], atol=1e-6)


@given(st.lists(st.tuples(ANGLE, ANGLE, ANGLE), min_size=1, max_size=10))
def test_euler_round_trip(angles):
    rotations = rotations_from_euler(*np.array(angles).T)
    rot, tilt, psi = euler_from_rotations(rotations)
    np.testing.assert_allclose(rotations_from_euler(rot, tilt, psi), rotations, atol=1e-6)
    assert (tilt >= 0).all()
    assert (tilt <= 180).all()


@pytest.mark.parametrize("tilt", [0.0, 1e-5, 1e-3, 179.9999, 180.0])
def test_euler_near_the_poles(tilt):
    rotations = rotations_from_euler([37.0], [tilt], [-121.0])
    back = rotations_from_euler(*euler_from_rotations(rotations))
    np.testing.assert_allclose(back, rotations, atol=1e-6)


def test_exact_poles_have_rot_zero():
    rot, tilt, _psi = euler_from_rotations(rotations_from_euler([30.0], [0.0], [40.0]))
    assert rot[0] == 0
    assert tilt[0] == pytest.approx(0, abs=1e-6)


def test_zero_vector_is_the_identity():
    rotations = rotations_from_vectors(np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(rotations, np.stack([np.eye(3, dtype=np.float32)] * 2))


def test_vector_is_transposed_exponential():
    vector = np.array([0.3, -1.2, 2.0])
    generator = np.array(
        [[0, -vector[2], vector[1]], [vector[2], 0, -vector[0]], [-vector[1], vector[0], 0]]
    )
    power, exponential = np.eye(3), np.eye(3)
    for k in range(1, 40):
        power = power @ generator / k
        exponential = exponential + power
    np.testing.assert_allclose(rotations_from_vectors(vector)[0], exponential.T, atol=1e-6)


def test_about_z_vector_and_euler_agree():
    np.testing.assert_allclose(
        rotations_from_vectors([[0, 0, 0.7]]),
        rotations_from_euler(np.degrees(0.7), 0, 0),
        atol=1e-6,
    )


def test_random_rotations_are_uniform(rng):
    rotations = random_rotations(20_000, rng)
    check_rotations(rotations, file=None)
    # Any fixed vector is sent evenly over the sphere: z uniform in [-1, 1] (mean 0, variance 1/3).
    z = rotations[:, 2, 2]
    assert abs(z.mean()) < 0.02
    assert z.var() == pytest.approx(1 / 3, abs=0.01)


def test_nothing_in_nothing_out(rng):
    for empty in (
        rotations_from_euler([], [], []),
        rotations_from_vectors(np.empty((0, 3))),
        random_rotations(0, rng),
    ):
        assert empty.shape == (0, 3, 3)
        check_rotations(empty, file=None)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: r.__setitem__((3, 0, 0), np.nan), "NaN"),
        (lambda r: r.__setitem__((3, 1, 2), np.inf), "infinite"),
        (lambda r: r.__setitem__(3, r[3] * 1.01), "not rotations"),
        (lambda r: r.__setitem__(3, r[3] * 1e30), "not rotations"),
        (lambda r: r.__setitem__(3, -r[3]), "not rotations"),
        (lambda r: r.__setitem__(3, 0), "not rotations"),
    ],
)
def test_check_names_the_first_bad_row(rng, spoil, word):
    rotations = random_rotations(6, rng)
    spoil(rotations)
    with pytest.raises(InputError, match=word) as caught:
        check_rotations(rotations, file="poses.pkl")
    assert "poses.pkl" in str(caught.value)
    assert "3" in str(caught.value)


def test_check_of_shape():
    with pytest.raises(InputError, match="3 x 3"):
        check_rotations(np.zeros((4, 9)), file=None)


def test_check_accepts_rounded_matrices(rng):
    check_rotations(np.round(random_rotations(1000, rng), 4), file=None)
