from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
import torch

from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations, random_rotations
from napari_cryodrgn.io.import_particles import read_particles
from napari_cryodrgn.io.mrc import read_volume, write_stack
from napari_cryodrgn.io.pickles import (
    read_ctf,
    read_latents,
    read_poses,
    write_array,
    write_ctf,
    write_poses,
)
from napari_cryodrgn.io.run_config import read_run_config
from napari_cryodrgn.model.checkpoint import load_model, read_checkpoint
from napari_cryodrgn.particles import CTFParameters, Poses
from napari_cryodrgn.progress import run_to_end
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.training.records import TrainingProgress
from napari_cryodrgn.training.source import read_run_source, rows_of
from napari_cryodrgn.workflows import train as train_module
from napari_cryodrgn.workflows.train import train

N_IMAGES, BOX, PIXEL_SIZE = 60, 16, 3.0


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with particles.mrcs, poses.pkl, ctf.pkl, and particles.star that says it all."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "inputs"
    folder.mkdir()
    images = rng.normal(0, 1, (N_IMAGES, BOX, BOX)).astype(np.float32)
    images[: N_IMAGES // 2, 6:10, 6:10] += 2
    write_stack(folder / "particles.mrcs", images, PIXEL_SIZE)
    rotations = random_rotations(N_IMAGES, rng)
    shifts = rng.uniform(-0.05, 0.05, (N_IMAGES, 2)).astype(np.float32)
    write_poses(folder / "poses.pkl", Poses(rotations, shifts))
    defocus = rng.uniform(8000, 20000, N_IMAGES)
    optics = np.array([300, 2.7, 0.1, 0.0])
    rows = [[BOX, PIXEL_SIZE, d, d, 0, *optics] for d in defocus]
    write_ctf(folder / "ctf.pkl", CTFParameters(np.array(rows)))
    rot, tilt, psi = euler_from_rotations(rotations)
    particles = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1}@particles.mrcs" for i in range(N_IMAGES)],
            "rlnAngleRot": rot,
            "rlnAngleTilt": tilt,
            "rlnAnglePsi": psi,
            "rlnOriginXAngst": shifts[:, 0] * BOX * PIXEL_SIZE,
            "rlnOriginYAngst": shifts[:, 1] * BOX * PIXEL_SIZE,
            "rlnDefocusU": defocus,
            "rlnDefocusV": defocus,
            "rlnDefocusAngle": 0.0,
            "rlnPhaseShift": 0.0,
            "rlnOpticsGroup": 1,
        }
    )
    groups = pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnVoltage": [300.0],
            "rlnSphericalAberration": [2.7],
            "rlnAmplitudeContrast": [0.1],
            "rlnImagePixelSize": [PIXEL_SIZE],
            "rlnImageSize": [BOX],
            "rlnImageDimensionality": [2],
        }
    )
    starfile.write({"optics": groups, "particles": particles}, folder / "particles.star")
    return folder


def config_for(inputs: Path, out: str | Path = "run", **options: object) -> TrainingConfig:
    given = {
        "particles": inputs / "particles.mrcs",
        "poses": inputs / "poses.pkl",
        "ctf": inputs / "ctf.pkl",
        "outdir": inputs.parent / out,
        "zdim": 2,
        "enc_dim": 16,
        "enc_layers": 1,
        "dec_dim": 16,
        "dec_layers": 1,
        "num_epochs": 3,
        "batch_size": 16,
        "lr": 1e-3,
        "seed": 11,
        "device": "cpu",
        "threads": 1,
    }
    return TrainingConfig.model_validate({**given, **options})


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def assert_same_results(one: RunFolder, other: RunFolder, epoch: int) -> None:
    """Weights, optimiser, latents and metrics agree to the last bit."""
    first, second = (read_checkpoint(run.weights(epoch)) for run in (one, other))
    assert first.epoch == second.epoch == epoch
    assert first.model_state.keys() == second.model_state.keys()
    for name, weights in first.model_state.items():
        assert torch.equal(weights, second.model_state[name]), name
    assert str(first.optimizer_state) == str(second.optimizer_state)
    if one.latents(epoch).exists():
        assert one.latents(epoch).read_bytes() == other.latents(epoch).read_bytes()
    metrics = [
        [dataclasses.replace(record, seconds=0) for record in read_metrics(run.metrics)]
        for run in (one, other)
    ]
    assert metrics[0] == metrics[1]


