"""Checkpoints: round trips, names in the file, disagreement, and files that would run code."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.model.checkpoint import (
    load_model,
    load_model_files,
    read_checkpoint,
    write_checkpoint,
)
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.run import RunFolder

BOX = 16
SMALL = {"enc_layers": 1, "enc_dim": 8, "dec_layers": 1, "dec_dim": 8, "pe_dim": 4}


def small(**settings):
    return ModelConfig(**{"zdim": 2, **SMALL, **settings})


def write_run(folder, config, epochs=(1,), *, kind="vae", norm=(0.0, 2.0), **parts):
    """A run folder with a model of known weights; returns the model of the last epoch."""
    run_config = RunConfig(kind=kind, box=BOX, model=config, norm=norm)
    write_run_config(folder / "config.yaml", run_config)
    for epoch in epochs:
        vae = build_vae(config, BOX, generator=torch.Generator().manual_seed(epoch))
        optimizer = torch.optim.Adam(vae.parameters())
        path = folder / f"weights.{epoch}.pkl"
        write_checkpoint(path, epoch=epoch, model=vae, optimizer=optimizer, extra=parts)
    return vae


def assert_same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize("domain", ["fourier", "hartley"])
@pytest.mark.parametrize("pe_type", ["gaussian", "geom_lowf", "none"])
@pytest.mark.parametrize("zdim", [0, 2])
def test_weights_come_back(tmp_path, zdim, pe_type, domain):
    if zdim and (pe_type, domain) == ("none", "hartley"):
        pytest.skip("there is no such model")
    config = small(zdim=zdim, pe_type=pe_type, domain=domain)
    vae = write_run(tmp_path, config, kind="vae" if zdim else "nn")
    model = load_model(RunFolder(tmp_path))
    assert_same_weights(model.vae, vae)
    assert (model.epoch, model.norm, model.box, model.zdim) == (1, (0.0, 2.0), BOX, zdim)
    assert not model.vae.training
    assert not any(parameter.requires_grad for parameter in model.vae.parameters())


def test_names_in_the_file_are_cryodrgns(tmp_path):
    write_run(tmp_path, small())
    assert set(read_checkpoint(tmp_path / "weights.1.pkl").model_state) == {
        "decoder.rand_freqs",
        *(
            f"{part}.main.{layer}.{kind}"
            for part in ("encoder", "decoder.decoder")
            for layer in ("0", "2.linear", "4")
            for kind in ("weight", "bias")
        ),
    }


@pytest.mark.parametrize(
    ("pe_type", "domain", "prefix"),
    [("gaussian", "fourier", "decoder."), ("none", "fourier", "decoder."), ("none", "hartley", "")],
)
def test_names_of_single_volumes_are_cryodrgns(tmp_path, pe_type, domain, prefix):
    write_run(tmp_path, small(zdim=0, pe_type=pe_type, domain=domain), kind="nn")
    names = set(read_checkpoint(tmp_path / "weights.1.pkl").model_state)
    layers = {
        f"{prefix}main.{layer}.{kind}"
        for layer in ("0", "2.linear", "4")
        for kind in ("weight", "bias")
    }
    assert names == layers | ({"rand_freqs"} if pe_type == "gaussian" else set())


def test_parameters_stand_in_cryodrgns_order(tmp_path):
    """Optimiser states count them: encoder, random frequencies, decoder."""
    vae = build_vae(small(), BOX)
    names = [name for name, _ in vae.named_parameters()]
    assert [name.split(".main")[0] for name in names] == (
        ["encoder"] * 6 + ["decoder.rand_freqs"] + ["decoder.decoder"] * 6
    )


def test_training_state_and_further_parts_come_back(tmp_path):
    vae = build_vae(small(), BOX)
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.3)
    vae.decoder(torch.rand(5, 3), torch.zeros(2)).sum().backward()
    optimizer.step()
    path = tmp_path / "weights.7.pkl"
    extra = {"norm": (0.0, 3.5), "rng": torch.random.get_rng_state(), "images_seen": 12}
    write_checkpoint(path, epoch=7, model=vae, optimizer=optimizer, extra=extra)
    found = read_checkpoint(path)
    assert (found.epoch, found.norm, found.extra["images_seen"]) == (7, (0.0, 3.5), 12)
    assert torch.equal(found.extra["rng"], extra["rng"])
    again = torch.optim.Adam(vae.parameters())
    again.load_state_dict(found.optimizer_state)
    expected = optimizer.state_dict()
    assert again.state_dict()["param_groups"] == expected["param_groups"]
    for number, state in expected["state"].items():
        for name, value in state.items():
            assert torch.equal(again.state_dict()["state"][number][name], value)


def test_wrappers_of_pytorch_leave_no_trace(tmp_path):
    vae = build_vae(small(), BOX)
    content = {
        "epoch": 3,
        "model_state_dict": {
            f"module.{name}".replace("encoder.", "encoder.module."): tensor
            for name, tensor in vae.state_dict().items()
        },
    }
    torch.save(content, tmp_path / "weights.3.pkl")
    write_run_config(tmp_path / "config.yaml", RunConfig(box=BOX, model=small(), norm=(0.0, 1.0)))
    assert_same_weights(load_model(RunFolder(tmp_path)).vae, vae)


def test_auto_decoders_have_latents_but_no_encoder(tmp_path):
    vae = VAE(small(), BOX, with_encoder=False)
    state = {name.removeprefix("decoder."): part for name, part in vae.state_dict().items()}
    torch.save(
        {"epoch": 2, "model_state_dict": state, "norm": [0, 5.0]}, tmp_path / "weights.2.pkl"
    )
    (tmp_path / "config.yaml").write_text(
        "cmd: [train_dec]\ndataset_args: {particles: a.mrcs}\n"
        f"lattice_args: {{D: {BOX + 1}, extent: 0.5, ignore_DC: true}}\n"
        "model_args: {layers: 1, dim: 8, zdim: 2, pe_type: gaussian, pe_dim: 4, feat_sigma: 0.5,\n"
        "  domain: fourier, activation: relu}\n"
    )
    model = load_model(RunFolder(tmp_path))
    assert (model.zdim, model.norm, model.vae.encoder) == (2, (0.0, 5.0), None)
    assert_same_weights(model.vae, vae)


def test_decoders_of_tilt_series_load_without_their_encoder(tmp_path):
    vae = write_run(tmp_path, small())
    path = tmp_path / "weights.1.pkl"
    state = read_checkpoint(path).model_state
    tilt = {
        name.replace("encoder.main", "encoder.encoder1.main", 1): part
        for name, part in state.items()
    }
    torch.save({"epoch": 1, "model_state_dict": tilt}, path)
    model = load_model(RunFolder(tmp_path))
    assert model.vae.encoder is None
    assert_same_weights(model.vae.decoder, vae.decoder)


def test_epochs_are_chosen_by_number_latest_and_final(tmp_path):
    last = write_run(tmp_path, small(), epochs=(1, 2, 10))
    run = RunFolder(tmp_path)
    assert_same_weights(load_model(run).vae, last)
    assert load_model(run).epoch == 10
    assert load_model(run, 2).epoch == 2
    with pytest.raises(InputError, match=r"epoch = 3: .* \(it has 1, 2, 10\)"):
        load_model(run, 3)
    (tmp_path / "weights.10.pkl").rename(tmp_path / "weights.pkl")
    for epoch in (1, 2):
        run.weights(epoch).unlink()
    assert load_model(run).epoch == 10
    run.weights().unlink()
    with pytest.raises(InputError, match="no weights of any epoch"):
        load_model(run)


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path):
    write_run(tmp_path, small())
    path = tmp_path / "weights.1.pkl"
    before = path.read_bytes()
    unsavable = {"handle": (number for number in range(3))}
    with pytest.raises(TypeError):
        write_checkpoint(path, epoch=2, model=build_vae(small(), BOX), extra=unsavable)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["config.yaml", "weights.1.pkl"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_named(tmp_path, monkeypatch):
    real = os.fdopen
    monkeypatch.setattr(
        "napari_cryodrgn.io.atomic.os.fdopen",
        lambda descriptor, mode: (
            os.close(descriptor),
            real(os.open("/dev/full", os.O_RDWR), mode),
        )[1],
    )
    with pytest.raises(InputError, match="no space left"):
        write_checkpoint(tmp_path / "weights.1.pkl", epoch=1, model=build_vae(small(), BOX))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dec_dim": 9}, ["decoder.decoder.main.0.weight", "(8, 26)", "(9, 26)"]),
        ({"zdim": 3}, ["encoder.main.4.weight", "(4, 8)", "(6, 8)"]),
        ({"dec_layers": 2}, ["decoder.decoder.main.4.linear.weight", "missing"]),
        ({"dec_layers": 0}, ["decoder.decoder.main.2"]),
        ({"enc_mask": 4}, ["encoder.main.0.weight", "(8, 196)", "(8, 48)"]),
        ({"pe_type": "geom_lowf"}, ["decoder.rand_freqs", "no place"]),
        ({"domain": "hartley"}, ["decoder.decoder.main.4.weight", "(2, 8)", "(1, 8)"]),
    ],
)
def test_weights_and_configuration_that_disagree_are_named(tmp_path, change, words):
    write_run(tmp_path, small())
    config = RunConfig(box=BOX, model=small(**change), norm=(0.0, 1.0))
    write_run_config(tmp_path / "config.yaml", config)
    with pytest.raises(InputError) as caught:
        load_model(RunFolder(tmp_path))
    for word in ["weights.1.pkl", "config.yaml", *words]:
        assert word in str(caught.value)


def test_a_missing_norm_is_named(tmp_path):
    write_run(tmp_path, small(), norm=None)
    with pytest.raises(InputError, match="norm: the normalisation is missing"):
        load_model(RunFolder(tmp_path))


class Payload:
    """Runs a command when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def hostile_files(folder, mark):
    """Files that would run code, by what they are."""
    state = {"epoch": 1, "model_state_dict": {"w": torch.zeros(2)}, "payload": Payload(mark)}
    torch.save(state, folder / "zip.pkl")
    torch.save(state, folder / "legacy.pkl", _use_new_zipfile_serialization=False)
    torch.save({**state, "payload": np.array([Payload(mark)], dtype=object)}, folder / "array.pkl")
    (folder / "plain.pkl").write_bytes(pickle.dumps(state["payload"]))
    torch.save({**state, "payload": torch.nn.Linear(2, 2)}, folder / "module.pkl")
    return sorted(folder.iterdir())


