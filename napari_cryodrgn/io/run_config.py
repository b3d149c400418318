"""``config.yaml``: read in every version of cryoDRGN, written in its newest layout."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pydantic
import yaml

from napari_cryodrgn import __version__
from napari_cryodrgn.config import ModelConfig, RunConfig, RunKind
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.atomic import write_text
from napari_cryodrgn.io.safe_yaml import read_yaml
from napari_cryodrgn.run import require_yaml

FORMAT_VERSION = "4.3.1"


def read_run_config(path: str | Path) -> RunConfig:
    """Read a run's configuration.

    Parameters
    ----------
    path : path-like
        A ``config.yaml`` of cryoDRGN, any version that has one, or of ours.

    Returns
    -------
    RunConfig

    Raises
    ------
    InputError
        Where the file is missing, is no YAML mapping, or a value is unusable.
    """
    path = Path(path)
    require_yaml(path)
    content = _read_yaml(path)
    kind = _kind(content, path)
    dataset = _section(content, "dataset_args", path)
    model = _section(content, "model_args", path)
    try:
        return RunConfig(
            kind=kind,
            version=str(content.get("version", "")),
            seed=content.get("seed"),
            cmd=_words(content.get("cmd"), path),
            box=_box(content, kind, path),
            model=_model(model, kind),
            norm=_norm(content, dataset),
            particles=dataset.get("particles"),
            poses=dataset.get("poses"),
            ctf=dataset.get("ctf"),
            ind=dataset.get("ind"),
            datadir=dataset.get("datadir"),
            invert_data=dataset.get("invert_data", True),
            window=dataset.get("window", True),
            window_r=dataset.get("window_r", 0.85),
            refines_poses=bool(dataset.get("do_pose_sgd")),
            tilt_series=model.get("encode_mode") == "tilt" or bool(dataset.get("ntilts")),
            training=content.get("training") or {},
        )
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            first["msg"],
            file=path,
            field=".".join(map(str, first["loc"])),
            value=first["input"],
        ) from error
    except KeyError as error:
        raise InputError("this key is missing", file=path, field=str(error.args[0])) from error


def write_run_config(path: str | Path, config: RunConfig) -> None:
    """Write a run's configuration as cryoDRGN lays it out.

    Parameters
    ----------
    path : path-like
        File to write, whole or not at all.
    config : RunConfig
        A run of kind "vae" or "nn".
    """
    dataset: dict[str, Any] = {
        "particles": config.particles,
        "norm": None if config.norm is None else list(config.norm),
        "invert_data": config.invert_data,
        "ind": config.ind,
        "keepreal": False,
        "window": config.window,
        "window_r": config.window_r,
        "datadir": config.datadir,
        "ctf": config.ctf,
        "poses": config.poses,
        "do_pose_sgd": config.refines_poses,
    }
    content = {
        "cmd": config.cmd,
        "dataset_args": dataset,
        "lattice_args": {"D": config.box + 1, "extent": 0.5, "ignore_DC": True},
        "model_args": _model_args(config),
        "seed": config.seed,
        "software": f"napari-cryodrgn {__version__}",
        "time": datetime.datetime.now(),
        "training": config.training,
        "version": FORMAT_VERSION,
    }
    write_text(path, yaml.safe_dump(content, sort_keys=True))


def _model_args(config: RunConfig) -> dict[str, Any]:
    model = config.model
    shared = {
        "pe_type": model.pe_type,
        "feat_sigma": model.feat_sigma,
        "pe_dim": model.pe_dim,
        "domain": model.domain,
        "activation": model.activation,
    }
    if config.kind == "nn":
        return {"layers": model.dec_layers, "dim": model.dec_dim, **shared}
    return {
        "qlayers": model.enc_layers,
        "qdim": model.enc_dim,
        "players": model.dec_layers,
        "pdim": model.dec_dim,
        "zdim": model.zdim,
        "encode_mode": model.encode_mode,
        "enc_mask": config.box // 2 if model.enc_mask is None else model.enc_mask,
        "tilt_params": {"tdim": 1024, "tlayers": 3, "t_emb_dim": 64, "ntilts": 10},
        **shared,
    }


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError("this YAML holds no settings", file=path)
    return content


def _section(content: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    section = content.get(key)
    if not isinstance(section, dict):
        raise InputError("this section is missing", file=path, field=key)
    return section


def _words(found: object, path: Path) -> list[str]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise InputError("this must be a list", file=path, field="cmd")
    return [str(word) for word in found]


def _kind(content: dict[str, Any], path: Path) -> RunKind:
    if "data_norm_mean" in content:
        return "abinit"
    model = _section(content, "model_args", path)
    if "qdim" in model:
        return "vae"
    return "dec" if model.get("zdim") else "nn"


def _box(content: dict[str, Any], kind: RunKind, path: Path) -> int:
    if kind == "abinit" and "lattice_args" not in content:
        return 0
    lattice = _section(content, "lattice_args", path)
    side = lattice["D"]
    if not isinstance(side, int) or isinstance(side, bool) or side < 3:
        raise InputError(
            "this is no lattice size (the box plus one)",
            file=path,
            field="lattice_args.D",
            value=side,
        )
    return side - 1


def _norm(content: dict[str, Any], dataset: dict[str, Any]) -> Any:
    if "data_norm_mean" in content:
        return content["data_norm_mean"], content["data_norm_std"]
    return dataset.get("norm")


def _model(args: dict[str, Any], kind: RunKind) -> ModelConfig:
    shared = {
        "pe_type": args.get("pe_type", "gaussian"),
        "pe_dim": args.get("pe_dim"),
        # Versions 0 and 1 wrote neither: they had no Gaussian features, and ReLU.
        "feat_sigma": args.get("feat_sigma"),
        "domain": args.get("domain", "fourier"),
        "activation": args.get("activation", "relu"),
        "zdim": args.get("zdim") or 0,
    }
    if kind == "vae":
        mode = args.get("encode_mode", "resid")
        return ModelConfig(
            enc_layers=args["qlayers"],
            enc_dim=args["qdim"],
            dec_layers=args["players"],
            dec_dim=args["pdim"],
            enc_mask=args.get("enc_mask"),
            encode_mode="resid" if mode == "tilt" else mode,
            **shared,
        )
    if kind == "abinit":
        return ModelConfig(**shared)
    return ModelConfig(dec_layers=args["layers"], dec_dim=args["dim"], **shared)
