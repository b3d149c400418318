"""Small models with known weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from napari_cryodrgn.config import ModelConfig, RunConfig
from napari_cryodrgn.model.loaded import LoadedModel
from napari_cryodrgn.model.vae import build_vae


@pytest.fixture
def make_model() -> Callable[..., LoadedModel]:
    """Makes an untrained model, by box, norm, epoch and settings of the network."""

    def make(box=16, norm=(0.0, 50.0), epoch=1, **settings) -> LoadedModel:
        settings = {"zdim": 2, "enc_dim": 4, "dec_layers": 2, "dec_dim": 24, **settings}
        config = ModelConfig(**settings)
        vae = build_vae(config, box, generator=torch.Generator().manual_seed(3))
        # The bias of an untrained network alone would make a volume of one bright voxel.
        with torch.no_grad():
            vae.decoder.decoder.main[-1].weight.mul_(20)
        run_config = RunConfig(box=box, model=config, norm=norm)
        return LoadedModel(vae.eval().requires_grad_(False), run_config, epoch, norm)

    return make
