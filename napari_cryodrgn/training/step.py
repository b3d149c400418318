"""One training step: images through encoder and decoder to the loss, and the update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.training.batch_parts import BatchParts
from napari_cryodrgn.training.data import Batch
from napari_cryodrgn.training.distributed import summed
from napari_cryodrgn.training.fused_decoder import can_fuse, squared_error
from napari_cryodrgn.training.loss import Loss, regularised, vae_loss
from napari_cryodrgn.training.pose_refinement import BatchPoses, PoseRefinement
from napari_cryodrgn.training.slice_features import SliceFeatures, slice_features


def sample_latent(mu: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """Draw z = μ + ε exp(½ log σ²) (Kingma and Welling, 2014, eq. 10); all (B, zdim)."""
    return mu + noise * (0.5 * logvar).exp()


def predict(
    vae: VAE, points: Tensor, batch: Batch, noise: Tensor | None, *, mixed_precision: bool
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """What the model expects the images of a batch to be.

    Parameters
    ----------
    vae : VAE
    points : (P, 3) tensor
        The decoder's disc of the lattice.
    batch : Batch
    noise : (B, zdim) tensor or None
        Standard normal noise of the latents; None decodes their means.
    mixed_precision : bool
        Whether the networks compute in float16.

    Returns
    -------
    predicted : (B, P) tensor
        Slices times CTF.
    latent : (mu, logvar) or None
        None for a model without latents.
    """
    # Outside autocast: in half precision neighbouring frequencies would coincide.
    rotated = points @ batch.rotations
    latent, z = None, None
    with torch.autocast(rotated.device.type, torch.float16, enabled=mixed_precision):
        if vae.encoder is not None:
            mu, logvar = (part.float() for part in vae.encode(batch.encoder_input))
            latent = mu, logvar
            z = mu if noise is None else sample_latent(mu, logvar, noise)
        predicted = vae.decoder.slice_values(rotated, z)
    predicted = predicted.float()
    return predicted if batch.ctf is None else predicted * batch.ctf, latent


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What changes from step to step.

    Parameters
    ----------
    vae : VAE
        The model, on its device.
    optimiser : torch.optim.Optimizer
        Over all parameters of the model.
    scaler : torch.amp.GradScaler
        Keeps half-precision gradients in range; switched off without mixed
        precision.
    half : bool
        Whether the decoder's matrix products are in bfloat16 on a CPU.
    poses : PoseRefinement or None
        Poses and their optimiser; None where they stay as given.
    parts : BatchParts
        Into how many parts batches are cut, where memory is short.
    predict : callable
        `predict`, or the same compiled; not used where the decoder's part is done piece by piece.
    """

    vae: VAE
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    half: bool = False
    poses: PoseRefinement | None = None
    parts: BatchParts = field(default_factory=BatchParts)
    predict: Callable[..., tuple[Tensor, tuple[Tensor, Tensor] | None]] = predict

    @property
    def mixed_precision(self) -> bool:
        """Whether the networks compute in half precision (float16, CUDA only)."""
        return bool(self.scaler.is_enabled())


def gradient_scaler(device: torch.device, *, amp: bool) -> torch.amp.GradScaler:
    """Scaler for the device; mixed precision is used on CUDA only."""
    return torch.amp.GradScaler(device.type, enabled=amp and device.type == "cuda")


@dataclass(frozen=True, eq=False)
class ComparedPoints:
    """Where predicted and observed images are compared.

    Parameters
    ----------
    points : (P, 3) tensor
        Points of the lattice, on the device.
    features : SliceFeatures or None
        Their encoding, where the decoder's part is done piece by piece; None where
        automatic differentiation does it.
    places : (P,) int64 tensor or None
        Where they lie among the points of a batch; None for all of these.
    """

    points: Tensor
    features: SliceFeatures | None
    places: Tensor | None = None

    def of(self, batch: Batch) -> Batch:
        """A batch at these points."""
        if self.places is None:
            return batch
        ctf = None if batch.ctf is None else batch.ctf.index_select(1, self.places)
        return replace(batch, observed=batch.observed.index_select(1, self.places), ctf=ctf)


