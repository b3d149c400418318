"""The fast schedule's optimiser: Muon for weight matrices, Adam for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import torch
from torch import nn

from napari_cryodrgn.model.layers import MLP

# Muon's step as a multiple of Adam's: of 1, 2 and 4 the best order of a motion after as many
# epochs, see docs/benchmarks.md.
STEP = 4.0


def inner_matrices(model: nn.Module) -> list[torch.Tensor]:
    """Weights of all layers of a model's perceptrons but their last ones.

    Parameters
    ----------
    model : Module

    Returns
    -------
    list of (n_out, n_in) tensors
        The last layers have too few outputs for a step in all directions alike.
    """
    found = []
    for perceptron in model.modules():
        if isinstance(perceptron, MLP):
            layers = [layer for layer in perceptron.modules() if isinstance(layer, nn.Linear)]
            found += [layer.weight for layer in layers[:-1]]
    return found


class AdamWithMuon(torch.optim.Adam):
    """Adam, save that some matrices take steps of equal length in all directions (Muon).

    Muon (Jordan et al., 2024; Liu et al., 2025, arXiv 2502.16982) replaces the mean gradient of a
    matrix by the nearest matrix with orthogonal rows or columns, so that what few images call for
    is learnt as fast as what all do. For a latent model these are the differences between states.

    The state dictionary is one of Adam over all parameters, with Muon's beside it under ``muon``:
    a program that knows only Adam goes on from it, and begins anew for these matrices.

    Parameters
    ----------
    parameters : iterable of tensors
        What is trained.
    matrices : sequence of (n_out, n_in) tensors
        Those of them that Muon steps.
    lr : float
        Learning rate of Adam; Muon's is scaled to steps as long as Adam's, times `STEP`.
    wd : float
        Weight decay: for Adam an L2 penalty on the gradients, for Muon of the weights themselves.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        matrices: Sequence[torch.Tensor],
        *,
        lr: float,
        wd: float,
    ) -> None:
        super().__init__(parameters, lr=lr, weight_decay=wd)
        self._matrices = list(matrices)
        self._muon = torch.optim.Muon(
            self._matrices, lr=STEP * lr, weight_decay=wd, adjust_lr_fn="match_rms_adamw"
        )

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step; the gradients of the matrices are used up by it."""
        loss = None if closure is None else closure()
        for group in self._muon.param_groups:
            group["lr"] = STEP * self.param_groups[0]["lr"]
        self._muon.step()
        for matrix in self._matrices:
            matrix.grad = None  # Adam passes over what has none
        super().step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Adam's state, and Muon's under ``muon``."""
        return {**super().state_dict(), "muon": self._muon.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned.

        Raises
        ------
        KeyError
            Where it is of another optimiser.
        """
        self._muon.load_state_dict(state_dict["muon"])
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "muon"})
