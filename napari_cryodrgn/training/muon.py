"""The fast schedule's optimiser: Muon for weight matrices, Adam for everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn

from napari_cryodrgn.model.layers import MLP

# Muon's step as a multiple of Adam's: of 1, 2 and 4 the best order of a motion after as many
# epochs, see docs/benchmarks.md.
STEP = 4.0

# Length of Muon's steps: the root mean square of Adam's (Liu et al., 2025, eq. 4).
RMS = 0.2
MOMENTUM = 0.95

# Jordan et al., 2024: x (a + b x² + c x⁴), five times over, brings each singular value x of
# a matrix from anywhere below 1 to between 0.7 and 1.2.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# Iterations that are done as one polynomial: five at once would magnify rounding too much.
AT_ONCE = (2, 3)


def inner_matrices(model: nn.Module) -> list[Tensor]:
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


def orthogonalised(matrix: Tensor) -> Tensor:
    """About the nearest matrix whose rows, or columns where they are fewer, are orthonormal.

    Parameters
    ----------
    matrix : (m, n) tensor

    Returns
    -------
    (m, n) tensor
        The same singular vectors; singular values that are not tiny lie between 0.7 and 1.2.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.t()).t()
    scaled: Tensor = matrix / matrix.norm().clamp(min=1e-7)
    if matrix.device.type == "cuda":
        return _iterated(scaled.bfloat16()).to(matrix.dtype)
    for iterations in AT_ONCE:
        scaled = _polynomial(scaled @ scaled.t(), iterations) @ scaled
    return scaled


def _iterated(x: Tensor) -> Tensor:
    """The iteration as it stands, which half precision is enough for."""
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = x @ x.t()
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _polynomial(gram: Tensor, iterations: int) -> Tensor:
    """What some iterations together multiply a matrix x by, from x xᵀ alone.

    Each is a polynomial in x xᵀ, so that only the first and the last product are as large as x. It
    takes single precision, in which processors without instructions for half precision
    are some ten times faster besides.
    """
    a, b, c = NEWTON_SCHULZ
    product = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(iterations):
        now = product @ product @ gram
        product = torch.addmm(product, torch.addmm(now, now, now, beta=b, alpha=c), product, beta=a)
    return product


class Muon(torch.optim.Optimizer):
    """Steps of matrices that are equally long in all directions (Jordan et al., 2024).

    `torch.optim.Muon` is the same on a GPU. On a processor it computes in bfloat16 as well, which
    took longer than everything else of a step where the processor has no instructions for it.

    Parameters
    ----------
    matrices : sequence of (m, n) tensors
    lr : float
        Learning rate; a step's root mean square is `RMS` times that.
    wd : float
        Decay of the weights themselves.
    """

    def __init__(self, matrices: Sequence[Tensor], *, lr: float, wd: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": wd})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step of all matrices that have a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
                ahead = matrix.grad.lerp(momentum, MOMENTUM)  # Nesterov's
                length = RMS * math.sqrt(max(matrix.shape)) * group["lr"]
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.sub_(orthogonalised(ahead), alpha=length)


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
        parameters: Iterable[Tensor],
        matrices: Sequence[Tensor],
        *,
        lr: float,
        wd: float,
    ) -> None:
        super().__init__(parameters, lr=lr, weight_decay=wd)
        self._matrices = list(matrices)
        self._muon = Muon(self._matrices, lr=STEP * lr, wd=wd)

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