def compared_points(vae: VAE, radius: int | None = None) -> ComparedPoints:
    """The points of the decoder's disc, whose radius is half the box, or of a smaller one.

    Parameters
    ----------
    vae : VAE
    radius : int, optional
        Of a smaller disc, px of the transform.
    """
    lattice = vae.lattice
    disc = lattice.disc(lattice.box // 2)
    chosen, places = disc, None
    if radius is not None and radius < lattice.box // 2:
        chosen = lattice.disc(radius)
        places = torch.nonzero(chosen[disc]).reshape(-1)
    pixels = torch.nonzero(chosen).reshape(-1)
    features = None
    if vae.device.type == "cpu" and vae.decoder.rand_freqs is not None and can_fuse(vae.decoder):
        features = slice_features(lattice, pixels, vae.decoder.rand_freqs)
    return ComparedPoints(lattice.coords[pixels], features, places)


def training_step(
    state: TrainingState,
    compared: ComparedPoints,
    batch: Batch,
    noise: Tensor | None,
    *,
    beta: float,
    beta_control: float | None,
    weight: float = 1.0,
    moved: BatchPoses | None = None,
) -> Loss:
    """Take one step and return the loss before it, detached; never waits for the device.

    Parameters
    ----------
    state : TrainingState
    compared : ComparedPoints
        From `compared_points`, of this model.
    batch : Batch
        Observed images and CTF on the whole of the decoder's disc.
    noise : (B, zdim) tensor or None
        Standard normal noise of the latents.
    beta, beta_control
        As `loss.vae_loss` takes them.
    weight : float, optional
        Share of the batch that these images are, where others compute the rest
        (`distributed.part_of`); the loss returned is that of the whole batch.
    moved : BatchPoses, optional
        Poses to be used and refined, from ``state.poses``; those of the batch if not given.
    """
    leaves = () if moved is None else moved.leaves

    def gradients(parts: list[slice]) -> Loss:
        state.optimiser.zero_grad(set_to_none=True)
        for leaf in leaves:
            leaf.grad = None
        placed = batch if moved is None else moved.place(batch)
        # The shifts of all parts are one computation, which each goes back through.
        return _backward(
            state, compared, placed, noise, parts, beta, beta_control, again=moved is not None
        )

    # The pull of `beta_control` is on the mean over the batch: no sum over parts.
    most = None if beta_control is None else 1
    loss = state.parts.run(gradients, len(batch.rotations), most=most)
    loss = summed((*state.vae.parameters(), *leaves), loss, weight)
    state.scaler.step(state.optimiser)
    if moved is not None and state.poses is not None:
        state.poses.step(moved, state.scaler)
    state.scaler.update()
    return loss


def trial_step(
    state: TrainingState, compared: ComparedPoints, batch: Batch, noise: Tensor | None
) -> None:
    """The work of a step that changes nothing, to be timed."""
    _backward(state, compared, batch, noise, [slice(None)], 1.0, None)
    state.optimiser.zero_grad(set_to_none=True)


def _backward(
    state: TrainingState,
    compared: ComparedPoints,
    batch: Batch,
    noise: Tensor | None,
    parts: list[slice],
    beta: float,
    beta_control: float | None,
    *,
    again: bool = False,
) -> Loss:
    """Add the gradients of a batch, part by part; its mean losses, detached."""
    if len(parts) == 1:
        loss = _loss(state, compared, batch, noise, beta, beta_control)
        state.scaler.scale(loss.total).backward()
        return Loss(*(term.detach() for term in loss))
    sums = [torch.zeros((), device=batch.observed.device) for _ in Loss._fields]
    for where in parts:
        part = batch.part(where)
        share = len(part.rotations) / len(batch.rotations)
        own = None if noise is None else noise[where]
        loss = _loss(state, compared, part, own, beta, beta_control)
        state.scaler.scale(loss.total * share).backward(retain_graph=again)
        sums = [old + share * term.detach() for old, term in zip(sums, loss, strict=True)]
    return Loss(*sums)


def _loss(
    state: TrainingState,
    compared: ComparedPoints,
    batch: Batch,
    noise: Tensor | None,
    beta: float,
    beta_control: float | None,
) -> Loss:
    vae, batch = state.vae, compared.of(batch)
    if compared.features is None:
        predicted, latent = state.predict(
            vae, compared.points, batch, noise, mixed_precision=state.mixed_precision
        )
        return vae_loss(predicted, batch.observed, latent, beta=beta, beta_control=beta_control)
    latent, z = None, None
    if vae.encoder is not None:
        mu, logvar = latent = vae.encode(batch.encoder_input)
        z = mu if noise is None else sample_latent(mu, logvar, noise)
    gen = squared_error(
        vae.decoder,
        compared.features,
        batch.rotations,
        z,
        batch.observed,
        batch.ctf,
        half=state.half,
    )
    n_pixels = batch.observed.shape[-1]
    return regularised(gen, latent, n_pixels, beta=beta, beta_control=beta_control)
