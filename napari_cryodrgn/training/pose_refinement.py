"""Poses refined by gradient: orientation and in-plane shift of each image as parameters.

An image is in one batch of an epoch, so only the rows of a batch have a gradient, and Adam's
moments are kept up for these alone (lazy Adam, as cryoDRGN has it). Gradients are taken by the
rows of the whole batch, of which a process may compute a part: `distributed.summed` can then
treat them as it does those of the weights, and all processes hold the same poses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from napari_cryodrgn.config import RotationEmbedding
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.shift import shift_values
from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.training.data import Batch
from napari_cryodrgn.training.records import PoseChange

# Gradients are means over a batch and its pixels: for faint particles in large boxes they are
# so small that Adam's usual 1e-8 would slow them down, by more the larger the batch is.
ADAM_EPSILON = 1e-15
CHUNK_ROWS = 1 << 16
WIDTHS: dict[RotationEmbedding, int] = {"quat": 4, "s2s2": 6}


def rotation_parameters(rotations: Tensor, embedding: RotationEmbedding) -> Tensor:
    """Parameters of rotation matrices (N, 3, 3): see `rotations_of`.

    Returns
    -------
    (N, 4) or (N, 6) float32 tensor
    """
    if embedding == "s2s2":
        return rotations[:, :2].reshape(-1, 6).float().contiguous()
    if not len(rotations):
        return torch.zeros((0, 4))
    found = Rotation.from_matrix(rotations.cpu().double().numpy()).as_quat()
    return torch.from_numpy(np.ascontiguousarray(found, np.float32)).to(rotations.device)


def rotations_of(parameters: Tensor, embedding: RotationEmbedding) -> Tensor:
    """Rotation matrices of parameters of any length; differentiable.

    Parameters
    ----------
    parameters : (B, 4) or (B, 6) tensor
        "quat": quaternions x, y, z, w. "s2s2": the first two rows of the matrix, of which the
        second need not be perpendicular to the first (Zhou et al., 2019, section 4.2).
    embedding : {"quat", "s2s2"}

    Returns
    -------
    (B, 3, 3) tensor
        Orthonormal whatever the parameters are.
    """
    if embedding == "s2s2":
        first, second = _unit(parameters[:, :3]), parameters[:, 3:]
        second = _unit(second - (first * second).sum(dim=1, keepdim=True) * first)
        return torch.stack((first, second, torch.linalg.cross(first, second)), dim=1)
    x, y, z, w = _unit(parameters).unbind(dim=1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def normalised(parameters: Tensor, embedding: RotationEmbedding) -> Tensor:
    """Parameters of the same rotations, of unit length: a step then turns by the same angle."""
    if embedding == "s2s2":
        return rotations_of(parameters, "s2s2")[:, :2].reshape(-1, 6)
    return _unit(parameters)


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=1)


@dataclass(frozen=True, eq=False)
class BatchPoses:
    """Poses of a batch, of which gradients are taken.

    Parameters
    ----------
    refinement : PoseRefinement
        Whose they are.
    rows : (B,) int64 tensor
        Which images, of the whole batch.
    where : slice
        The images of the batch that this process computes.
    rotations : (B, 4) or (B, 6) tensor
        See `rotations_of`; a leaf that requires its gradient.
    shifts : (B, 2) tensor
        Half boxes; a leaf too.
    """

    refinement: PoseRefinement
    rows: Tensor
    where: slice
    rotations: Tensor
    shifts: Tensor

    @property
    def leaves(self) -> tuple[Tensor, Tensor]:
        """What has a gradient after the loss went backward."""
        return self.rotations, self.shifts

    def place(self, batch: Batch) -> Batch:
        """The process's part of the batch with these poses in place of those it came with."""
        refinement = self.refinement
        pixels = self.shifts[self.where] * refinement.half_box
        encoder_input = batch.encoder_input
        if refinement.encoder_points is not None:
            # The phase flip before the shift is the one after it: the CTF is symmetric.
            encoder_input = shift_values(encoder_input, pixels, refinement.encoder_points)
        return replace(
            batch,
            observed=shift_values(batch.observed, pixels, refinement.decoder_points),
            encoder_input=encoder_input,
            rotations=rotations_of(self.rotations[self.where], refinement.embedding),
        )


