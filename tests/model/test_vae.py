"""The whole model: sizes, seeds, and equality with cryoDRGN's encoder and loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.prepare import to_hartley, window_mask
from napari_cryodrgn.imaging.shift import shift_hartley, shifts_in_pixels
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.pickles import load_pickle, read_latents, read_poses
from napari_cryodrgn.model.checkpoint import load_model_files
from napari_cryodrgn.model.vae import build_vae


def count(module):
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def test_size_of_the_published_model():
    """D = 128, 3 × 1024, zdim 8 (cryoDRGN issue 169)."""
    vae = build_vae(ModelConfig(zdim=8, pe_type="geom_lowf"), 128)
    assert count(vae.encoder) == 16_326_672
    assert count(vae.decoder) == 3_553_282


def test_no_latent_means_no_encoder():
    vae = build_vae(ModelConfig(zdim=0, dec_dim=8), 16)
    assert vae.encoder is None
    assert vae.decoder.slice_values(vae.lattice.coords[vae.lattice.disc(8)], None).ndim == 1
    with pytest.raises(InputError, match="no encoder"):
        vae.encode(torch.zeros(1, 10))


def test_weights_follow_the_generator_and_leave_the_global_one_alone():
    config = ModelConfig(zdim=2, enc_dim=4, dec_dim=4)
    before = torch.random.get_rng_state()
    one, same, other = (
        build_vae(config, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
    assert not torch.equal(one.encoder.main[0].weight, other.encoder.main[0].weight)
    assert not torch.equal(one.decoder.rand_freqs, other.decoder.rand_freqs)


def test_the_encoder_sees_the_mask_asked_for():
    vae = build_vae(ModelConfig(zdim=2, enc_mask=5, enc_dim=4, dec_dim=4), 16)
    assert int(vae.encoder_disc.sum()) == vae.encoder.n_in == 80
    mu, logvar = vae.encode(torch.zeros(3, 80))
    assert mu.shape == logvar.shape == (3, 2)


def test_a_mask_without_a_point_is_refused():
    with pytest.raises(InputError, match="enc_mask = 1: no point"):
        build_vae(ModelConfig(zdim=2, enc_mask=1), 30)


def test_state_holds_weights_and_frequencies_only():
    names = set(build_vae(ModelConfig(zdim=2, enc_dim=4, dec_dim=4), 8).state_dict())
    assert "decoder.rand_freqs" in names
    assert all(
        name.startswith(("encoder.main.", "decoder.decoder.main."))
        for name in names - {"decoder.rand_freqs"}
    )


@pytest.mark.data
@pytest.mark.parametrize("poses", ["rot", "rot_trans"])
def test_embedding_and_losses_are_cryodrgns(data_folder, poses):
    """What ``cryodrgn eval_images`` 4.3.1 wrote for 100 images."""
    folder = data_folder / "cryodrgn-tests"
    oracle = data_folder / "oracle-cryodrgn-4.3.1" / "het_weights_decode"
    model = load_model_files(folder / "het_weights.pkl", folder / "het_config.yaml")
    vae, box = model.vae, model.box
    stack = FileImageStack.of_files([folder / "hand.mrcs"])
    images = torch.tensor(stack.read(np.arange(len(stack))))
    pose = read_poses(folder / f"hand_{poses}.pkl", box)
    mean, deviation = model.norm
    transforms = to_hartley(images, invert=True, window=window_mask(box, model.config.window_r))
    transforms = (transforms.reshape(len(images), -1) - mean) / deviation
    shifts = shifts_in_pixels(torch.tensor(pose.shifts), box)
    transforms = shift_hartley(transforms, shifts, vae.lattice)
    disc = vae.lattice.disc(box // 2)
    with torch.inference_mode():
        mu, logvar = vae.encode(transforms[:, vae.encoder_disc])
        points = vae.lattice.coords[disc] @ torch.tensor(pose.rotations)
        predicted = vae.decoder.slice_values(points, mu)
    latents = read_latents(oracle / f"z_hand_{poses}.pkl")
    assert np.abs(mu.numpy() - latents.mu).max() <= 1e-5
    assert np.abs(logvar.numpy() - latents.logvar).max() <= 1e-5
    expected = load_pickle(oracle / f"loss_{poses}.pkl")
    gen = float((predicted - transforms[:, disc]).square().mean())
    kld = float(-0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(dim=1).mean())
    assert gen == pytest.approx(expected["recon"], rel=1e-6)
    assert kld == pytest.approx(expected["kld"], rel=1e-6)
    assert gen + kld / 8 / int(disc.sum()) == pytest.approx(expected["loss"], rel=1e-6)
