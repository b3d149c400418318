"""``config.yaml`` of every version, and the one we write."""

from __future__ import annotations

import pytest
import yaml

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.run_config import read_run_config, write_run_config


@pytest.mark.parametrize("kind", ["vae", "nn"])
def test_what_is_written_is_read_back(tmp_path, kind):
    # Encoder options mean nothing to a run without latents, and are not kept.
    model = ModelConfig(zdim=3, enc_dim=64, dec_dim=32, enc_mask=16, domain="hartley")
    if kind == "nn":
        model = ModelConfig(zdim=0, dec_dim=32, domain="hartley")
    config = RunConfig(
        kind=kind,
        version="4.3.1",
        seed=7,
        box=32,
        model=model,
        norm=(0.0, 12.5),
        particles="/data/particles.star",
        poses="/data/poses.pkl",
        invert_data=False,
        training={"lr": 1e-4, "epochs": 3},
    )
    write_run_config(tmp_path / "config.yaml", config)
    assert read_run_config(tmp_path / "config.yaml") == config


def test_the_lattice_is_one_larger_than_the_box(tmp_path):
    write_run_config(tmp_path / "c.yaml", RunConfig(box=64, model=ModelConfig()))
    assert yaml.safe_load((tmp_path / "c.yaml").read_text())["lattice_args"]["D"] == 65


@pytest.mark.data
def test_configurations_written_by_others(data_folder):
    old = read_run_config(data_folder / "cryodrgn-tests" / "het_config.yaml")
    assert (old.box, old.model.zdim, old.model.domain, old.norm) == (64, 8, "hartley", (0, 94.4266))
    new = read_run_config(data_folder / "cftr-cryodrgn-demo" / "train" / "config.yaml")
    assert (new.box, new.model.enc_dim, new.version) == (64, 128, "4.3.0")
    assert new.particles is not None
    assert new.particles.startswith("C:\\")


def test_versions_before_gaussian_features_have_none(tmp_path):
    path = tmp_path / "config.yaml"
    content = {
        "dataset_args": {},
        "lattice_args": {"D": 33},
        "model_args": {
            "qlayers": 1,
            "qdim": 8,
            "players": 1,
            "pdim": 8,
            "zdim": 2,
            "pe_type": "geom_lowf",
        },
    }
    path.write_text(yaml.safe_dump(content))
    config = read_run_config(path)
    assert config.model.feat_sigma is None
    assert config.model.activation == "relu"


def test_an_abinit_run_is_recognised_by_its_norm(tmp_path):
    path = tmp_path / "config.yaml"
    content = {
        "dataset_args": {"particles": "p.mrcs"},
        "model_args": {"zdim": 4, "pe_type": "gaussian", "domain": "hartley"},
        "data_norm_mean": 0.0,
        "data_norm_std": 2.0,
    }
    path.write_text(yaml.safe_dump(content))
    config = read_run_config(path)
    assert (config.kind, config.norm, config.box) == ("abinit", (0.0, 2.0), 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_args: [", "no readable YAML"),
        ("- 1\n- 2", "holds no settings"),
        ("dataset_args: {}", "model_args: this section is missing"),
        ("!!python/object/apply:os.system ['true']", "no readable YAML"),
        (
            "dataset_args: {}\nmodel_args: {qlayers: 1, players: 1, qdim: 8, pdim: 8, zdim: 2}",
            "lattice_args: this section is missing",
        ),
        (
            "dataset_args: {}\nlattice_args: {D: 33}\n"
            "model_args: {qlayers: 1, players: 1, qdim: 8, pdim: 8, zdim: -2}",
            "zdim = -2",
        ),
        (
            "dataset_args: {}\nlattice_args: {D: many}\n"
            "model_args: {qlayers: 1, players: 1, qdim: 8, pdim: 8, zdim: 2}",
            "lattice_args.D = many",
        ),
    ],
)
def test_broken_configurations_are_refused_by_field(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_run_config(path)
    assert caught.value.file == path
