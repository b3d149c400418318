"""A decoder's layers made ready for many points: packed, fused, in single or half precision."""

from __future__ import annotations

import logging
import platform
from functools import lru_cache
from typing import Literal

import torch
from torch import nn

from napari_cryodrgn.model.decoder import Decoder
from napari_cryodrgn.model.layers import ResidualLinear
from napari_cryodrgn.model.positional_encoding import encode_axes

logger = logging.getLogger(__name__)

# Single is what is exported; half (bfloat16) is for previews, where the hardware has it.
Precision = Literal["single", "half"]

_LEAK = 0.01


class Network:
    """The network of a `Decoder`, for evaluation only.

    The first layer is split: what the point adds to it can be kept (`hidden`), what the
    latent adds (`offset`) is one vector for a volume. Later weights are laid out for the
    processor once, and on a CPU the activation is part of the product.

    Parameters
    ----------
    decoder : Decoder
        Its weights are copied; later changes to them have no effect.
    precision : {"single", "half"}
        Of all layers but the first.
    """

    def __init__(self, decoder: Decoder, precision: Precision = "single") -> None:
        self._decoder = decoder
        modules = list(decoder.decoder.main)
        self._leaky = isinstance(modules[1], nn.LeakyReLU)
        self._type = torch.bfloat16 if precision == "half" else torch.float32
        activation = "leaky_relu" if self._leaky else "relu"
        linears = [module for module in modules if isinstance(module, nn.Linear | ResidualLinear)]
        self._layers = [
            _Layer(linear, "none" if linear is linears[-1] else activation, self._type)
            for linear in linears[1:]
        ]

    def hidden(self, points: torch.Tensor) -> torch.Tensor:
        """What points (P, 3) add to the first layer, (P, width) float32."""
        return self._decoder.decoder.first(self._decoder.features(points))

    def offset(self, z: torch.Tensor | None) -> torch.Tensor:
        """What a latent point (zdim,) adds to the first layer, (width,)."""
        if z is not None and self._decoder.latent_freqs is not None:
            z = encode_axes(z, self._decoder.latent_freqs)
        return self._decoder.decoder.offset(z)

    def output(self, hidden: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        """The network's values (P, n_out), float32, of the first layer's two parts."""
        values = hidden + offset
        values = nn.functional.leaky_relu_(values, _LEAK) if self._leaky else values.relu_()
        values = values.to(self._type)
        for layer in self._layers:
            values = layer(values)
        return values.float()


class _Layer:
    """A linear layer, the addition of its input where it is residual, and the activation."""

    def __init__(
        self, module: nn.Linear | ResidualLinear, activation: str, kind: torch.dtype
    ) -> None:
        linear = module.linear if isinstance(module, ResidualLinear) else module
        weight = linear.weight.detach()
        self._residual = isinstance(module, ResidualLinear)
        if self._residual and kind == torch.float32:
            # W x + x = (W + 1) x. In half precision the 1 would drown the diagonal of W.
            weight = weight + torch.eye(len(weight), device=weight.device)
            self._residual = False
        self._bias = linear.bias.detach().to(kind)
        self._weight = weight.to(kind)
        self._activation = activation
        self._scalars = [_LEAK] if activation == "leaky_relu" else []
        self._packed = weight.device.type == "cpu" and has_packed_layers()
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """(P, n_in) to (P, n_out)."""
        if self._residual:
            return self._activated(self._added(values))
        if self._packed:
            result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                values, self._weight, self._bias, self._activation, self._scalars, ""
            )
            return result
        return self._activated(nn.functional.linear(values, self._weight, self._bias))

    def _added(self, values: torch.Tensor) -> torch.Tensor:
        if self._packed:
            result: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(
                values, values, self._weight, self._bias, "add"
            )
            return result
        return nn.functional.linear(values, self._weight, self._bias).add_(values)

    def _activated(self, values: torch.Tensor) -> torch.Tensor:
        if self._activation == "none":
            return values
        if self._activation == "relu":
            return values.relu_()
        return nn.functional.leaky_relu_(values, _LEAK)


@lru_cache(maxsize=1)
def has_packed_layers() -> bool:
    """Whether oneDNN's layers with packed weights can be called, and are right.

    On AMD processors they are about twice as fast as those that PyTorch takes by itself,
    whose library (MKL) uses no AVX-512 there. They are what ``torch.compile`` calls, but
    not promised to stay, hence the trial.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    values, weight = torch.randn(2, 16, 16, generator=generator)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        bias = values[0].clone()
        found = torch.ops.mkldnn._linear_pointwise(values, packed, bias, "relu", [], "")
        added = torch.ops.mkldnn._linear_pointwise.binary(values, values, packed, bias, "add")
    except (AttributeError, RuntimeError, TypeError) as error:
        logger.info("oneDNN's packed layers are not used: %s", error)
        return False
    expected = nn.functional.linear(values, weight, bias)
    same = torch.allclose(found, expected.relu(), atol=1e-4)
    return bool(same) and torch.allclose(added, expected + values, atol=1e-4)


def has_half_precision(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 faster than in single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not has_packed_layers():
        return False
    # PyTorch has no public name for these yet; where it has none at all, half is not used.
    checks = (
        getattr(torch.cpu, name, None)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(check is not None and bool(check()) for check in checks)
