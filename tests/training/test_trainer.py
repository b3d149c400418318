from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.prepare import measure_norm
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import Task, run_to_end
from napari_cryodrgn.training.data import TrainingSet, prepare_images
from napari_cryodrgn.training.data import training_set as make_training_set
from napari_cryodrgn.training.embed import embed
from napari_cryodrgn.training.optimiser import build_optimiser
from napari_cryodrgn.training.preparation import Preparation, kept_pixels
from napari_cryodrgn.training.randomness import generator
from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress
from napari_cryodrgn.training.schedule import beta_schedule
from napari_cryodrgn.training.step import TrainingState, gradient_scaler, sample_latent
from napari_cryodrgn.training.trainer import Course, train_epochs

CPU = torch.device("cpu")
COURSE = Course(seed=5, n_epochs=3, batch_size=12, beta=beta_schedule(None, 2))


def new_state(lr: float = 1e-3, **options: object) -> TrainingState:
    shape = {"zdim": 2, "enc_dim": 32, "dec_dim": 32, "enc_layers": 1, "dec_layers": 1}
    config = ModelConfig(**{**shape, **options})
    vae = build_vae(config, 16, generator=generator(5, "weights"))
    return TrainingState(
        vae, build_optimiser(vae, "cryodrgn", lr=lr, wd=0), gradient_scaler(CPU, amp=True)
    )


def prepared(particles: Particles, state: TrainingState) -> TrainingSet:
    vae = state.vae
    encoder_disc = None if vae.encoder is None else vae.encoder_disc
    disc = vae.lattice.disc(8)
    norm = measure_norm(particles.images, invert=False)
    preparation = Preparation(vae.lattice, kept_pixels(encoder_disc, disc), False, None, norm)
    images = run_to_end(prepare_images(particles, preparation))
    return make_training_set(images, encoder_disc, disc, CPU)


def trained(
    particles: Particles, state: TrainingState, course: Course = COURSE, finished: int = 0
) -> tuple[list[EpochMetrics], list[TrainingProgress]]:
    metrics: list[EpochMetrics] = []

    def save(record: EpochMetrics) -> Task[bool]:
        metrics.append(record)
        return record.epoch % 2 == 0
        yield

    task = train_epochs(state, prepared(particles, state), course, save, finished=finished)
    return metrics, list(task)


@pytest.mark.parametrize(
    "options",
    [{}, {"domain": "hartley"}, {"zdim": 0}, {"pe_type": "geom_lowf"}, {"enc_mask": 4}],
)
def test_images_are_explained_given_the_right_poses_only(
    particles: Particles, options: dict[str, object]
) -> None:
    assert particles.poses is not None
    transposed = particles.poses.rotations.transpose(0, 2, 1)
    wrong = replace(particles, poses=replace(particles.poses, rotations=transposed))
    course = replace(COURSE, n_epochs=50, beta=beta_schedule(1.0, 2))
    # Without CTF, as these images are.
    right_loss, wrong_loss = (
        trained(replace(given, ctf=None), new_state(lr=3e-3, **options), course)[0][-1].gen_loss
        for given in (particles, wrong)
    )
    assert right_loss < 0.5
    assert right_loss < 0.8 * wrong_loss


def test_records_say_how_far_it_is(particles: Particles) -> None:
    metrics, records = trained(particles, new_state())
    assert [record.finished_epoch for record in records if record.finished_epoch] == [2]
    assert all(before.done <= after.done for before, after in itertools.pairwise(records))
    last = records[-1]
    assert (last.epoch, last.n_epochs, last.images_done, last.n_images) == (3, 3, 40, 40)
    assert last.fraction == 1
    assert last.seconds_left == 0
    assert (last.loss, last.gen_loss, last.kld) == (
        metrics[-1].loss,
        metrics[-1].gen_loss,
        metrics[-1].kld,
    )
    assert last.beta == 0.5
    assert all(record.phase == "training" for record in records)


def test_same_seed_same_weights(particles: Particles) -> None:
    first, second = new_state(), new_state()
    torch.manual_seed(0)
    one, _ = trained(particles, first)
    torch.manual_seed(1)
    other, _ = trained(particles, second)
    for name, weights in first.vae.state_dict().items():
        assert torch.equal(weights, second.vae.state_dict()[name]), name
    assert [replace(m, seconds=0) for m in one] == [replace(m, seconds=0) for m in other]


