"""Multilayer perceptrons with cryoDRGN's layer indices, so that weights are exchangeable."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from napari_cryodrgn.config import Activation


class ResidualLinear(nn.Module):
    """A linear layer that adds its input to its output: W x + b + x.

    Parameters
    ----------
    width : int
        Width of input and output.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """(..., width) to (..., width)."""
        return torch.add(self.linear(values), values)


class MLP(nn.Module):
    """Linear layers with an activation after each but the last.

    The first layer maps to the hidden width, `layers` more stay there, the last maps
    to the output. In `main`, linear layer i has index 2 i.

    Parameters
    ----------
    n_in, layers, width, n_out : int
        Input width, number of hidden layers after the first, hidden width, output width.
    activation : {"relu", "leaky_relu"}
        What follows each layer but the last.
    residual : bool
        Whether layers of equal input and output width add their input; this then goes
        for the first and the last layer too where their widths happen to agree.
    """

    def __init__(
        self,
        n_in: int,
        layers: int,
        width: int,
        n_out: int,
        *,
        activation: Activation = "relu",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.n_in = n_in
        self.layers = layers
        self.width = width
        widths = [n_in, *[width] * (layers + 1), n_out]
        steps: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            same = residual and before == after
            steps += [ResidualLinear(before) if same else nn.Linear(before, after)]
            steps += [nn.ReLU() if activation == "relu" else nn.LeakyReLU()]
        self.main = nn.Sequential(*steps[:-1])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """(..., n_in) to (..., n_out)."""
        output: torch.Tensor = self.main(values)
        return output

    def first(self, features: torch.Tensor) -> torch.Tensor:
        """What the first n columns of an input add to the first layer, before its activation.

        Parameters
        ----------
        features : (..., n) tensor
            The leading columns of the input, n <= n_in.

        Returns
        -------
        (..., width) tensor
            Without the bias, which `offset` adds.
        """
        linear, residual = self._first_layer()
        n = features.shape[-1]
        hidden = nn.functional.linear(features, linear.weight[:, :n])
        if residual:
            hidden = hidden + nn.functional.pad(features, (0, self.n_in - n))
        return hidden

    def offset(self, trailing: torch.Tensor | None) -> torch.Tensor:
        """What the last columns of an input, and the bias, add to the first layer.

        Parameters
        ----------
        trailing : (..., m) tensor or None
            The trailing columns of the input; None where there are none.

        Returns
        -------
        (..., width) tensor
        """
        linear, residual = self._first_layer()
        if trailing is None:
            return linear.bias
        start = self.n_in - trailing.shape[-1]
        hidden = nn.functional.linear(trailing, linear.weight[:, start:], linear.bias)
        if residual:
            hidden = hidden + nn.functional.pad(trailing, (start, 0))
        return hidden

    def rest(self, hidden: torch.Tensor) -> torch.Tensor:
        """The output, from the first layer's values before its activation, (..., width)."""
        output: torch.Tensor = self.main[1:](hidden)
        return output

    def _first_layer(self) -> tuple[nn.Linear, bool]:
        """The first linear map, and whether its input is added to its output."""
        layer = self.main[0]
        if isinstance(layer, ResidualLinear):
            return layer.linear, True
        if isinstance(layer, nn.Linear):
            return layer, False
        raise TypeError(f"an MLP begins with a linear layer, not {type(layer).__name__}")