def test_files_that_would_run_code_are_refused_and_run_nothing(tmp_path):
    folder, mark = tmp_path / "files", tmp_path / "mark"
    folder.mkdir()
    files = hostile_files(folder, mark)
    assert len(files) == 5
    for file in files:
        with pytest.raises(InputError) as caught:
            read_checkpoint(file)
        assert caught.value.file == file
        assert not mark.exists()
    with pytest.raises(InputError, match=r"mkdir: this file could run code and was not loaded"):
        read_checkpoint(folder / "zip.pkl")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    def saved(content):
        torch.save(content, tmp_path / "saved.pkl")
        return (tmp_path / "saved.pkl").read_bytes()

    good = saved({"epoch": 1, "model_state_dict": {"w": torch.arange(1000.0)}})
    contents = {
        "empty": b"",
        "text": b"hello\n",
        "truncated": good[: len(good) // 2],
        "overwritten": good[:100] + b"\xff" * 300 + good[400:],
        "list": saved([1, 2]),
        "no weights": saved({"epoch": 1}),
        "no tensors": saved({"epoch": 1, "model_state_dict": {"w": 1}}),
        "no epoch": saved({"model_state_dict": {"w": torch.zeros(1)}}),
        "norm": saved({"epoch": 1, "model_state_dict": {"w": torch.zeros(1)}, "norm": "x"}),
        "array": pickle.dumps(np.zeros(3), protocol=4),
        "cut within a length": b"\x80\x02X\x05",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value)
    for path in (tmp_path, tmp_path / "missing.pkl"):
        with pytest.raises(InputError, match=r"no such file|is a folder"):
            read_checkpoint(path)


def test_arrays_of_numbers_are_data(tmp_path):
    arrays = {"f": np.arange(3.0), "i": np.arange(3), "b": np.array([True]), "s": np.float32(2)}
    torch.save({"epoch": 1, "model_state_dict": {}, "search_pose": arrays}, tmp_path / "w.pkl")
    found = read_checkpoint(tmp_path / "w.pkl").extra["search_pose"]
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)


