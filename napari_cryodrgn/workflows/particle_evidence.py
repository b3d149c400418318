"""Images beside what the model expects of them: the projection of their decoded volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import ParticleRows, Particles
from napari_cryodrgn.progress import Progress, Stopwatch, Task

if TYPE_CHECKING:
    from torch import Tensor

    from napari_cryodrgn.model.loaded import LoadedModel
    from napari_cryodrgn.training.data import TrainingSet
    from napari_cryodrgn.workflows.open_run import OpenRun

AT_ONCE_PIXELS = 1 << 18
"""Fourier pixels decoded at a time: some hundred milliseconds of work."""


@dataclass(frozen=True, eq=False)
class ParticleEvidence:
    """Some particles, each with the projection that its latent coordinates predict.

    Parameters
    ----------
    particles : ParticleRows
        Which particles.
    images : (n, box, box) float32 array
        Their images as the model sees them: centred, windowed, with the contrast of training.
    projections : (n, box, box) float32 array
        The volume decoded at each one's z, projected at its pose, with its CTF.
    residuals : (n, box, box) float32 array
        What the projection leaves of the image.
    scores : (n,) float32 array
        See `particle_scores`.
    field_of_view : float or None
        Side of an image, Å; None where the pixel size is not known.
    """

    particles: ParticleRows
    images: npt.NDArray[np.float32]
    projections: npt.NDArray[np.float32]
    residuals: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    field_of_view: float | None


def particle_evidence(run: OpenRun, chosen: ParticleRows) -> Task[ParticleEvidence]:
    """Compare some particles with what the model expects of them.

    Parameters
    ----------
    run : OpenRun
        With particles, latents and weights.
    chosen : ParticleRows
        Which of its particles.

    Raises
    ------
    InputError
        Where images, poses or weights are missing, or an image is damaged.
    """
    particles, z, model = yield from _inputs(run, chosen)
    prepared = yield from _prepared(particles, model)
    watch = Stopwatch(len(chosen))
    observed, predicted = [], []
    for start in range(0, len(chosen), _at_once(model)):
        yield Progress(start, len(chosen), "Projecting volumes", watch.seconds_left(start))
        seen, expected = _compared(prepared, model, z, start)
        observed.append(_in_real_space(seen, model))
        predicted.append(_in_real_space(expected, model))
    images, projections = np.concatenate(observed), np.concatenate(predicted)
    size = run.pixel_size
    return ParticleEvidence(
        chosen,
        images,
        projections,
        images - projections,
        _correlation(images, projections),
        None if size is None else size * model.box,
    )


def particle_scores(run: OpenRun) -> Task[npt.NDArray[np.float32]]:
    """How well every particle of a run agrees with what the model expects of it.

    Returns
    -------
    (N,) float32 array
        Correlation coefficient of image and projection over the disc of frequencies that the
        model was trained on, in the order of the run's latent space.

    Raises
    ------
    InputError
        As `particle_evidence`.
    """
    if run.latent is None:
        raise InputError("this run has no latent space of particles", file=run.folder.path)
    rows = run.latent.rows
    particles, z, model = yield from _inputs(run, rows)
    prepared = yield from _prepared(particles, model)
    watch = Stopwatch(len(rows))
    scores = np.empty(len(rows), dtype=np.float32)
    step = _at_once(model)
    for start in range(0, len(rows), step):
        yield Progress(start, len(rows), "Scoring particles", watch.seconds_left(start))
        seen, expected = _compared(prepared, model, z, start)
        scores[start : start + step] = _correlation(seen.cpu().numpy(), expected.cpu().numpy())
    return scores


def _inputs(
    run: OpenRun, chosen: ParticleRows
) -> Task[tuple[Particles, npt.NDArray[np.float32], LoadedModel]]:
    """The particles, their latent coordinates, and the model."""
    from napari_cryodrgn.model.checkpoint import load_model_files
    from napari_cryodrgn.training.device import choose_device

    missing = {
        "the latents": run.latent is None,
        "the images": run.particles is None,
        "the weights": run.weights is None or run.config is None,
    }
    for what, absent in missing.items():
        if absent:
            raise InputError(
                f"{what} of this run are missing: particles cannot be compared with projections",
                file=run.folder.path,
            )
    if run.latent is None or run.particles is None or run.weights is None:
        raise InputError("this run is not whole", file=run.folder.path)
    if not len(chosen):
        raise InputError("no particles are chosen")
    yield Progress(0, None, "Loading the weights")
    model = load_model_files(run.weights, run.folder.config, choose_device("auto"), epoch=run.epoch)
    particles = run.particles.at(run.particles.rows.positions_of(chosen))
    return particles, run.latent.mu[run.latent.rows.positions_of(chosen)], model


def _prepared(particles: Particles, model: LoadedModel) -> Task[TrainingSet]:
    """The images as a training on them would take them."""
    from napari_cryodrgn.imaging.prepare import window_mask
    from napari_cryodrgn.training.data import prepare_images, training_set
    from napari_cryodrgn.training.preparation import Preparation, kept_pixels

    lattice = model.vae.lattice.to("cpu")
    disc = lattice.disc(lattice.box // 2)
    config = model.config
    preparation = Preparation(
        lattice=lattice,
        pixels=kept_pixels(None, disc),
        invert=config.invert_data,
        window=window_mask(lattice.box, config.window_r) if config.window else None,
        norm=model.norm,
    )
    images = yield from prepare_images(particles, preparation)
    device = next(model.vae.parameters()).device
    return training_set(images, None, disc, device)


def _at_once(model: LoadedModel) -> int:
    return max(1, AT_ONCE_PIXELS // model.box**2)


def _compared(
    prepared: TrainingSet, model: LoadedModel, z: npt.NDArray[np.float32], start: int
) -> tuple[Tensor, Tensor]:
    """Observed and expected Fourier values of a batch of particles, (B, P) each."""
    import torch

    positions = torch.arange(start, min(start + _at_once(model), len(prepared)))
    batch = prepared.batch(positions)
    lattice = model.vae.lattice
    points = lattice.coords[lattice.disc(lattice.box // 2)]
    latent = torch.from_numpy(z[positions.numpy()]).to(batch.observed.device)
    with torch.no_grad():
        expected = model.vae.decoder.slice_values(points @ batch.rotations, latent)
    return batch.observed, expected if batch.ctf is None else expected * batch.ctf


def _in_real_space(values: Tensor, model: LoadedModel) -> npt.NDArray[np.float32]:
    """Images (B, box, box) of the values (B, P) on the disc."""
    import torch

    from napari_cryodrgn.imaging.hartley import inverse_hartley_2d

    lattice = model.vae.lattice
    transforms = torch.zeros((len(values), lattice.side**2), device=values.device)
    transforms[:, lattice.disc(lattice.box // 2)] = values * model.norm[1]
    square = transforms.reshape(-1, lattice.side, lattice.side)[:, :-1, :-1]
    images: npt.NDArray[np.float32] = inverse_hartley_2d(square).float().cpu().numpy()
    return images


def _correlation(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Correlation coefficient of each pair; 0 where one of them is empty."""
    first, second = first.reshape(len(first), -1), second.reshape(len(second), -1)
    product = np.einsum("np,np->n", first, second)
    size = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray(np.divide(product, size, out=np.zeros_like(product), where=size > 0))