def stop_in_epoch(config: TrainingConfig, epoch: int) -> None:
    """Train, and close the generator at the first report of steps in that epoch."""
    task = train(config)
    for record in task:
        assert isinstance(record, TrainingProgress)
        if record.epoch == epoch and record.phase == "training":
            break
    task.close()


def test_run_is_laid_out_as_cryodrgn_does(inputs: Path) -> None:
    records: list[TrainingProgress] = []
    task = train(config_for(inputs))
    try:
        while True:
            record = next(task)
            assert isinstance(record, TrainingProgress)
            records.append(record)
    except StopIteration as stop:
        run = stop.value
    assert files_below(run.path) == {
        "config.yaml",
        "run.log",
        "weights.pkl",
        "z.pkl",
        *(f"{stem}.{epoch}.pkl" for stem in ("weights", "z") for epoch in (1, 2, 3)),
        "napari-cryodrgn/metrics.jsonl",
        "napari-cryodrgn/particles.json",
        "napari-cryodrgn/training.json",
    }
    assert run.latents().read_bytes() == run.latents(3).read_bytes()
    assert run.weights().read_bytes() == run.weights(3).read_bytes()
    latents = read_latents(run.latents(3))
    assert latents.mu.shape == (N_IMAGES, 2)
    assert latents.logvar is not None

    config = read_run_config(run.config)
    assert (config.kind, config.box, config.seed) == ("vae", BOX, 11)
    assert config.norm is not None
    assert (config.poses, config.ctf) == (str(inputs / "poses.pkl"), str(inputs / "ctf.pkl"))
    source = read_run_source(run.source)
    assert (source.n_particles, source.pixel_size) == (N_IMAGES, PIXEL_SIZE)
    assert [record.finished_epoch for record in records if record.finished_epoch] == [1, 2, 3]
    assert [record.epoch for record in read_metrics(run.metrics)] == [1, 2, 3]
    assert {record.phase for record in records} == {"preparing", "training", "embedding"}
    log = run.log.read_text()
    assert log.count("=====> Epoch:") == 3
    assert "total loss = " in log