@pytest.mark.data
def test_weights_of_the_older_ab_initio_command_load(data_folder):
    folder = data_folder / "cryodrgn-tests"
    checkpoint = read_checkpoint(folder / "het_weights.pkl")
    assert [part.shape for part in checkpoint.extra["search_pose"]] == [(100, 3, 3), (100, 2)]
    model = load_model_files(folder / "het_weights.pkl", folder / "het_config.yaml")
    assert (model.epoch, model.norm, model.box, model.zdim) == (0, (0.0, 94.4266), 64, 8)


def write_abinit(folder, *, latent_freqs=None, box=BOX, **changes):
    """A run of ``cryodrgn abinit``, as far as decoding needs it; returns its model."""
    settings = {
        "resolution": box + 1,
        "z_dim": 2,
        "n_layers": 1,
        "hidden_dim": 8,
        "pe_type": "gaussian",
        "pe_dim": 4,
        "feat_sigma": 0.5,
        "domain": "hartley",
    }
    vae = VAE(small(domain="hartley"), box, with_encoder=False, latent_freqs=latent_freqs)
    state = {
        name.removeprefix("decoder.").replace("decoder.main", "mlp.main"): part
        for name, part in vae.state_dict().items()
    }
    if latent_freqs is not None:
        state["geom_freqs_conf"] = latent_freqs
    content = {
        "epoch": 5,
        "model_state_dict": {f"hypervolume.{name}": part for name, part in state.items()},
        "hypervolume_state_dict": state,
        "hypervolume_params": settings,
        "output_mask_radius": box // 2,
        **changes,
    }
    torch.save({k: v for k, v in content.items() if v != "missing"}, folder / "weights.5.pkl")
    (folder / "config.yaml").write_text(
        "data_norm_mean: 0.0\ndata_norm_std: 4.0\n"
        "dataset_args: {particles: a.mrcs, ctf: null, ind: null, datadir: null}\n"
        "model_args: {zdim: 2, use_conf_encoder: false, pe_type: gaussian, pe_dim: 4,\n"
        "  feat_sigma: 0.5, domain: hartley}\ntraining: {}\n"
    )
    return vae


