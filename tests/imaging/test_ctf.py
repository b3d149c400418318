"""The contrast transfer function against its formula written out, and its symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_cryodrgn.imaging.ctf import ctf_2d, electron_wavelength

# pixel size, defocus U, V (Å), angle (°), kV, Cs (mm), amplitude contrast, phase shift (°)
PARAMETERS = torch.tensor(
    [
        [1.5, 15000.0, 14000.0, 30.0, 300.0, 2.7, 0.1, 0.0],
        [1.5, 8000.0, 9500.0, -75.0, 200.0, 2.0, 0.07, 40.0],
    ],
    dtype=torch.float64,
)


def written_out(x, y, row):
    _, u, v, angle, kilovolts, cs, w, phase = row
    volts = 1000 * kilovolts
    wavelength = 12.2639 / math.sqrt(volts + 0.97845e-6 * volts**2)
    s = math.hypot(x, y)
    theta = math.atan2(y, x)
    defocus = 0.5 * (u + v + (u - v) * math.cos(2 * (theta - math.radians(angle))))
    gamma = 2 * math.pi * (
        -0.5 * defocus * wavelength * s**2 + 0.25 * cs * 1e7 * wavelength**3 * s**4
    ) - math.radians(phase)
    return math.sqrt(1 - w**2) * math.sin(gamma) - w * math.cos(gamma)


@pytest.fixture
def points(rng):
    return torch.from_numpy(rng.uniform(-0.3, 0.3, size=(50, 2)))


def test_is_the_formula(points):
    expected = [[written_out(x, y, row) for x, y in points.tolist()] for row in PARAMETERS.tolist()]
    found = ctf_2d(points, PARAMETERS)
    assert np.allclose(found.numpy(), expected, atol=1e-9)


def test_wavelength_of_common_voltages():
    found = electron_wavelength(torch.tensor([200.0, 300.0]))
    assert found.tolist() == pytest.approx([0.02508, 0.01969], abs=1e-5)


def test_is_negative_at_low_frequency_for_underfocus():
    row = PARAMETERS[:1]
    assert ctf_2d(torch.zeros(1, 2, dtype=torch.float64), row).item() == pytest.approx(-0.1)
    slow = torch.linspace(0, 0.03, 20, dtype=torch.float64)
    assert (ctf_2d(torch.stack((slow, 0 * slow), dim=-1), row) < 0).all()


def test_is_the_same_at_k_and_minus_k(points):
    assert torch.allclose(ctf_2d(points, PARAMETERS), ctf_2d(-points, PARAMETERS))


def test_astigmatism_angle_points_along_defocus_u():
    """Along the angle the defocus is U, across it V: as for round CTFs of either."""
    u, v, angle = 20000.0, 10000.0, 25.0
    common = [300.0, 2.7, 0.1, 0.0]
    s = torch.linspace(0, 0.2, 40, dtype=torch.float64)
    direction = math.radians(angle)
    along = torch.stack((s * math.cos(direction), s * math.sin(direction)), dim=-1)
    across = torch.stack((-s * math.sin(direction), s * math.cos(direction)), dim=-1)
    rows = torch.tensor(
        [[1, u, v, angle, *common], [1, u, u, 0, *common], [1, v, v, 0, *common]],
        dtype=torch.float64,
    )
    assert torch.allclose(ctf_2d(along, rows[:1]), ctf_2d(along, rows[1:2]))
    assert torch.allclose(ctf_2d(across, rows[:1]), ctf_2d(across, rows[2:]))


def test_each_particle_may_have_its_own_frequencies(points):
    shared = ctf_2d(points, PARAMETERS)
    own = ctf_2d(torch.stack((points, points / 2)), PARAMETERS)
    assert own.shape == shared.shape
    assert torch.equal(own[0], shared[0])
    assert torch.equal(own[1], ctf_2d(points / 2, PARAMETERS)[1])


def test_single_precision_is_good_enough(points):
    exact = ctf_2d(points, PARAMETERS)
    single = ctf_2d(points.float(), PARAMETERS)
    assert single.dtype == torch.float32
    assert (single - exact).abs().max() < 1e-3
