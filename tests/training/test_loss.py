from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from napari_cryodrgn.training import loss as losses


def test_kl_is_that_of_torch() -> None:
    mu, logvar = torch.randn(7, 3), torch.randn(7, 3)
    exact = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(losses.kl_divergence(mu, logvar), exact)


def test_total_weights_kl_by_beta_over_pixels() -> None:
    predicted, observed = torch.randn(4, 50), torch.randn(4, 50)
    latent = torch.randn(4, 3), torch.randn(4, 3)
    loss = losses.vae_loss(predicted, observed, latent, beta=0.7)
    torch.testing.assert_close(loss.gen, torch.nn.functional.mse_loss(predicted, observed))
    torch.testing.assert_close(loss.total, loss.gen + 0.7 * loss.kld / 50)


def test_control_pulls_kl_towards_beta() -> None:
    observed = torch.zeros(4, 50)
    latent = torch.randn(4, 3), torch.randn(4, 3)
    loss = losses.vae_loss(observed, observed, latent, beta=2.0, beta_control=0.1)
    torch.testing.assert_close(loss.total, 0.1 * (2.0 - loss.kld) ** 2 / 50)


def test_no_latent_no_kl() -> None:
    loss = losses.vae_loss(torch.ones(2, 5), torch.zeros(2, 5), None, beta=1.0)
    assert loss.total == loss.gen == 1
    assert loss.kld == 0
