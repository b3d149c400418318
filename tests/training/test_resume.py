from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig, TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import Latents, write_latents
from napari_cryodrgn.model.checkpoint import read_checkpoint, write_checkpoint
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.resume import last_finished, require_same_options, restore

SHAPE = {"zdim": 2, "enc_dim": 8, "dec_dim": 8, "enc_layers": 1, "dec_layers": 1}


def small_vae(**options: int) -> VAE:
    return build_vae(ModelConfig(**{**SHAPE, **options}), 16)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run, vae = RunFolder(tmp_path), small_vae()
    optimiser = torch.optim.Adam(vae.parameters())
    for epoch in (1, 2):
        write_latents(run.latents(epoch), Latents(np.zeros((3, 2), np.float32), None))
        write_checkpoint(run.weights(epoch), epoch=epoch, model=vae, optimizer=optimiser)
    return run


def test_epoch_without_both_files_is_not_finished(run: RunFolder) -> None:
    assert last_finished(run, 2).epoch == 2
    run.weights(2).unlink()
    assert last_finished(run, 2).epoch == 1
    run.latents(1).unlink()
    point = last_finished(run, 2)
    assert (point.epoch, point.checkpoint) == (0, None)


@pytest.mark.parametrize("which", ["weights", "latents"])
def test_truncated_epoch_is_passed_over_with_a_word(
    run: RunFolder, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    path: Path = getattr(run, which)(2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert last_finished(run, 2).epoch == 1
    assert path.name in caplog.text


def test_run_without_latents_needs_weights_only(run: RunFolder) -> None:
    run.latents(2).unlink()
    assert last_finished(run, 0).epoch == 2


def test_weights_of_another_shape_are_refused(run: RunFolder) -> None:
    checkpoint = read_checkpoint(run.weights(1))
    with pytest.raises(InputError, match=r"weights\.1\.pkl.*size mismatch"):
        restore(small_vae(dec_dim=16), checkpoint, run.weights(1))


def test_missing_optimiser_is_said(run: RunFolder) -> None:
    vae = small_vae()
    write_checkpoint(run.weights(3), epoch=3, model=vae)
    with pytest.raises(InputError, match="optimizer_state_dict"):
        restore(
            vae,
            read_checkpoint(run.weights(3)),
            run.weights(3),
            torch.optim.Adam(vae.parameters()),
        )


def config_of(**options: object) -> TrainingConfig:
    given = {"particles": Path("p.star"), "outdir": Path("o"), **SHAPE, **options}
    return TrainingConfig.model_validate(given)


def recorded_of(config: TrainingConfig) -> RunConfig:
    return RunConfig(
        box=16,
        model=config.model(),
        seed=3,
        norm=(0.0, 2.5),
        training=config.model_dump(mode="json"),
    )


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("lr", 0.5, "--lr"),
        ("batch_size", 7, "--batch-size"),
        ("zdim", 3, "--zdim"),
        ("beta", "a", "--beta"),
        ("seed", 4, "--seed"),
        ("norm", (0.0, 1.0), "--norm"),
        ("invert_data", False, "--uninvert-data"),
        ("amp", False, "--amp"),
        ("enc_mask", 5, "--enc-mask"),
        ("schedule", "fast", "--schedule"),
    ],
)
def test_options_that_change_the_result_must_stay(name: str, value: object, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        require_same_options(config_of(**{name: value}), recorded_of(config_of()))
    assert shown in str(caught.value.field)


def test_options_that_do_not_may_differ() -> None:
    recorded = recorded_of(config_of())
    for free in (
        {"num_epochs": 50},
        {"device": "cpu"},
        {"threads": 1},
        {"checkpoint": 5},
        {"outdir": "elsewhere"},
        {"particles": "moved.star"},
        {"seed": 3, "norm": (0.0, 2.5)},
        {"enc_mask": 8, "pe_dim": 8, "beta": 0.5},  # what empty options stand for
    ):
        require_same_options(config_of(**free), recorded)


def test_run_of_cryodrgn_is_compared_by_what_its_configuration_shows() -> None:
    recorded = recorded_of(config_of(enc_mask=8)).model_copy(update={"training": {}})
    require_same_options(config_of(lr=0.3), recorded)
    with pytest.raises(InputError) as caught:
        require_same_options(config_of(dec_dim=16), recorded)
    assert caught.value.field == "--dec-dim"


def test_runs_from_before_there_were_schedules_have_the_plain_one() -> None:
    recorded = recorded_of(config_of())
    training = {name: value for name, value in recorded.training.items() if name != "schedule"}
    old = recorded.model_copy(update={"training": training})
    require_same_options(config_of(), old)
    with pytest.raises(InputError, match="--schedule"):
        require_same_options(config_of(schedule="fast"), old)
