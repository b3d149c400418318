"""Latents of all particles of a training set."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.progress import Stopwatch, Task
from napari_cryodrgn.training.data import TrainingSet
from napari_cryodrgn.training.distributed import gathered, own_batches
from napari_cryodrgn.training.pose_refinement import PoseRefinement
from napari_cryodrgn.training.records import TrainingProgress

# Always the same, because the batch a particle is in may change the last bit of its latent.
EMBEDDING_BATCH = 256
REPORT_SECONDS = 0.1

LatentArrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def embed(
    vae: VAE,
    particles: TrainingSet,
    *,
    poses: PoseRefinement | None = None,
    epoch: int = 0,
    n_epochs: int = 0,
) -> Task[LatentArrays]:
    """Encode every particle, in the order of the set and in full precision.

    Parameters
    ----------
    vae : VAE
        A model with an encoder.
    particles : TrainingSet
        Prepared for this model.
    poses : PoseRefinement, optional
        Where refined shifts stand in place of the given ones.
    epoch, n_epochs : int
        For the reports alone.

    Returns
    -------
    mu, logvar : (N, zdim) float32 arrays
        Mean and log variance of each particle's latent.

    Raises
    ------
    InputError
        Where a latent is not finite.
    """
    n_images = len(particles)
    mu = torch.zeros((n_images, vae.zdim))
    logvar = torch.zeros((n_images, vae.zdim))
    watch, reported = Stopwatch(n_images), time.monotonic()
    places = [
        slice(start, min(start + EMBEDDING_BATCH, n_images))
        for start in own_batches(n_images, EMBEDDING_BATCH)
    ]
    with particles.encoder_inputs(places) as inputs:
        for place, encoder_input in zip(places, inputs, strict=True):
            positions = torch.arange(place.start, place.stop)
            with torch.no_grad():
                seen = encoder_input
                mean, variance = vae.encode(
                    seen if poses is None else poses.centre(seen, positions)
                )
            mu[positions], logvar[positions] = mean.cpu(), variance.cpu()
            done = place.stop
            if time.monotonic() - reported >= REPORT_SECONDS or done == n_images:
                reported = time.monotonic()
                yield TrainingProgress(
                    done,
                    n_images,
                    "Computing the latents",
                    watch.seconds_left(done),
                    phase="embedding",
                    epoch=epoch,
                    n_epochs=n_epochs,
                    images_done=done,
                    n_images=n_images,
                )
    mu, logvar = gathered(mu, vae.device), gathered(logvar, vae.device)
    bad = ~torch.isfinite(mu).all(dim=1)
    if bool(bad.any()):
        raise InputError(
            f"the latents of {int(bad.sum())} particles are not finite after epoch {epoch}",
            field="particle row",
            value=int(particles.rows.rows[int(bad.int().argmax())]),
            hint="A smaller learning rate (--lr) or --no-amp usually helps",
        )
    return mu.numpy(), logvar.numpy()