def test_latents_of_the_last_epoch_are_those_of_its_weights(inputs: Path) -> None:
    run = run_to_end(train(config_for(inputs)))
    loaded = load_model(run, 3)
    from napari_cryodrgn.imaging.ctf import ctf_2d
    from napari_cryodrgn.imaging.prepare import to_hartley, window_mask
    from napari_cryodrgn.imaging.shift import shift_hartley, shifts_in_pixels

    particles = read_particles(
        inputs / "particles.mrcs", poses=inputs / "poses.pkl", ctf=inputs / "ctf.pkl"
    )
    assert particles.poses is not None
    assert particles.ctf is not None
    lattice = loaded.vae.lattice
    images = torch.from_numpy(particles.images.read(np.arange(N_IMAGES)))
    transforms = to_hartley(images, invert=True, window=window_mask(BOX, 0.85)) / loaded.norm[1]
    shifts = shifts_in_pixels(torch.from_numpy(particles.poses.shifts), BOX)
    centred = shift_hartley(transforms.flatten(1), shifts, lattice)
    parameters = torch.from_numpy(particles.ctf.table[:, 1:]).float()
    flipped = centred * ctf_2d(lattice.frequencies(PIXEL_SIZE), parameters).sign()
    with torch.no_grad():
        mu, _ = loaded.vae.encode(flipped[:, loaded.vae.encoder_disc])
    np.testing.assert_allclose(mu.numpy(), read_latents(run.latents(3)).mu, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_stopped_training_resumes_to_the_same_bits(inputs: Path, epoch: int) -> None:
    whole = run_to_end(train(config_for(inputs, "whole")))
    config = config_for(inputs, "stopped")
    stop_in_epoch(config, epoch)
    run = RunFolder(config.outdir)
    assert not run.lock.exists()
    assert run.weight_epochs() == run.latent_epochs() == list(range(1, epoch))
    assert "Stopped on request" in run.log.read_text()
    # The seed need not be given again.
    run_to_end(train(config.model_copy(update={"load": "latest", "seed": None})))
    assert_same_results(whole, run, 3)
    assert run.log.read_text().count("=====> Epoch:") == 3
    assert run.weights().read_bytes() == run.weights(3).read_bytes()


def test_more_epochs_do_not_go_back_to_low_frequencies(inputs: Path) -> None:
    run_to_end(train(config_for(inputs, num_epochs=2, schedule="fast")))
    run = run_to_end(train(config_for(inputs, num_epochs=8, schedule="fast", load="latest")))
    records = read_metrics(run.metrics)
    assert [record.epoch for record in records] == list(range(1, 9))
    assert all(record.radius is None for record in records[1:])
    assert run.log.read_text().count("Low frequencies first") == 1  # of the first two


def test_finished_run_can_be_made_longer(inputs: Path) -> None:
    whole = run_to_end(train(config_for(inputs, "whole", num_epochs=4)))
    run_to_end(train(config_for(inputs, "longer", num_epochs=2)))
    run = run_to_end(train(config_for(inputs, "longer", num_epochs=4, load="latest")))
    assert_same_results(whole, run, 4)
    assert read_run_config(run.config).training["num_epochs"] == 4
    assert run.latents().read_bytes() == run.latents(4).read_bytes()


def test_finished_run_gets_its_final_files_again(inputs: Path) -> None:
    run = run_to_end(train(config_for(inputs)))
    run.weights().unlink()
    run.latents().unlink()
    run_to_end(train(config_for(inputs, load="latest")))
    assert run.weights().read_bytes() == run.weights(3).read_bytes()
    assert run.latents().exists()


def test_fewer_checkpoints_change_nothing_else(inputs: Path) -> None:
    whole = run_to_end(train(config_for(inputs, "whole", num_epochs=5)))
    config = config_for(inputs, "sparse", num_epochs=5, checkpoint=2)
    stop_in_epoch(config, 4)
    run = RunFolder(config.outdir)
    assert run.weight_epochs() == [2]
    run_to_end(train(config.model_copy(update={"load": "latest"})))
    assert run.weight_epochs() == [2, 4, 5]
    assert_same_results(whole, run, 5)


def test_star_file_brings_its_own_and_leaves_them_for_cryodrgn(inputs: Path) -> None:
    pickled = run_to_end(train(config_for(inputs, "pickled")))
    star = config_for(inputs, "star", particles=inputs / "particles.star", poses=None, ctf=None)
    run = run_to_end(train(star))
    config = read_run_config(run.config)
    assert (config.poses, config.ctf) == (str(run.path / "poses.pkl"), str(run.path / "ctf.pkl"))
    expected = read_poses(inputs / "poses.pkl")
    np.testing.assert_allclose(
        read_poses(run.path / "poses.pkl").rotations, expected.rotations, atol=1e-5
    )
    np.testing.assert_allclose(
        read_poses(run.path / "poses.pkl").shifts, expected.shifts, atol=1e-5
    )
    np.testing.assert_allclose(
        read_ctf(run.path / "ctf.pkl").table, read_ctf(inputs / "ctf.pkl").table, rtol=1e-5
    )
    losses = [read_metrics(each.metrics)[-1].loss for each in (pickled, run)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_chosen_rows_are_recorded_and_tables_kept_whole(inputs: Path) -> None:
    chosen = np.array([50, 3, 17, 8, 59, 0, 22, 31])
    write_array(inputs / "ind.pkl", chosen)
    star = config_for(
        inputs, particles=inputs / "particles.star", poses=None, ctf=None, ind=inputs / "ind.pkl"
    )
    run = run_to_end(train(star))
    assert (
        len(read_poses(run.path / "poses.pkl")) == len(read_ctf(run.path / "ctf.pkl")) == N_IMAGES
    )
    assert read_latents(run.latents(3)).mu.shape == (8, 2)
    rows = rows_of(read_run_source(run.source), run.own)
    assert rows.rows.tolist() == chosen.tolist()
    assert rows.n_source == N_IMAGES
    config = read_run_config(run.config)
    assert config.ind == str(inputs / "ind.pkl")
    # What the configuration names reads back as the particles trained on.
    again = read_particles(config.particles, poses=config.poses, ctf=config.ctf, ind=config.ind)
    assert again.rows == rows


def test_without_latents_a_volume_is_written(inputs: Path) -> None:
    run = run_to_end(train(config_for(inputs, zdim=0, num_epochs=2)))
    assert read_run_config(run.config).kind == "nn"
    assert run.weight_epochs() == [1, 2]
    assert run.latent_epochs() == []
    assert not run.latents().exists()
    checkpoint = read_checkpoint(run.weights(2))
    assert checkpoint.norm == pytest.approx(read_run_config(run.config).norm)
    assert {name.split(".")[0] for name in checkpoint.model_state} == {"decoder", "rand_freqs"}
    volume = read_volume(run.reconstruction(2))
    assert volume.data.shape == (BOX,) * 3
    assert volume.pixel_size == pytest.approx((PIXEL_SIZE,) * 3)
    again = run_to_end(train(config_for(inputs, zdim=0, num_epochs=3, load="latest")))
    assert_same_results(run_to_end(train(config_for(inputs, "whole", zdim=0))), again, 3)


def test_weights_of_another_run_can_be_started_from(inputs: Path) -> None:
    first = run_to_end(train(config_for(inputs, "first")))
    config = config_for(inputs, "second", load=str(first.weights(2)), seed=12)
    stop_in_epoch(config, 1)
    run = run_to_end(train(config.model_copy(update={"load": "latest"})))
    uninterrupted = run_to_end(train(config.model_copy(update={"outdir": inputs.parent / "third"})))
    assert_same_results(uninterrupted, run, 3)
    assert read_metrics(run.metrics)[0].loss < read_metrics(first.metrics)[0].loss
    frequencies = [
        read_checkpoint(each.weights(3)).model_state["decoder.rand_freqs"] for each in (first, run)
    ]
    assert torch.equal(*frequencies)


def test_seed_is_drawn_and_written_down(inputs: Path) -> None:
    run = run_to_end(train(config_for(inputs, "drawn", seed=None, num_epochs=1)))
    seed = read_run_config(run.config).seed
    assert seed is not None
    again = run_to_end(train(config_for(inputs, "again", seed=seed, num_epochs=1)))
    assert_same_results(run, again, 1)


def test_reports_come_often_enough(inputs: Path) -> None:
    run_to_end(train(config_for(inputs, "warm-up", num_epochs=1)))
    last, gaps = time.monotonic(), []
    for _ in train(config_for(inputs)):
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert max(gaps) < 1.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"poses": None}, "no poses"),
        ({"particles": "none.mrcs"}, "none.mrcs"),
        ({"enc_mask": 40, "pe_type": "linear_lowf", "pe_dim": 3}, "pe_dim"),
        ({"norm": (0.0, 0.0)}, "--norm"),
        ({"load": "latest"}, "no run to continue"),
        ({"load": "none.pkl"}, r"none\.pkl"),
    ],
)
def test_bad_input_writes_nothing(inputs: Path, options: dict[str, object], said: str) -> None:
    config = config_for(inputs, Path("new") / "run", **options)
    before = files_below(inputs.parent)
    with pytest.raises(InputError, match=said):
        run_to_end(train(config))
    assert files_below(inputs.parent) == before
    assert not config.outdir.parent.exists()


