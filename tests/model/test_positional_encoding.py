"""Positional encodings against their definitions written out."""

from __future__ import annotations

import math

import pytest
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.positional_encoding import encode_axes, encode_gaussian, frequencies

N = 32


def series(highest, lowest, n):
    return [highest * (lowest / highest) ** (j / (n - 1)) for j in range(n)]


@pytest.mark.parametrize(
    ("pe_type", "highest", "lowest"),
    [
        ("geom_ft", N * math.pi, 2 * math.pi),
        ("geom_full", N * math.pi, 1),
        ("geom_lowf", N / 2, 1),
        ("geom_nohighf", N / 2, 2 * math.pi),
    ],
)
@pytest.mark.parametrize("n", [2, 7, 16])
def test_geometric_frequencies(pe_type, highest, lowest, n):
    found = frequencies(pe_type, n, N)
    assert found.tolist() == pytest.approx(series(highest, lowest, n), rel=1e-6)


def test_linear_frequencies_are_one_to_half_the_box():
    assert frequencies("linear_lowf", 16, N).tolist() == list(range(1, 17))
    with pytest.raises(InputError, match="has exactly 16 frequencies"):
        frequencies("linear_lowf", 15, N)


def test_one_frequency_is_the_first():
    assert frequencies("geom_lowf", 1, N).tolist() == [16]


def test_layout_of_axes_is_sines_then_cosines_axis_by_axis():
    points = torch.tensor([[0.1, -0.2, 0.3]])
    freqs = torch.tensor([1.0, 5.0])
    expected = [f(k * a) for k in (0.1, -0.2, 0.3) for f in (math.sin, math.cos) for a in (1, 5)]
    assert encode_axes(points, freqs)[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_gaussian_layout_is_all_sines_then_all_cosines():
    points = torch.tensor([[0.1, -0.2, 0.3], [0.5, 0.0, 0.25]])
    vectors = torch.tensor([[0.3, 0.1, -0.7], [1.0, 0.2, 0.0]])
    phases = [
        [sum(k * f for k, f in zip(p, v, strict=True)) * 16 for v in vectors.tolist()]
        for p in points.tolist()
    ]
    expected = [[math.sin(a) for a in row] + [math.cos(a) for a in row] for row in phases]
    found = encode_gaussian(points, vectors, N)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-6)


def test_encodings_take_any_leading_shape():
    points = torch.rand(2, 3, 5, 3) - 0.5
    assert encode_axes(points, torch.ones(4)).shape == (2, 3, 5, 24)
    assert encode_gaussian(points, torch.rand(12, 3), N).shape == (2, 3, 5, 24)