def test_epochs_taken_up_equal_uninterrupted_ones(particles: Particles) -> None:
    whole, parts = new_state(), new_state()
    trained(particles, whole)
    trained(particles, parts, replace(COURSE, n_epochs=1))
    trained(particles, parts, COURSE, finished=1)
    for name, weights in whole.vae.state_dict().items():
        assert torch.equal(weights, parts.vae.state_dict()[name]), name


def test_rate_of_an_epoch_is_the_courses_wherever_it_is_taken_up(particles: Particles) -> None:
    course = replace(COURSE, rate=lambda epoch: 1e-3 / epoch)
    whole, parts = new_state(), new_state()
    trained(particles, whole, course)
    trained(particles, parts, replace(course, n_epochs=1))
    parts.optimiser.param_groups[0]["lr"] = 5.0
    trained(particles, parts, course, finished=1)
    for name, weights in whole.vae.state_dict().items():
        assert torch.equal(weights, parts.vae.state_dict()[name]), name


def test_ramp_counts_images_of_all_epochs(particles: Particles) -> None:
    ramp = replace(COURSE, beta=lambda seen: seen / 1000)
    metrics, _ = trained(particles, new_state(), ramp)
    assert [record.beta for record in metrics] == [0.04, 0.08, 0.12]


def test_bad_loss_names_epoch_batch_and_images(particles: Particles) -> None:
    # One particle so far off that squares overflow; it is row 61 of the table.
    assert particles.ctf is not None
    images = particles.images.read(np.arange(40))
    images[30] *= np.float32(1e38)
    bad = replace(particles, images=type(particles.images)(images, 4.0))
    state = new_state()
    prepared_set = prepared(particles, state)
    values = prepare_images(bad, prepared_set.images.preparation)
    bad_set = replace(prepared_set, images=run_to_end(values))

    def save(record: EpochMetrics) -> Task[bool]:
        return False
        yield

    with pytest.raises(InputError, match=r"epoch 1, batch \d+, particle rows .*\b61\b.*no epoch"):
        run_to_end(train_epochs(state, bad_set, COURSE, save))


def test_bad_loss_names_the_last_epoch_that_is_kept(particles: Particles) -> None:
    state = new_state()

    def save(record: EpochMetrics) -> Task[bool]:
        if record.epoch == 2:
            with torch.no_grad():
                next(state.vae.parameters()).fill_(torch.nan)
        return record.epoch == 1
        yield

    with pytest.raises(InputError, match=r"in epoch 3, batch 1, .*last good epoch .* is 1\b"):
        run_to_end(train_epochs(state, prepared(particles, state), COURSE, save))
    with pytest.raises(InputError, match=r"in epoch 3, batch 1, .*last good epoch .* is 2\b"):
        run_to_end(train_epochs(state, prepared(particles, state), COURSE, save, finished=2))


def test_latents_are_in_the_order_of_the_set(particles: Particles) -> None:
    state = new_state()
    whole = prepared(particles, state)
    mu, logvar = run_to_end(embed(state.vae, whole))
    few = prepared(particles.at(np.array([8, 2, 30])), state)
    # The normalisation differs with the images; keep that of the whole set.
    few = replace(few, images=replace(few.images, values=whole.images.values[[8, 2, 30]]))
    some_mu, some_logvar = run_to_end(embed(state.vae, few))
    np.testing.assert_allclose(some_mu, mu[[8, 2, 30]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(some_logvar, logvar[[8, 2, 30]], rtol=1e-5, atol=1e-6)


def test_latents_that_are_no_numbers_are_refused(particles: Particles) -> None:
    state = new_state()
    images = prepared(particles, state)
    with torch.no_grad():
        next(state.vae.encoder.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="latents of 40 particles"):
        run_to_end(embed(state.vae, images))


def test_samples_have_the_mean_and_deviation_of_the_latent() -> None:
    mu, logvar = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]])
    z = sample_latent(mu, logvar, torch.randn((100_000, 2), generator=generator(0, "noise")))
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.02, rtol=0)
    torch.testing.assert_close(z.var(0), logvar[0].exp(), atol=0.02, rtol=0)


def test_a_smaller_disc_is_compared_in_the_epochs_that_say_so(particles: Particles) -> None:
    plain, _ = trained(particles, new_state())
    coarse = replace(COURSE, radius=lambda epoch: 4 if epoch == 1 else 8)
    first, _ = trained(particles, new_state(), coarse)
    whole = replace(COURSE, radius=lambda _: 8)
    same, _ = trained(particles, new_state(), whole)
    assert [record.gen_loss for record in same] == [record.gen_loss for record in plain]
    assert first[0].gen_loss != pytest.approx(plain[0].gen_loss, rel=0.05)
