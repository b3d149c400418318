from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.training import fused_decoder
from napari_cryodrgn.training.fused_decoder import can_fuse, squared_error
from napari_cryodrgn.training.slice_features import slice_features

BOX, N_IMAGES = 16, 11


def vae_with(**options: object) -> VAE:
    shape = {"zdim": 3, "enc_dim": 8, "dec_dim": 32, "enc_layers": 1, "dec_layers": 2}
    config = ModelConfig(**{**shape, **options})
    return build_vae(config, BOX, generator=torch.Generator().manual_seed(2))


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def images(vae: VAE, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Rotations, latent points, observed values and CTF of some images."""
    source = torch.Generator().manual_seed(3)
    shape = (N_IMAGES, len(pixels))
    z = torch.randn((N_IMAGES, 3), generator=source, requires_grad=True)
    rotations = torch.from_numpy(random_rotations(N_IMAGES, np.random.default_rng(4))).float()
    return (
        rotations,
        z,
        torch.randn(shape, generator=source),
        torch.randn(shape, generator=source),
    )


def gradients(error: torch.Tensor, vae: VAE, z: torch.Tensor | None) -> dict[str, torch.Tensor]:
    trained = {name: p for name, p in vae.decoder.named_parameters() if p.requires_grad}
    wanted = [*trained.values(), *([] if z is None else [z])]
    found = torch.autograd.grad(3 * error, wanted)
    return dict(zip([*trained, "z"], found, strict=False))


@pytest.mark.parametrize("radius", [8, 5])
@pytest.mark.parametrize("with_ctf", [True, False])
def test_error_and_gradients_are_those_of_automatic_differentiation(
    threads: int, radius: int, with_ctf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_decoder, "CHUNK_POINTS", 30)
    vae = vae_with()
    pixels = torch.nonzero(vae.lattice.disc(radius)).reshape(-1)
    rotations, z, observed, ctf = images(vae, pixels)
    features = slice_features(vae.lattice, pixels, vae.decoder.rand_freqs)
    predicted = vae.decoder.slice_values(vae.lattice.coords[pixels] @ rotations, z)
    expected = ((predicted * ctf if with_ctf else predicted) - observed).square().mean()
    error = squared_error(vae.decoder, features, rotations, z, observed, ctf if with_ctf else None)
    torch.testing.assert_close(error, expected)
    wanted = gradients(expected, vae, z)
    for name, found in gradients(error, vae, z).items():
        torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-6, msg=name)


def test_model_without_latents() -> None:
    vae = vae_with(zdim=0)
    pixels = torch.nonzero(vae.lattice.disc(8)).reshape(-1)
    rotations, _, observed, ctf = images(vae, pixels)
    features = slice_features(vae.lattice, pixels, vae.decoder.rand_freqs)
    predicted = vae.decoder.slice_values(vae.lattice.coords[pixels] @ rotations, None)
    expected = (predicted * ctf - observed).square().mean()
    error = squared_error(vae.decoder, features, rotations, None, observed, ctf)
    wanted = gradients(expected, vae, None)
    for name, found in gradients(error, vae, None).items():
        torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-6, msg=name)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    vae = vae_with()
    pixels = torch.nonzero(vae.lattice.disc(8)).reshape(-1)
    given = images(vae, pixels)
    features = slice_features(vae.lattice, pixels, vae.decoder.rand_freqs)
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        error = squared_error(vae.decoder, features, *given)
        results.append((error.detach(), gradients(error, vae, given[1])))
    torch.set_num_threads(before)
    for error, found in results[1:]:
        assert torch.equal(error, results[0][0])
        for name, gradient in found.items():
            assert torch.equal(gradient, results[0][1][name]), name


def test_half_precision_is_close() -> None:
    vae = vae_with()
    pixels = torch.nonzero(vae.lattice.disc(8)).reshape(-1)
    given = images(vae, pixels)
    features = slice_features(vae.lattice, pixels, vae.decoder.rand_freqs)
    single = squared_error(vae.decoder, features, *given)
    half = squared_error(vae.decoder, features, *given, half=True)
    assert float(half.detach()) != float(single.detach())
    torch.testing.assert_close(half, single, rtol=1e-3, atol=0)
    wanted = gradients(single, vae, given[1])
    for name, found in gradients(half, vae, given[1]).items():
        assert float((found - wanted[name]).norm() / wanted[name].norm()) < 0.08, name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"zdim": 0}, True),
        ({"domain": "hartley"}, False),
        ({"pe_type": "geom_lowf"}, False),
        ({"activation": "leaky_relu"}, False),
        ({"zdim": 0, "dec_dim": 48}, False),  # as wide as the encoding: the first layer is residual
    ],
)
def test_what_can_be_fused(options: dict[str, object], expected: bool) -> None:
    assert can_fuse(vae_with(**options).decoder) is expected
