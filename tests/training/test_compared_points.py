"""Images compared on a smaller disc, as when low frequencies come first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.training.data import Batch
from napari_cryodrgn.training.optimiser import build_optimiser
from napari_cryodrgn.training.randomness import generator
from napari_cryodrgn.training.step import (
    ComparedPoints,
    TrainingState,
    compared_points,
    gradient_scaler,
    predict,
    training_step,
)

BOX = 16


@pytest.fixture
def vae() -> VAE:
    shape = ModelConfig(zdim=2, enc_dim=8, dec_dim=8, enc_layers=1, dec_layers=1)
    return build_vae(shape, BOX, generator=generator(5, "weights"))


@pytest.fixture
def batch(vae: VAE) -> Batch:
    drawn = generator(1, "noise")
    n_points = len(compared_points(vae).points)
    n_seen = int(torch.count_nonzero(vae.encoder_disc))
    return Batch(
        torch.randn((4, n_points), generator=drawn),
        torch.randn((4, n_seen), generator=drawn),
        torch.from_numpy(random_rotations(4, np.random.default_rng(0))),
        torch.randn((4, n_points), generator=drawn),
    )


def loss_of(vae: VAE, compared: ComparedPoints, batch: Batch) -> float:
    optimiser = build_optimiser(vae, "cryodrgn", lr=0.0, wd=0)
    scaler = gradient_scaler(torch.device("cpu"), amp=False)
    state = TrainingState(vae, optimiser, scaler)
    loss = training_step(state, compared, batch, None, beta=0.5, beta_control=None)
    return float(loss.gen)


@pytest.mark.parametrize("radius", [3, 5])
@pytest.mark.parametrize("piecewise", [True, False])
def test_only_points_within_the_radius_count(
    vae: VAE, batch: Batch, radius: int, piecewise: bool
) -> None:
    whole, part = compared_points(vae), compared_points(vae, radius)
    inside = whole.points.norm(dim=1) <= radius / BOX + 1e-6
    assert torch.equal(part.points, whole.points[inside])
    with torch.no_grad():
        predicted, _ = predict(vae, whole.points, batch, None, mixed_precision=False)
        expected = (predicted - batch.observed)[:, inside].square().mean()
    if not piecewise:
        part = replace(part, features=None)
    assert loss_of(vae, part, batch) == pytest.approx(float(expected), rel=1e-5)


def test_half_the_box_is_the_whole_disc(vae: VAE, batch: Batch) -> None:
    assert compared_points(vae, BOX // 2).places is None
    assert compared_points(vae).of(batch) is batch


def test_images_without_ctf_are_compared_so_too(vae: VAE, batch: Batch) -> None:
    bare = replace(batch, ctf=None)
    part = compared_points(vae, 4)
    assert part.of(bare).ctf is None
    assert loss_of(vae, part, bare) > 0
