"""Images beside projections: the same as training compares, and worst for what is no molecule."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.image_stack import ArrayImageStack
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.open_run import OpenRun, open_run
from napari_cryodrgn.workflows.outliers import agreement_columns, restored_columns
from napari_cryodrgn.workflows.particle_evidence import particle_evidence, particle_scores
from napari_cryodrgn.workflows.simulate import simulate
from napari_cryodrgn.workflows.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    folder: Path = tmp_path_factory.mktemp("evidence")
    settings = SimulationConfig(n_particles=150, box=16, snr=1.0, kind="hinge", seed=1)
    made = run_to_end(simulate(folder / "set", settings))
    config = TrainingConfig(
        particles=made / "particles.star",
        outdir=folder / "run",
        zdim=2,
        enc_layers=1,
        enc_dim=32,
        dec_layers=1,
        dec_dim=32,
        num_epochs=6,
        lr=3e-3,
        batch_size=8,
        seed=0,
        device="cpu",
        threads=1,
    )
    return open_run(run_to_end(train(config)).path)


def test_parts_belong_together(run: OpenRun) -> None:
    assert run.latent is not None
    chosen = run.latent.rows.at([17, 3, 90])
    found = run_to_end(particle_evidence(run, chosen))
    assert found.particles == chosen
    assert found.images.shape == (3, 16, 16)
    np.testing.assert_allclose(found.images, found.projections + found.residuals, atol=1e-4)
    # The model explains something of each.
    assert (found.residuals.std(axis=(1, 2)) < found.images.std(axis=(1, 2))).all()
    scores = run_to_end(particle_scores(run))
    np.testing.assert_allclose(scores[[17, 3, 90]], found.scores, atol=0.05)


def test_the_projection_is_that_of_the_own_state_and_pose(run: OpenRun) -> None:
    """Another particle's projection explains an image worse, for nearly all of them."""
    assert run.latent is not None
    found = run_to_end(particle_evidence(run, run.latent.rows))
    flat = found.images.reshape(150, -1), found.projections.reshape(150, -1)
    images, projections = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in flat)
    own = np.einsum("np,np->n", images, projections)
    other = np.einsum("np,np->n", images, np.roll(projections, 1, axis=0))
    assert (own > other).mean() > 0.9


def test_noise_in_place_of_a_particle_scores_worst(run: OpenRun, rng: np.random.Generator) -> None:
    particles = run.particles
    assert particles is not None
    images = particles.images.read(np.arange(150))
    images[40] = rng.normal(images.mean(), images.std(), images[40].shape)
    damaged = replace(particles, images=ArrayImageStack(images, particles.images.pixel_size))
    scores = run_to_end(particle_scores(replace(run, particles=damaged)))
    assert int(np.argmin(scores)) == 40


def test_agreement_is_kept_with_the_run_and_belongs_to_its_epoch(run: OpenRun) -> None:
    made = run_to_end(agreement_columns(run))
    assert not made.problem
    columns = made.columns
    plain, problems = restored_columns(run.latent, run.folder)
    assert not problems
    np.testing.assert_array_equal(plain.columns["image_agreement"], columns["image_agreement"])
    other = replace(run.latent, epoch=99)
    assert "image_agreement" not in restored_columns(other, run.folder)[0].columns
    path = next(run.folder.columns.iterdir())
    path.write_bytes(path.read_bytes()[:80])
    plain, problems = restored_columns(run.latent, run.folder)
    assert plain is run.latent
    assert path.name in problems[0]


def test_scores_come_back_where_they_cannot_be_kept(run: OpenRun) -> None:
    shutil.rmtree(run.folder.columns, ignore_errors=True)
    run.folder.columns.write_text("a file where the folder should be")
    made = run_to_end(agreement_columns(run))
    assert made.columns["image_agreement"].notna().all()
    assert run.folder.columns.name in made.problem
    run.folder.columns.unlink()


def test_what_is_missing_is_named(run: OpenRun) -> None:
    assert run.latent is not None
    for part, words in (("particles", "images"), ("weights", "weights"), ("latent", "latents")):
        with pytest.raises(InputError, match=f"the {words} of this run are missing"):
            run_to_end(particle_evidence(replace(run, **{part: None}), run.latent.rows))
    with pytest.raises(InputError, match="no particles"):
        run_to_end(particle_evidence(run, run.latent.rows.at([])))
