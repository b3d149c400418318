"""The perceptron: cryoDRGN's layer names, and the split of its first layer."""

from __future__ import annotations

import pytest
import torch

from napari_cryodrgn.model.layers import MLP


def test_residual_names():
    names = set(MLP(5, 2, 8, 3).state_dict())
    assert names == {
        f"main.{i}{middle}.{part}"
        for i, middle in ((0, ""), (2, ".linear"), (4, ".linear"), (6, ""))
        for part in ("weight", "bias")
    }


def test_plain_names_have_the_same_numbers():
    names = set(MLP(5, 2, 8, 3, residual=False).state_dict())
    assert names == {f"main.{i}.{part}" for i in (0, 2, 4, 6) for part in ("weight", "bias")}


def test_first_and_last_layer_are_residual_where_widths_coincide():
    names = set(MLP(8, 1, 8, 8).state_dict())
    assert names == {f"main.{i}.linear.{part}" for i in (0, 2, 4) for part in ("weight", "bias")}


def test_residual_layer_adds_its_input():
    network = MLP(4, 0, 4, 4, activation="leaky_relu")
    values = torch.randn(7, 4)
    first, last = network.main[0].linear, network.main[2].linear
    hidden = torch.nn.functional.leaky_relu(first(values) + values)
    assert torch.allclose(network(values), last(hidden) + hidden)


@pytest.mark.parametrize(("n_in", "width"), [(6, 9), (9, 9)])
@pytest.mark.parametrize("n_trailing", [0, 2])
def test_first_layer_in_two_parts_is_the_whole(n_in, width, n_trailing):
    network = MLP(n_in, 2, width, 2)
    values = torch.randn(11, n_in)
    leading, trailing = values[:, : n_in - n_trailing], values[0, n_in - n_trailing :]
    values[:, n_in - n_trailing :] = trailing
    offset = network.offset(trailing if n_trailing else None)
    assert torch.allclose(network.rest(network.first(leading) + offset), network(values), atol=1e-6)
