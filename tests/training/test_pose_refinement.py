"""Poses as parameters: exact gradients, orthonormal rotations, lazy steps, no shrinking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.imaging.shift import shift_values, shifts_in_pixels
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.training.data import Batch
from napari_cryodrgn.training.pose_refinement import (
    PoseRefinement,
    normalised,
    rotation_parameters,
    rotations_of,
)
from napari_cryodrgn.training.step import (
    TrainingState,
    compared_points,
    gradient_scaler,
    training_step,
)

BOX, N = 12, 9
EMBEDDINGS = ("quat", "s2s2")


def given_poses(rng: np.random.Generator, n: int = N) -> Poses:
    return Poses(random_rotations(n, rng), rng.uniform(-0.1, 0.1, (n, 2)).astype(np.float32))


def small_vae(domain: str = "fourier", zdim: int = 2) -> VAE:
    config = ModelConfig(
        zdim=zdim, enc_layers=1, enc_dim=8, dec_layers=2, dec_dim=12, domain=domain, enc_mask=5
    )
    return build_vae(config, BOX, generator=torch.Generator().manual_seed(2))


def refinement(vae: VAE, given: Poses, embedding: str = "quat", lr: float = 1e-2) -> PoseRefinement:
    return PoseRefinement(given, vae, embedding=embedding, lr=lr, pretrain=1)


def images_for(vae: VAE, poses: Poses, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    n_pixels = int(vae.lattice.disc(BOX // 2).sum())
    observed = torch.randn((len(poses), n_pixels), generator=random)
    encoded = torch.zeros((len(poses), 0))
    if vae.encoder is not None:
        encoded = torch.randn((len(poses), int(vae.encoder_disc.sum())), generator=random)
    half = torch.rand((len(poses), n_pixels // 2), generator=random) * 2 - 1
    ctf = torch.cat((half, half.flip(1)), dim=1)
    return Batch(observed, encoded, torch.from_numpy(poses.rotations), ctf)


def state_of(vae: VAE, poses: PoseRefinement) -> TrainingState:
    optimiser = torch.optim.SGD(vae.parameters(), lr=0.0)
    return TrainingState(vae, optimiser, gradient_scaler(vae.device, amp=False), poses=poses)


def loss_at(state: TrainingState, batch: Batch, noise: torch.Tensor | None, moved) -> float:
    """Loss with the model left as it is."""
    loss = training_step(
        state, compared_points(state.vae), batch, noise, beta=0.5, beta_control=None, moved=moved
    )
    return float(loss.total)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_parameters_give_the_rotations_back(rng, embedding):
    matrices = torch.from_numpy(random_rotations(50, rng))
    found = rotations_of(rotation_parameters(matrices, embedding), embedding)
    torch.testing.assert_close(found, matrices, atol=2e-6, rtol=0)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_any_parameters_are_rotations(rng, embedding):
    """Of whatever length: nothing can shrink or shear."""
    width = 4 if embedding == "quat" else 6
    parameters = torch.from_numpy(rng.normal(size=(200, width)) * rng.uniform(0.01, 50, (200, 1)))
    found = rotations_of(parameters, embedding)
    unit = torch.eye(3, dtype=found.dtype).expand(200, 3, 3)
    torch.testing.assert_close(found @ found.transpose(1, 2), unit, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(200, dtype=found.dtype))
    same = rotations_of(normalised(parameters, embedding), embedding)
    torch.testing.assert_close(same, found)


@pytest.mark.parametrize("domain", ["fourier", "hartley"])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("zdim", [0, 2])
def test_gradients_are_those_of_the_loss(rng, domain, embedding, zdim):
    """Against finite differences, by rotations and shifts, through decoder and encoder."""
    vae, given = small_vae(domain, zdim), given_poses(rng, 3)
    poses = refinement(vae, given, embedding)
    with torch.no_grad():
        poses._shifts.copy_(torch.from_numpy(rng.uniform(-0.2, 0.2, (3, 2))))
    state, batch = state_of(vae, poses), images_for(vae, given)
    noise = None if not zdim else torch.randn((3, zdim), generator=torch.Generator().manual_seed(1))
    poses.step = lambda moved, scaler: None  # gradients only
    moved = poses.batch(torch.arange(3), slice(0, 3))
    loss_at(state, batch, noise, moved)
    step = 4e-4
    for leaf in moved.leaves:
        for place in range(leaf.numel()):
            sides = []
            for sign in (1, -1):
                other = poses.batch(torch.arange(3), slice(0, 3))
                there = other.leaves[0 if leaf is moved.rotations else 1]
                with torch.no_grad():
                    there.view(-1)[place] += sign * step
                sides.append(loss_at(state, batch, noise, other))
            slope = (sides[0] - sides[1]) / (2 * step)
            assert float(leaf.grad.view(-1)[place]) == pytest.approx(slope, abs=2e-3)
    assert max(float(leaf.grad.abs().max()) for leaf in moved.leaves) > 2e-2


def test_the_fused_step_has_the_gradients_of_automatic_differentiation(rng):
    vae, given = small_vae(), given_poses(rng)
    fused, batch = compared_points(vae), images_for(vae, given)
    assert fused.features is not None
    noise = torch.randn((N, 2), generator=torch.Generator().manual_seed(1))
    found = []
    for points in (fused, type(fused)(fused.points, None)):
        poses = refinement(vae, given)
        poses.step = lambda moved, scaler: None
        moved = poses.batch(torch.arange(N), slice(0, N))
        training_step(
            state_of(vae, poses), points, batch, noise, beta=0.5, beta_control=None, moved=moved
        )
        found.append([leaf.grad for leaf in moved.leaves])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_a_part_of_a_batch_gives_the_rest_no_gradient(rng):
    vae, given = small_vae(), given_poses(rng)
    poses, whole = refinement(vae, given), images_for(vae, given)
    poses.step = lambda moved, scaler: None
    part = slice(2, 5)
    batch = Batch(whole.observed[part], whole.encoder_input[part], whole.rotations[part], None)
    moved = poses.batch(torch.arange(N), part)
    loss_at(state_of(vae, poses), batch, torch.zeros((3, 2)), moved)
    for leaf in moved.leaves:
        assert (leaf.grad[part] != 0).any(dim=1).all()
        assert not leaf.grad[:2].any()
        assert not leaf.grad[5:].any()


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_many_steps_and_saves_neither_shrink_nor_shear(rng, embedding):
    """cryoDRGN's fault: each save on a CPU divided the shifts that were being trained."""
    vae, given = small_vae(), given_poses(rng)
    poses = refinement(vae, given, embedding)
    state, batch = state_of(vae, poses), images_for(vae, given)
    noise = torch.zeros((N, 2))
    shown = poses.poses()
    np.testing.assert_allclose(shown.rotations, given.rotations, atol=1e-6)
    np.testing.assert_array_equal(shown.shifts, given.shifts)
    for _ in range(25):
        loss_at(state, batch, noise, poses.batch(torch.arange(N), slice(0, N)))
        before = poses.poses()
        poses.state_dict(), poses.poses(), poses.change()
        np.testing.assert_array_equal(poses.poses().shifts, before.shifts)
        np.testing.assert_array_equal(poses.poses().rotations, before.rotations)
    unit = before.rotations @ before.rotations.transpose(0, 2, 1)
    np.testing.assert_allclose(unit, np.broadcast_to(np.eye(3), unit.shape), atol=1e-6)
    length = poses.state_dict()["rotations"].reshape(N, -1).norm(dim=1).numpy()
    np.testing.assert_allclose(length, np.sqrt(1 if embedding == "quat" else 2), rtol=1e-5)
    assert np.abs(before.shifts - given.shifts).max() > 0.01


