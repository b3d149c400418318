"""Small run folders, written as a training writes them, without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.io.pickles import Latents, write_ctf, write_latents
from napari_cryodrgn.io.run_config import write_run_config
from napari_cryodrgn.model.checkpoint import write_checkpoint
from napari_cryodrgn.model.vae import build_vae
from napari_cryodrgn.particles import CTFParameters
from napari_cryodrgn.run import RunFolder

BOX = 16
MakeRun = Callable[..., RunFolder]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes runs in a temporary folder, by name, epochs, size, latent dimensions …"""

    def make(name: str = "run", **settings: Any) -> RunFolder:
        return write_run(tmp_path / name, **settings)

    return make


def write_run(
    path: Path,
    *,
    epochs: tuple[int, ...] = (1, 2),
    n: int = 40,
    zdim: int = 3,
    pixel_size: float | None = 2.5,
    weights: bool = True,
) -> RunFolder:
    """A run whose weights and latents are random, and whose CTF table says the pixel size."""
    path.mkdir()
    run = RunFolder(path)
    model = ModelConfig(zdim=zdim, enc_layers=1, enc_dim=8, dec_layers=1, dec_dim=8, feat_sigma=0.5)
    ctf = None
    if pixel_size is not None:
        ctf = path / "ctf.pkl"
        # Made for twice the box: the field of view is the same.
        row = [2 * BOX, pixel_size / 2, 15000, 14000, 30, 300, 2.7, 0.1, 0]
        write_ctf(ctf, CTFParameters(np.tile(np.array(row, float), (n, 1))))
    write_run_config(
        run.config,
        RunConfig(
            kind="vae" if zdim else "nn",
            box=BOX,
            model=model,
            norm=(0.0, 3.0),
            ctf=None if ctf is None else str(ctf),
        ),
    )
    rng = np.random.default_rng(0)
    for epoch in epochs:
        if zdim:
            mu = rng.normal(size=(n, zdim)).astype(np.float32)
            write_latents(run.latents(epoch), Latents(mu, np.zeros_like(mu)))
        if weights:
            vae = build_vae(model, BOX, generator=torch.Generator().manual_seed(epoch))
            extra = {} if zdim else {"norm": [0.0, 3.0]}
            write_checkpoint(run.weights(epoch), epoch=epoch, model=vae, extra=extra)
    return run
