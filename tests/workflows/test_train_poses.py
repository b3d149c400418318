"""Trainings that refine poses: files, resuming, opening, and that poses get better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.io.mrc import write_stack
from napari_cryodrgn.io.pickles import load_pickle, read_poses, write_poses
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.workflows.open_run import open_run
from napari_cryodrgn.workflows.particle_evidence import particle_evidence
from napari_cryodrgn.workflows.retrain import retrain_config
from napari_cryodrgn.workflows.train import train

BOX, N = 16, 120
# Places (x, y, z) and weights of blobs, px: no view of them is like another.
BLOBS = np.array([[3.5, 0, 0], [-2, 2.5, 1], [0, -3, 2], [1, 1, -3.5]])
WEIGHTS = (1.0, 0.8, 0.6, 0.9)


def blobs(poses: Poses) -> np.ndarray:
    """Projections (N, box, box) that the given poses belong to."""
    axis = np.arange(BOX) - BOX // 2
    images = np.zeros((len(poses), BOX, BOX))
    for place, weight in zip(BLOBS, WEIGHTS, strict=True):
        seen = (poses.rotations @ place)[:, :2] - poses.shifts * BOX
        x, y = (np.exp(-((axis - seen[:, i : i + 1]) ** 2) / 3) for i in (0, 1))
        images += weight * y[:, :, None] * x[:, None, :]
    return images.astype(np.float32)


@pytest.fixture
def truth(tmp_path: Path) -> Poses:
    """True poses of the images in the folder, where poses.pkl has disturbed ones."""
    rng = np.random.default_rng(3)
    shifts = rng.uniform(-0.05, 0.05, (N, 2)).astype(np.float32)
    poses = Poses(random_rotations(N, rng), shifts)
    images = blobs(poses) + rng.normal(scale=0.05, size=(N, BOX, BOX)).astype(np.float32)
    write_stack(tmp_path / "particles.mrcs", images, 3.0)
    turns = Rotation.from_rotvec(rng.normal(size=(N, 3)) * np.radians(4)).as_matrix()
    moved = shifts + rng.normal(size=(N, 2)) * 0.7 / BOX
    disturbed = Poses((poses.rotations @ turns).astype(np.float32), moved.astype(np.float32))
    write_poses(tmp_path / "poses.pkl", disturbed)
    return poses


def config_for(folder: Path, out: str = "run", **options: object) -> TrainingConfig:
    usual = {
        "zdim": 2,
        "dec_dim": 16,
        "num_epochs": 3,
        "batch_size": 8,
        "lr": 1e-3,
        "pose_lr": 1e-3,
    }
    return TrainingConfig(
        particles=folder / "particles.mrcs",
        poses=folder / "poses.pkl",
        outdir=folder / out,
        enc_dim=8,
        enc_layers=1,
        dec_layers=1,
        seed=3,
        device="cpu",
        threads=1,
        do_pose_sgd=True,
        **(usual | options),
    )


def errors(poses: Poses, truth: Poses) -> tuple[float, float]:
    """Median angle (degrees) and shift (px) from the truth, for one frame of the volume."""
    true, found = truth.rotations.astype(float), poses.rotations.astype(float)
    left, _, right = np.linalg.svd(np.einsum("nij,nik->jk", true, found))
    angles = Rotation.from_matrix((true @ left @ right).transpose(0, 2, 1) @ found).magnitude()
    off = (poses.shifts - truth.shifts) * BOX
    moved = np.linalg.lstsq(true[:, :2].reshape(-1, 3), off.reshape(-1), rcond=None)[0]
    off = off - true[:, :2] @ moved
    return float(np.degrees(np.median(angles))), float(np.median(np.linalg.norm(off, axis=1)))


def test_poses_get_better(tmp_path: Path, truth: Poses) -> None:
    options = {"zdim": 0, "dec_dim": 32, "num_epochs": 60, "lr": 3e-3, "pose_lr": 3e-3}
    run = run_to_end(train(config_for(tmp_path, pretrain=8, checkpoint=60, **options)))
    before = errors(read_poses(tmp_path / "poses.pkl"), truth)
    after = errors(read_poses(run.poses(60)), truth)
    assert before[0] > 4
    assert before[1] > 0.6
    assert after[0] < before[0] / 2
    assert after[1] < before[1] / 2


def test_files_log_and_going_on(tmp_path: Path, truth: Poses) -> None:
    """Poses of each checkpoint; a training taken up again has those of one that never stopped."""
    whole = run_to_end(train(config_for(tmp_path)))
    given = read_poses(tmp_path / "poses.pkl")
    first, last = read_poses(whole.poses(1)), read_poses(whole.poses(3))
    np.testing.assert_allclose(first.rotations, given.rotations, atol=1e-6)
    np.testing.assert_array_equal(first.shifts, given.shifts)
    assert np.abs(last.rotations - given.rotations).max() > 1e-3
    assert np.abs(last.shifts - given.shifts).max() > 1e-4
    rotations, shifts = load_pickle(whole.poses(3))
    assert rotations.dtype == shifts.dtype == np.float32
    assert whole.poses().read_bytes() == whole.poses(3).read_bytes()
    assert read_run_config(whole.config).refines_poses
    lines = [line for line in whole.log.read_text().splitlines() if "Poses moved by" in line]
    assert len(lines) == 2
    assert "°" in lines[0]
    assert "Å" in lines[0]

    run_to_end(train(config_for(tmp_path, "again", num_epochs=2)))
    RunFolder(tmp_path / "again").poses(2).unlink()  # the checkpoint is enough
    again = run_to_end(train(config_for(tmp_path, "again", load="latest")))
    assert again.poses(3).read_bytes() == whole.poses(3).read_bytes()
    assert again.latents(3).read_bytes() == whole.latents(3).read_bytes()
    for other in ({"pose_lr": 2e-3}, {"do_pose_sgd": False}):
        changed = config_for(tmp_path, "again", load="latest", num_epochs=4)
        with pytest.raises(InputError, match="run was begun with"):
            run_to_end(train(changed.model_copy(update=other)))


def test_what_is_made_of_a_run_is_made_at_its_refined_poses(tmp_path: Path, truth: Poses) -> None:
    run = run_to_end(train(config_for(tmp_path, num_epochs=2, pose_lr=0.02)))
    opened = open_run(run.path)
    assert opened.problems == ()
    assert opened.particles is not None
    assert opened.latent is not None
    refined = read_poses(run.poses(2))
    assert opened.particles.poses is not None
    np.testing.assert_array_equal(opened.particles.poses.rotations, refined.rotations)
    np.testing.assert_array_equal(opened.particles.poses.shifts, refined.shifts)
    columns = opened.latent.columns
    np.testing.assert_allclose(columns["refined_shift_x"], refined.shifts[:, 0] * BOX, atol=1e-5)
    # Of the epoch before, those it had.
    first = open_run(run.path, 1, opened).particles
    assert first is not None
    assert first.poses is not None
    given = read_poses(tmp_path / "poses.pkl")
    np.testing.assert_array_equal(first.poses.shifts, given.shifts)
    chosen = opened.latent.rows.at(np.arange(5, 9))
    shown = run_to_end(particle_evidence(opened, chosen))
    kept = run.poses(2).read_bytes()
    write_poses(run.poses(2), given)
    other = run_to_end(particle_evidence(open_run(run.path), chosen))
    run.poses(2).write_bytes(kept)
    assert np.abs(shown.images - other.images).max() > 1e-2 * np.abs(shown.images).max()
    again = retrain_config(opened, chosen, tmp_path / "kept")
    assert again.do_pose_sgd
    np.testing.assert_array_equal(read_poses(str(again.poses)).shifts, refined.shifts[5:9])
