"""The decoder: symmetry of its values, and the half that slices are computed from."""

from __future__ import annotations

import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.model.decoder import Decoder

BOX = 16
ENCODINGS = ("geom_ft", "geom_full", "geom_lowf", "geom_nohighf", "linear_lowf", "gaussian", "none")


def make(**settings):
    torch.manual_seed(0)
    config = ModelConfig(zdim=3, dec_layers=2, dec_dim=24).model_copy(update=settings)
    return Decoder(config, BOX).double()


def slices(rng, n=4, radius=BOX // 2):
    lattice = Lattice(BOX, dtype=torch.float64)
    rotations = torch.from_numpy(random_rotations(n, rng)).double()
    return lattice.coords[lattice.disc(radius)] @ rotations


@pytest.mark.parametrize("pe_type", ENCODINGS)
def test_half_a_slice_is_worth_a_whole_one(rng, pe_type):
    decoder = make(pe_type=pe_type)
    points, z = slices(rng), torch.randn(4, 3, dtype=torch.float64)
    assert points.shape[1] % 2 == 0
    assert torch.allclose(decoder.slice_values(points, z), decoder(points, z), atol=1e-12)


def test_the_unrotated_slice_keeps_its_first_half(rng):
    """On the central plane itself no side is below, and the second half is the conjugate."""
    decoder = make()
    points, z = slices(rng)[0] * 0, torch.zeros(3, dtype=torch.float64)
    lattice = Lattice(BOX, dtype=torch.float64)
    points = lattice.coords[lattice.disc(8)]
    values = decoder.slice_values(points, z)
    half = len(points) // 2
    real, imaginary = decoder.coefficients(points[:half], z).unbind(-1)
    assert torch.allclose(values[:half], real - imaginary)
    assert torch.allclose(values[half:].flip(0), real + imaginary)


def test_fourier_values_at_minus_k_are_conjugates(rng):
    decoder = make()
    points, z = slices(rng)[0], torch.randn(3, dtype=torch.float64)
    forward, backward = decoder(points, z), decoder(-points, z)
    below = torch.where(points[:, 2:] > 0, -points, points)
    real, imaginary = decoder.coefficients(below, z).unbind(-1)
    assert torch.allclose((forward + backward) / 2, real)
    assert torch.allclose((forward - backward).abs() / 2, imaginary.abs())


def test_hartley_values_are_independent_at_k_and_minus_k(rng):
    decoder = make(domain="hartley")
    points, z = slices(rng)[0], torch.randn(3, dtype=torch.float64)
    assert torch.equal(decoder(points, z), decoder.coefficients(points, z)[..., 0])
    assert torch.equal(decoder.slice_values(points, z), decoder(points, z))


def test_slices_follow_z(rng):
    decoder = make()
    points = slices(rng, 1).expand(2, -1, -1)
    values = decoder.slice_values(points, torch.tensor([[0.0, 0, 0], [1, -1, 2]]).double())
    assert not torch.allclose(values[0], values[1])


def test_a_zero_frequency_among_the_points_is_refused():
    with pytest.raises(ValueError, match="289 points cannot be point-symmetric"):
        make().slice_values(Lattice(BOX, dtype=torch.float64).coords, torch.zeros(3).double())


def test_random_frequencies_have_the_spread_asked_for():
    torch.manual_seed(0)
    decoder = Decoder(ModelConfig(pe_dim=2000, feat_sigma=0.25, dec_dim=1), BOX)
    assert decoder.rand_freqs.shape == (6000, 3)
    assert float(decoder.rand_freqs.std()) == pytest.approx(0.25, rel=0.03)
    assert not decoder.rand_freqs.requires_grad


def test_features_are_never_computed_in_half_precision(rng):
    decoder = make().float()
    points = slices(rng)[0].float()
    exact = decoder.features(points)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(decoder.features(points), exact)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"feat_sigma": None}, "feat_sigma"),
        ({"pe_type": "none", "domain": "hartley"}, "pe_type"),
        ({"pe_type": "linear_lowf", "pe_dim": 5}, "pe_dim"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, field):
    with pytest.raises(InputError) as caught:
        make(**settings)
    assert caught.value.field == field
