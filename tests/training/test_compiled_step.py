from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.training import compiled_step
from napari_cryodrgn.training.compiled_step import try_compiled
from napari_cryodrgn.training.data import Batch
from napari_cryodrgn.training.optimiser import build_optimiser
from napari_cryodrgn.training.randomness import generator
from napari_cryodrgn.training.step import (
    ComparedPoints,
    TrainingState,
    compared_points,
    gradient_scaler,
    predict,
    trial_step,
)

Trial = Callable[[TrainingState], None]


@pytest.fixture
def state() -> TrainingState:
    shape = ModelConfig(zdim=2, enc_dim=8, dec_dim=8, enc_layers=1, dec_layers=1, domain="hartley")
    vae = build_vae(shape, 12, generator=generator(5, "weights"))
    scaler = gradient_scaler(torch.device("cpu"), amp=False)
    return TrainingState(vae, build_optimiser(vae, "cryodrgn", lr=1e-3, wd=0), scaler)


@pytest.fixture
def compared(state: TrainingState) -> ComparedPoints:
    return compared_points(state.vae)


@pytest.fixture
def batch(state: TrainingState, compared: ComparedPoints) -> Batch:
    drawn = generator(1, "noise")
    n_points = len(compared.points)
    n_seen = int(torch.count_nonzero(state.vae.encoder_disc))
    rotations = torch.from_numpy(random_rotations(3, np.random.default_rng(0)))
    return Batch(
        torch.randn((3, n_points), generator=drawn),
        torch.randn((3, n_seen), generator=drawn),
        rotations,
        torch.randn((3, n_points), generator=drawn),
    )


def test_the_whole_prediction_can_be_compiled_and_is_the_same(
    state: TrainingState, compared: ComparedPoints, batch: Batch
) -> None:
    """Traced through and through; only the last stage, the machine's code, is left out."""
    traced = torch.compile(predict, fullgraph=True, backend="aot_eager")
    noise = torch.ones(3, 2)
    for each in (noise, None):
        mine, latent = predict(state.vae, compared.points, batch, each, mixed_precision=False)
        other, its_latent = traced(state.vae, compared.points, batch, each, mixed_precision=False)
        torch.testing.assert_close(mine, other)
        torch.testing.assert_close(latent, its_latent)


@pytest.mark.parametrize(("slow", "words"), [(predict, "is not"), ("compiled", "is compiled")])
def test_the_quicker_one_is_taken(
    state: TrainingState, monkeypatch: pytest.MonkeyPatch, slow: object, words: str
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: "compiled")
    now = [0.0]
    monkeypatch.setattr(compiled_step.time, "perf_counter", lambda: now[0])

    def trial(tried: TrainingState) -> None:
        now[0] += 1.0 if tried.predict is slow or tried.predict == slow else 2.0

    found = try_compiled(state, trial)
    assert words in found.words
    assert (found.state is state) == (words == "is not")


def test_what_cannot_be_compiled_stays_as_it_is(
    state: TrainingState,
    compared: ComparedPoints,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_compiler(*_: object) -> None:
        raise OSError("there is no compiler\nat all")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=no_compiler))
    found = try_compiled(state, lambda tried: trial_step(tried, compared, batch, None))
    assert found.state is state
    assert "The step is not compiled: " in found.words
    assert "no compiler" in found.words
    assert "\n" not in found.words


def test_full_memory_is_not_taken_for_a_failure_to_compile(
    state: TrainingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)

    def trial(_: TrainingState) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        try_compiled(state, trial)
