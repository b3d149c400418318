from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.ctf import ctf_2d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.imaging.prepare import to_hartley, window_mask
from napari_cryodrgn.imaging.shift import shift_hartley, shifts_in_pixels
from napari_cryodrgn.io.image_stack import ArrayImageStack
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.model.checkpoint import load_model_files
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.training.data import TrainingSet, prepare_images, training_set
from napari_cryodrgn.training.embed import embed
from napari_cryodrgn.training.loss import vae_loss
from napari_cryodrgn.training.preparation import CheckedImages, Preparation, kept_pixels
from napari_cryodrgn.training.prepared_images import HeldImages, PreparedImages
from napari_cryodrgn.training.step import predict

CPU = torch.device("cpu")


def preparation_for(vae: VAE, norm: tuple[float, float] = (0.0, 2.0)) -> Preparation:
    disc = vae.lattice.disc(vae.box // 2)
    encoder_disc = None if vae.encoder is None else vae.encoder_disc
    return Preparation(
        vae.lattice, kept_pixels(encoder_disc, disc), True, window_mask(vae.box, 0.85), norm
    )


def set_for(vae: VAE, images: PreparedImages) -> TrainingSet:
    encoder_disc = None if vae.encoder is None else vae.encoder_disc
    return training_set(images, encoder_disc, vae.lattice.disc(vae.box // 2), CPU)


def small_vae(**options: object) -> VAE:
    shape = {"zdim": 2, "enc_dim": 8, "dec_dim": 8, "enc_layers": 1, "dec_layers": 1}
    return build_vae(ModelConfig(**{**shape, **options}), 16, generator=torch.Generator())


@pytest.mark.parametrize("enc_mask", [None, 5, 10])
def test_values_follow_the_steps_one_by_one(particles: Particles, enc_mask: int | None) -> None:
    vae = small_vae(enc_mask=enc_mask)
    images = run_to_end(prepare_images(particles, preparation_for(vae)))
    batch = set_for(vae, images).batch(torch.tensor([7, 3]))

    lattice = Lattice(16)
    stored = torch.from_numpy(particles.images.read(np.array([7, 3])))
    transforms = to_hartley(stored, invert=True, window=window_mask(16, 0.85)).reshape(2, -1) / 2
    shifts = shifts_in_pixels(torch.from_numpy(particles.poses.shifts[[7, 3]]), 16)
    centred = shift_hartley(transforms, shifts, lattice)
    ctf = ctf_2d(
        lattice.coords[:, :2] / 4.0, torch.from_numpy(particles.ctf.table[[7, 3], 1:]).float()
    )
    decoder_disc, encoder_disc = lattice.disc(8), lattice.disc(enc_mask or 8)

    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(batch.observed, centred[:, decoder_disc], **close)
    torch.testing.assert_close(batch.ctf, ctf[:, decoder_disc], **close)
    flipped = (centred * ctf.sign())[:, encoder_disc]
    torch.testing.assert_close(batch.encoder_input, flipped, **close)
    assert np.array_equal(batch.rotations.numpy(), particles.poses.rotations[[7, 3]])


def test_without_ctf_nothing_is_flipped(particles: Particles) -> None:
    vae = small_vae()
    images = run_to_end(prepare_images(replace(particles, ctf=None), preparation_for(vae)))
    batch = set_for(vae, images).batch(torch.tensor([0, 1]))
    assert batch.ctf is None
    assert torch.equal(batch.encoder_input, batch.observed)


def test_images_that_do_not_fit_in_memory_give_the_same_values(particles: Particles) -> None:
    vae = small_vae()
    held = run_to_end(prepare_images(particles, preparation_for(vae)))
    lazy = run_to_end(prepare_images(particles, preparation_for(vae), max_bytes=1000))
    assert isinstance(held, HeldImages)
    assert not isinstance(lazy, HeldImages)
    for positions in (torch.tensor([5]), torch.tensor([9, 0, 33]), torch.arange(40)):
        # Rounded to half precision, and each alike in whatever batch it is.
        expected = held.batch(positions)
        torch.testing.assert_close(lazy.batch(positions), expected, rtol=1e-3, atol=2e-3)
        assert torch.equal(lazy.batch(positions)[:1], lazy.batch(positions[:1]))


@pytest.mark.parametrize("max_bytes", [None, 0])
def test_bad_pixel_is_found_and_its_row_named(particles: Particles, max_bytes: int | None) -> None:
    images = particles.images.read(np.arange(40))
    images[11, 3, 4] = np.inf
    bad = replace(particles, images=ArrayImageStack(images))
    vae = small_vae()
    # Position 11 is row 23 of the table, image 24 as people count.
    with pytest.raises(InputError, match=r"counted from 1\) = 24"):
        run_to_end(prepare_images(bad, preparation_for(vae), max_bytes=max_bytes)).batch(
            torch.arange(5, 20)
        )
    with pytest.raises(InputError, match=r"counted from 1\) = 24"):
        CheckedImages(bad).read(np.array([2, 11]))


def test_poses_are_needed(particles: Particles) -> None:
    with pytest.raises(InputError, match="no poses"):
        run_to_end(prepare_images(replace(particles, poses=None), preparation_for(small_vae())))


@pytest.mark.data
@pytest.mark.parametrize(
    ("poses", "expected_z"),
    [("hand_rot.pkl", "z_hand_rot.pkl"), ("hand_rot_trans.pkl", "z_hand_rot_trans.pkl")],
)
def test_latents_and_losses_are_those_of_cryodrgn(
    data_folder: Path, poses: str, expected_z: str
) -> None:
    tests, oracle = data_folder / "cryodrgn-tests", data_folder / "oracle-cryodrgn-4.3.1"
    particles = read_particles(tests / "hand.mrcs", poses=tests / poses)
    loaded = load_model_files(tests / "het_weights.pkl", tests / "het_config.yaml")
    preparation = replace(
        preparation_for(loaded.vae, loaded.norm), invert=loaded.config.invert_data
    )
    prepared = set_for(loaded.vae, run_to_end(prepare_images(particles, preparation)))

    mu, logvar = run_to_end(embed(loaded.vae, prepared))
    expected = read_latents(oracle / "het_weights_decode" / expected_z)
    np.testing.assert_allclose(mu, expected.mu, atol=1e-5)
    np.testing.assert_allclose(logvar, expected.logvar, atol=1e-5)

    if poses == "hand_rot.pkl":
        points = loaded.vae.lattice.coords[loaded.vae.lattice.disc(32)]
        batch = prepared.batch(torch.arange(100))
        with torch.no_grad():
            predicted, latent = predict(loaded.vae, points, batch, None, mixed_precision=False)
        loss = vae_loss(predicted, batch.observed, latent, beta=1 / 8)
        found = [float(term) for term in (loss.gen, loss.kld, loss.total)]
        np.testing.assert_allclose(found, [0.9258953643, 0.4485642529, 0.9259128523], atol=1e-5)
