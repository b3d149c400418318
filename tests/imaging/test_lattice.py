"""The lattice: symmetry, pixel counts, units."""

from __future__ import annotations

import pytest
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.lattice import Lattice


@pytest.mark.parametrize("box", [2, 30, 64, 90])
def test_reversed_points_are_their_negatives(box):
    coords = Lattice(box).coords
    assert coords.shape == ((box + 1) ** 2, 3)
    assert torch.equal(coords.flip(0), -coords)
    assert torch.equal(coords[len(coords) // 2], torch.zeros(3))


@pytest.mark.parametrize(
    ("box", "radius", "n_points"),
    [(64, 32, 3208), (128, 64, 12852), (256, 128, 51432), (30, 10, 304), (30, 13, 516)],
)
def test_disc_has_as_many_points_as_cryodrgns(box, radius, n_points):
    """The last two lose points on the circle by rounding, as encoders trained there do."""
    assert int(Lattice(box).disc(radius).sum()) == n_points


@pytest.mark.parametrize("radius", [2, 7.5, 15, 30])
def test_disc_is_point_symmetric_without_the_zero_frequency(radius):
    lattice = Lattice(30)
    disc = lattice.disc(radius)
    assert torch.equal(disc, disc.flip(0))
    assert not disc[disc.numel() // 2]
    assert int(disc.sum()) > 0


def test_x_runs_along_columns_and_y_along_rows():
    lattice = Lattice(8)
    grid = lattice.coords.reshape(9, 9, 3)
    assert torch.equal(grid[3, :, 0], lattice.axis)
    assert torch.equal(grid[:, 3, 1], lattice.axis)
    assert not grid[..., 2].any()


def test_extent_is_the_outermost_frequency():
    assert Lattice(16, extent=0.25).axis[[0, -1]].tolist() == [-0.25, 0.25]


def test_frequencies_are_per_angstrom():
    # Nyquist of 2 Å pixels is 1 / (4 Å).
    assert Lattice(16).frequencies(2.0).max() == pytest.approx(0.25)


@pytest.mark.parametrize("box", [0, 1, 31])
def test_odd_boxes_are_refused(box):
    with pytest.raises(InputError, match=f"box = {box}: the box must be an even number"):
        Lattice(box)