class PoseRefinement:
    """Poses of all images of a training, their optimiser, and what they were.

    Parameters
    ----------
    given : Poses
        What the training begins with, of its N particles.
    vae : VAE
        The model, on its device.
    embedding : {"quat", "s2s2"}
        How rotations are parametrised.
    lr : float
        Learning rate of rotations as `rotations_of` takes them, and of shifts in half boxes:
        both then move the outer parts of a particle about as far.
    pretrain : int
        Epochs with the given poses, before any is changed.
    """

    def __init__(
        self, given: Poses, vae: VAE, *, embedding: RotationEmbedding, lr: float, pretrain: int
    ) -> None:
        lattice, device = vae.lattice, vae.device
        self.given, self.embedding, self.pretrain = given, embedding, pretrain
        self.half_box = lattice.box / 2
        self.decoder_points = lattice.coords[lattice.disc(lattice.box // 2)]
        self.encoder_points = None if vae.encoder is None else lattice.coords[vae.encoder_disc]
        # Sparse tensors, which lazy Adam needs, are there for CPUs and CUDA.
        home = device if device.type == "cuda" else torch.device("cpu")
        rotations = torch.from_numpy(given.rotations)
        start = normalised(rotation_parameters(rotations, embedding), embedding).to(home)
        self._rotations = torch.nn.Parameter(start)
        self._shifts = torch.nn.Parameter(torch.zeros((len(given), 2), device=home))
        self._device = device
        self._before = self._copies()
        self._lr = lr
        self.optimiser = torch.optim.SparseAdam(
            [self._rotations, self._shifts], lr=lr, eps=ADAM_EPSILON
        )

    def __len__(self) -> int:
        return len(self._rotations)

    def begins(self, epoch: int) -> bool:
        """Whether poses change in an epoch, counted from 1."""
        return epoch > self.pretrain

    def slow_down(self, share: float) -> None:
        """Take steps of so large a share of the learning rate, from now on."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._lr * share

    def batch(self, positions: Tensor, where: slice) -> BatchPoses:
        """Poses of the images at the positions (a CPU tensor), of which `where` are computed."""
        rows = positions.to(self._rotations.device)
        rotations, shifts = (
            table.detach().index_select(0, rows).to(self._device).requires_grad_()
            for table in (self._rotations, self._shifts)
        )
        return BatchPoses(self, rows, where, rotations, shifts)

    def step(self, moved: BatchPoses, scaler: torch.amp.GradScaler) -> None:
        """Move the poses of a batch against their gradients, which are there now."""
        tables = (self._rotations, self._shifts)
        for table, leaf in zip(tables, moved.leaves, strict=True):
            if leaf.grad is None:
                raise ValueError("these poses have no gradient yet")
            gradient = leaf.grad.to(table.device)
            table.grad = torch.sparse_coo_tensor(
                moved.rows[None], gradient, table.shape, check_invariants=False
            ).coalesce()
        scaler.step(self.optimiser)
        self.optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            turned = self._rotations.index_select(0, moved.rows)
            self._rotations.index_copy_(0, moved.rows, normalised(turned, self.embedding))

    def centre(self, encoder_input: Tensor, positions: Tensor) -> Tensor:
        """What the encoder sees (B, E) of the images at the positions, at their refined shifts."""
        if self.encoder_points is None:
            return encoder_input
        shifts = self._shifts.detach().index_select(0, positions.to(self._shifts.device))
        pixels = shifts.to(encoder_input.device) * self.half_box
        return shift_values(encoder_input, pixels, self.encoder_points)

    def poses(self) -> Poses:
        """All poses as they are now; copies, whatever the device."""
        rotations = np.empty((len(self), 3, 3), np.float32)
        for start in range(0, len(self), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            found = rotations_of(self._rotations.detach()[rows].double().cpu(), self.embedding)
            rotations[rows] = found.numpy()
        # Shifts are taken times box + 1 (`imaging.shift.shifts_in_pixels`).
        scale = self.half_box / (2 * self.half_box + 1)
        moved = self._shifts.detach().double().cpu().numpy() * scale
        return Poses(rotations, (self.given.shifts + moved).astype(np.float32))

    def change(self) -> tuple[PoseChange, PoseChange]:
        """How far poses moved since the last call (or the begin), and since they were given."""
        now = self._copies()
        begin = rotation_parameters(torch.from_numpy(self.given.rotations), self.embedding)
        lately = self._between(now, self._before)
        in_all = self._between(now, (begin, torch.zeros_like(now[1])))
        self._before = now
        return lately, in_all

    def state_dict(self) -> dict[str, Any]:
        """All that a training needs to go on with these poses; tensors on the CPU."""
        rotations, shifts = self._copies()
        return {
            "emb_type": self.embedding,
            "rotations": rotations,
            "shifts": shifts,
            "optimizer_state_dict": self.optimiser.state_dict(),
        }

    def load_state_dict(self, state: Any) -> None:
        """Take up the poses of a checkpoint.

        Raises
        ------
        InputError
            Where it is not of these images, or parametrises rotations in another way.
        """
        try:
            if state["emb_type"] != self.embedding:
                raise InputError(
                    f"poses were parametrised as {state['emb_type']}",
                    field="--emb-type",
                    value=self.embedding,
                )
            for table, found in ((self._rotations, "rotations"), (self._shifts, "shifts")):
                if state[found].shape != table.shape:
                    raise ValueError(f"{len(state[found])} {found} of {len(self)}")
                with torch.no_grad():
                    table.copy_(state[found])
            self.optimiser.load_state_dict(state["optimizer_state_dict"])
        except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"the refined poses of this checkpoint cannot be taken up ({error})",
                field="pose_refinement",
            ) from error
        self._before = self._copies()

    def _copies(self) -> tuple[Tensor, Tensor]:
        """Parameters of rotations and shifts, on the CPU and apart from those being trained."""
        rotations, shifts = self._rotations.detach(), self._shifts.detach()
        return rotations.cpu().clone(), shifts.cpu().clone()

    def _between(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> PoseChange:
        if not len(self):
            return PoseChange(0.0, 0.0)
        pairs = zip(one[0].split(CHUNK_ROWS), other[0].split(CHUNK_ROWS), strict=True)
        total = sum(float(_angles(*pair, self.embedding).sum()) for pair in pairs)
        pixels = float((one[1] - other[1]).norm(dim=1).mean()) * self.half_box
        return PoseChange(math.degrees(total / len(self)), pixels)


def _angles(one: Tensor, other: Tensor, embedding: RotationEmbedding) -> Tensor:
    """Angles (n,) between rotations, radians, exact for small ones too."""
    first, second = (rotations_of(each.double(), embedding) for each in (one, other))
    # |R − S| = √8 sin(θ / 2), by the Frobenius norm.
    half_sine = (first - second).flatten(1).norm(dim=1) / math.sqrt(8)
    return 2 * torch.asin(half_sine.clamp(max=1))