@pytest.mark.parametrize("latent_freqs", [None, torch.pi * 2.0 ** torch.arange(-4, 0)])
def test_models_of_ab_initio_runs_load(tmp_path, latent_freqs):
    """Their networks are described in the checkpoint, not in the configuration."""
    vae = write_abinit(tmp_path, latent_freqs=latent_freqs)
    model = load_model(RunFolder(tmp_path))
    assert_same_weights(model.vae, vae)
    assert (model.box, model.zdim, model.norm, model.mask_radius) == (BOX, 2, (0.0, 4.0), 8)
    points, z = torch.rand(7, 3) - 0.5, torch.tensor([0.3, -2.0])
    assert torch.equal(model.vae.decoder(points, z), vae.decoder(points, z))
    if latent_freqs is not None:
        phases = z[:, None] * latent_freqs
        encoded = torch.cat((phases.sin(), phases.cos()), dim=1).reshape(-1)
        features = vae.decoder.features(points)
        whole = vae.decoder.decoder(torch.cat((features, encoded.expand(7, -1)), dim=1))
        assert torch.allclose(vae.decoder(points, z), whole[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hypervolume_params": "missing"}, "hypervolume_params"),
        ({"hypervolume_params": {"z_dim": 2}}, "n_layers"),
        ({"hypervolume_params": [1]}, "hypervolume_params"),
        ({"output_mask_radius": "missing"}, "output_mask_radius"),
        ({"hypervolume_state_dict": {}}, "decoder.rand_freqs"),
    ],
)
def test_broken_ab_initio_checkpoints_are_named(tmp_path, change, field):
    write_abinit(tmp_path, **change)
    with pytest.raises(InputError) as caught:
        load_model(RunFolder(tmp_path))
    assert caught.value.field == field
    assert caught.value.file == tmp_path / "weights.5.pkl"
