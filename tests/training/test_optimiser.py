from __future__ import annotations

import math
import os
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from napari_cryodrgn.config import ModelConfig
from napari_cryodrgn.model.vae import VAE, build_vae
from napari_cryodrgn.training.muon import (
    STEP,
    AdamWithMuon,
    Muon,
    inner_matrices,
    orthogonalised,
)
from napari_cryodrgn.training.optimiser import build_optimiser, import_triton_apart
from napari_cryodrgn.training.randomness import generator


@pytest.fixture
def vae() -> VAE:
    shape = {"zdim": 2, "enc_dim": 32, "dec_dim": 32, "enc_layers": 1, "dec_layers": 2}
    return build_vae(ModelConfig(**shape), 16, generator=generator(5, "weights"))


def give_gradients(vae: VAE, seed: int) -> None:
    for number, parameter in enumerate(vae.parameters()):
        if parameter.requires_grad:
            drawn = torch.randn(parameter.shape, generator=generator(seed, "noise", number))
            parameter.grad = drawn


def test_plain_adam_with_the_given_rates(vae: VAE) -> None:
    optimiser = build_optimiser(vae, "cryodrgn", lr=0.01, wd=0.1)
    assert type(optimiser) is torch.optim.Adam
    group = optimiser.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.01, 0.1)


def test_all_matrices_but_the_last_of_each_network(vae: VAE) -> None:
    names = {id(parameter): name for name, parameter in vae.named_parameters()}
    assert [names[id(matrix)] for matrix in inner_matrices(vae)] == [
        "encoder.main.0.weight",
        "encoder.main.2.linear.weight",
        "decoder.decoder.main.0.weight",
        "decoder.decoder.main.2.linear.weight",
        "decoder.decoder.main.4.linear.weight",
    ]


def test_matrices_step_alike_in_all_directions_and_the_rest_as_with_adam(vae: VAE) -> None:
    before = {name: value.detach().clone() for name, value in vae.named_parameters()}
    optimiser = build_optimiser(vae, "fast", lr=0.01, wd=0)
    give_gradients(vae, 1)
    optimiser.step()
    inner = {id(matrix) for matrix in inner_matrices(vae)}
    for name, parameter in vae.named_parameters():
        change = (parameter - before[name]).detach()
        if id(parameter) in inner:
            length = STEP * 0.01 * 0.2 * max(change.shape) ** 0.5
            stretch = torch.linalg.svdvals(change) / length
            assert (stretch > 0.4).float().mean() > 0.9  # small ones need more iterations
            assert stretch.max() < 1.6
        elif parameter.requires_grad:
            # The first step of Adam is as long as the rate, whatever the gradient.
            torch.testing.assert_close(
                change.abs(), torch.full_like(change, 0.01), rtol=1e-3, atol=0
            )
        else:
            assert not change.any()


@pytest.mark.parametrize("shape", [(20, 90), (90, 20), (40, 40)])
@pytest.mark.parametrize("smallest", [0.5, 1e-3])
def test_orthogonalised_keeps_directions_and_evens_lengths(
    shape: tuple[int, int], smallest: float
) -> None:
    drawn = torch.randn(shape, generator=generator(3, "noise"))
    left, _, right = torch.linalg.svd(drawn, full_matrices=False)
    matrix = 7.0 * (left * torch.logspace(0, math.log10(smallest), min(shape))) @ right
    turned = left.t() @ orthogonalised(matrix) @ right.t()
    lengths = turned.diagonal()
    large = lengths[torch.logspace(0, math.log10(smallest), min(shape)) > 0.02]
    assert large.min() > 0.65
    assert lengths.max() < 1.25
    assert (turned - lengths.diag()).abs().max() < 1e-3


def test_nothing_is_a_direction_of_no_gradient() -> None:
    assert not orthogonalised(torch.zeros(3, 5)).any()


def test_steps_are_those_of_torch() -> None:
    """Which computes in bfloat16, so that they are alike to some hundredths of a step."""
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in ((6, 30), (16, 16), (30, 6))]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    first = [matrix.detach().clone() for matrix in ours]
    one = Muon(ours, lr=0.02, wd=0.1)
    other = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape)
            its.grad = mine.grad.clone()
        one.step()
        other.step()
    for start, mine, its in zip(first, ours, theirs, strict=True):
        assert (mine - its).norm() < 0.05 * (mine - start).norm()


def test_a_restored_optimiser_goes_on_as_the_old_one(vae: VAE) -> None:
    optimiser = build_optimiser(vae, "fast", lr=0.01, wd=0)
    give_gradients(vae, 1)
    optimiser.step()
    shape = vae.config
    copy = build_vae(shape, 16, generator=generator(6, "weights"))
    copy.load_state_dict(vae.state_dict())
    restored = build_optimiser(copy, "fast", lr=0.01, wd=0)
    restored.load_state_dict(deepcopy(optimiser.state_dict()))
    for each, its_optimiser in ((vae, optimiser), (copy, restored)):
        give_gradients(each, 2)
        its_optimiser.step()
    for one, other in zip(vae.parameters(), copy.parameters(), strict=True):
        assert torch.equal(one, other)


def test_plain_adam_goes_on_from_its_state(vae: VAE) -> None:
    """As cryoDRGN does when it continues such a run."""
    optimiser = build_optimiser(vae, "fast", lr=0.01, wd=0)
    give_gradients(vae, 1)
    optimiser.step()
    plain = torch.optim.Adam(vae.parameters(), lr=0.01)
    plain.load_state_dict(optimiser.state_dict())
    before = [parameter.detach().clone() for parameter in vae.parameters()]
    give_gradients(vae, 2)
    plain.step()
    for old, parameter in zip(before, vae.parameters(), strict=True):
        assert parameter.requires_grad == bool((old != parameter).all())


def test_state_of_plain_adam_is_refused(vae: VAE) -> None:
    state = build_optimiser(vae, "cryodrgn", lr=0.01, wd=0).state_dict()
    optimiser = build_optimiser(vae, "fast", lr=0.01, wd=0)
    assert isinstance(optimiser, AdamWithMuon)
    with pytest.raises(KeyError, match="muon"):
        optimiser.load_state_dict(state)


@pytest.mark.skipif(not hasattr(os, "RTLD_DEEPBIND"), reason="only glibc has deep binding")
def test_triton_is_bound_to_its_own_symbols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "triton.py").write_text("import sys\nflags = sys.getdlopenflags()\n")
    # Set first: taking out a key that is not there leaves nothing to put back, and every
    # later test of this process would find the pretended triton.
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = sys.getdlopenflags()
    import_triton_apart()
    assert sys.modules["triton"].flags & os.RTLD_DEEPBIND
    assert sys.getdlopenflags() == before