def test_bad_pixels_write_nothing(inputs: Path) -> None:
    images = np.random.default_rng(0).normal(size=(N_IMAGES, BOX, BOX)).astype(np.float32)
    images[41, 2, 3] = np.nan
    write_stack(inputs / "particles.mrcs", images, PIXEL_SIZE)
    with pytest.raises(InputError, match="NaN"):
        run_to_end(train(config_for(inputs)))
    assert not (inputs.parent / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_gpu_writes_nothing(inputs: Path) -> None:
    with pytest.raises(InputError, match="--device = cuda"):
        run_to_end(train(config_for(inputs, device="cuda")))
    assert not (inputs.parent / "run").exists()


def test_folder_of_another_run_is_left_alone(inputs: Path) -> None:
    run = run_to_end(train(config_for(inputs)))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="already holds a run"):
        run_to_end(train(config_for(inputs)))
    with pytest.raises(InputError, match="--lr"):
        run_to_end(train(config_for(inputs, load="latest", lr=0.5)))
    write_array(inputs / "ind.pkl", np.arange(10))
    with pytest.raises(InputError, match="--ind"):
        run_to_end(train(config_for(inputs, load="latest", ind=inputs / "ind.pkl")))
    with pytest.raises(InputError, match="3 epochs already"):
        run_to_end(train(config_for(inputs, load="latest", num_epochs=2)))
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_file_in_place_of_the_folder_is_refused(inputs: Path) -> None:
    (inputs.parent / "run").write_text("mine")
    with pytest.raises(InputError, match="a file, not a folder"):
        run_to_end(train(config_for(inputs)))
    assert (inputs.parent / "run").read_text() == "mine"


