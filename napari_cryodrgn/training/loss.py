"""The loss: reconstruction error of the images plus the weighted KL divergence."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Loss(NamedTuple):
    """Terms of the loss of one batch; scalar tensors.

    `total` is what is minimised, `gen` the mean squared error per pixel, `kld`
    the KL divergence of the latents from a unit Gaussian, in nats per image.
    """

    total: Tensor
    gen: Tensor
    kld: Tensor


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Mean KL divergence from the unit Gaussian.

    Parameters
    ----------
    mu, logvar : (B, zdim) tensors
        Mean and log variance of each image's latent.

    Returns
    -------
    scalar tensor
        Batch mean of -½ Σ (1 + logvar - μ² - exp logvar), Kingma and Welling
        (2014), appendix B.
    """
    terms = 1 + logvar - mu.square() - logvar.exp()
    return -0.5 * terms.sum(dim=1).mean()


def vae_loss(
    predicted: Tensor,
    observed: Tensor,
    latent: tuple[Tensor, Tensor] | None,
    *,
    beta: float,
    beta_control: float | None = None,
) -> Loss:
    """Loss of one batch.

    Parameters
    ----------
    predicted, observed : (B, P) tensors
        CTF-modulated slices and the centred images on the pixels of the mask.
    latent : (mu, logvar), each (B, zdim), or None
        None for a model without latents: the KL term is then 0.
    beta : float
        Weight of the KL divergence, or its target where `beta_control` is given.
    beta_control : float, optional
        Strength γ of a quadratic pull of the divergence towards `beta`.

    Returns
    -------
    Loss
        ``total = gen + beta * kld / P``, or ``gen + γ (beta - kld)² / P``; P is
        the number of pixels, which balances a sum over latent dimensions
        against a mean over pixels.
    """
    gen = (predicted.float() - observed).square().mean()
    return regularised(gen, latent, observed.shape[-1], beta=beta, beta_control=beta_control)


def regularised(
    gen: Tensor,
    latent: tuple[Tensor, Tensor] | None,
    n_pixels: int,
    *,
    beta: float,
    beta_control: float | None = None,
) -> Loss:
    """As `vae_loss`, of a mean squared error `gen` over `n_pixels` pixels of each image."""
    if latent is None:
        return Loss(gen, gen, torch.zeros_like(gen))
    mu, logvar = latent
    kld = kl_divergence(mu.float(), logvar.float())
    if beta_control is None:
        regulariser = beta * kld / n_pixels
    else:
        regulariser = beta_control * (beta - kld).square() / n_pixels
    return Loss(gen + regulariser, gen, kld)