def test_only_the_rows_of_a_batch_move(rng):
    vae, given = small_vae(), given_poses(rng)
    poses, rows = refinement(vae, given), torch.tensor([7, 1, 4])
    batch = images_for(vae, given.at(rows.numpy()))
    loss_at(state_of(vae, poses), batch, torch.zeros((3, 2)), poses.batch(rows, slice(0, 3)))
    moved = np.abs(poses.poses().rotations - given.rotations).max(axis=(1, 2)) > 1e-4
    assert np.flatnonzero(moved).tolist() == [1, 4, 7]


def test_saved_shifts_are_those_that_images_were_moved_by(rng):
    """Preparing images with the refined poses is what the training did with the given ones."""
    vae, given = small_vae(), given_poses(rng)
    poses = refinement(vae, given)
    with torch.no_grad():
        poses._shifts.copy_(torch.from_numpy(rng.uniform(-0.3, 0.3, (N, 2))))
    points, batch = poses.decoder_points, images_for(vae, given)
    there = [shifts_in_pixels(torch.from_numpy(p.shifts), BOX) for p in (given, poses.poses())]
    begun = shift_values(batch.observed, there[0], points)
    moved = poses.batch(torch.arange(N), slice(0, N))
    placed = moved.place(Batch(begun, batch.encoder_input, batch.rotations, None))
    wanted = shift_values(batch.observed, there[1], points)
    torch.testing.assert_close(placed.observed, wanted, atol=1e-4, rtol=0)
    centred = poses.centre(batch.encoder_input, torch.arange(N))
    torch.testing.assert_close(centred, placed.encoder_input)


def test_change_is_in_degrees_and_pixels(rng):
    vae, given = small_vae(), given_poses(rng)
    poses = refinement(vae, given)
    turned = given.rotations @ Rotation.from_euler("y", 3, degrees=True).as_matrix()
    with torch.no_grad():
        poses._rotations.copy_(rotation_parameters(torch.from_numpy(turned), "quat"))
        poses._shifts[:, 0] = 2 / (BOX / 2)
    lately, in_all = poses.change()
    for change in (lately, in_all):
        assert change.degrees == pytest.approx(3, abs=1e-4)
        assert change.pixels == pytest.approx(2, abs=1e-5)
    assert poses.change()[0].degrees == 0
    assert in_all.words(1.5) == "3.000° and 3.000 Å"
    assert in_all.words(None) == "3.000° and 2.000 px"


def test_going_on_is_exact(rng):
    vae, given = small_vae(), given_poses(rng)
    batch, every = images_for(vae, given), torch.arange(N)

    def steps(poses: PoseRefinement, count: int) -> None:
        for _ in range(count):
            moved = poses.batch(every, slice(0, N))
            loss_at(state_of(vae, poses), batch, torch.zeros((N, 2)), moved)

    whole, first, second = (refinement(vae, given) for _ in range(3))
    steps(whole, 5)
    steps(first, 2)
    second.load_state_dict(first.state_dict())
    steps(second, 3)
    for name in ("rotations", "shifts"):
        assert torch.equal(whole.state_dict()[name], second.state_dict()[name])


@pytest.mark.parametrize("change", ["absent", "fewer", "other"])
def test_poses_of_another_training_are_refused(rng, change):
    vae, given = small_vae(), given_poses(rng)
    state = {
        "absent": None,
        "fewer": refinement(vae, given.at(np.arange(4))).state_dict(),
        "other": refinement(vae, given, "s2s2").state_dict(),
    }[change]
    with pytest.raises(InputError, match="--emb-type" if change == "other" else "pose_refinement"):
        refinement(vae, given).load_state_dict(state)