def test_folder_is_locked_while_it_trains(inputs: Path) -> None:
    config = config_for(inputs)
    task = train(config)
    while not isinstance(record := next(task), TrainingProgress) or record.epoch < 2:
        pass
    assert json.loads(RunFolder(config.outdir).lock.read_text())["pid"]
    with pytest.raises(InputError, match="under way"):
        run_to_end(train(config.model_copy(update={"load": "latest"})))
    task.close()
    run_to_end(train(config.model_copy(update={"load": "latest"})))


def test_full_disk_at_the_start_leaves_nothing(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise InputError("there is no space left on this disk; nothing was written")

    monkeypatch.setattr("napari_cryodrgn.workflows.train_files.write_run_config", full)
    with pytest.raises(InputError, match="no space"):
        run_to_end(train(config_for(inputs, particles=inputs / "particles.star", poses=None)))
    assert not (inputs.parent / "run").exists()


def test_full_disk_later_leaves_a_run_that_goes_on(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_to_end(train(config_for(inputs, "whole")))
    write = train_module.write_checkpoint

    def full(path: Path, *, epoch: int, **content: object) -> None:
        if epoch == 2:
            raise InputError("there is no space left on this disk; nothing was written")
        write(path, epoch=epoch, **content)  # type: ignore[arg-type]

    monkeypatch.setattr(train_module, "write_checkpoint", full)
    with pytest.raises(InputError, match="no space"):
        run_to_end(train(config_for(inputs)))
    run = RunFolder(inputs.parent / "run")
    assert run.weight_epochs() == [1]
    assert "Failed: " in run.log.read_text()
    monkeypatch.undo()
    run_to_end(train(config_for(inputs, load="latest")))
    assert_same_results(whole, run, 3)


def test_moved_particles_are_recognised(inputs: Path) -> None:
    stop_in_epoch(config_for(inputs), 2)
    moved = inputs.rename(inputs.parent / "moved")
    config = config_for(moved, load="latest")
    run = run_to_end(train(config))
    assert read_run_config(run.config).particles == str(moved / "particles.mrcs")


def test_fast_schedule_goes_on_as_if_it_had_never_stopped(inputs: Path) -> None:
    whole = run_to_end(train(config_for(inputs, "whole", schedule="fast", num_epochs=6)))
    stop_in_epoch(config_for(inputs, "parts", schedule="fast", num_epochs=6), 5)
    later = {"schedule": "fast", "num_epochs": 6, "load": "latest", "threads": 2}
    parts = run_to_end(train(config_for(inputs, "parts", **later)))
    assert_same_results(whole, parts, 6)
    plain = run_to_end(train(config_for(inputs, "plain", num_epochs=6)))
    rates = [
        read_checkpoint(run.weights(6)).optimizer_state["param_groups"][0]["lr"]
        for run in (whole, plain)
    ]
    assert rates[0] < rates[1] == 1e-3
    with pytest.raises(InputError, match="--schedule"):
        run_to_end(train(config_for(inputs, "plain", schedule="fast", load="latest")))


def test_log_says_when_more_epochs_hardly_pay(inputs: Path) -> None:
    # A step too small to change anything: flat from the beginning.
    run = run_to_end(train(config_for(inputs, lr=1e-12, num_epochs=7)))
    told = [line for line in run.log.read_text().splitlines() if "hardly better" in line]
    assert told
    assert len(read_metrics(run.metrics)) == 7
