"""The decoder's part of a step in pieces that stay in the processor's cache.

For a squared error the gradient of each predicted value is known as soon as the value is, so
a piece of an image can go forward and backward through the decoder at once. Nothing as long
as a batch is ever held: a step needs some ten megabytes beside weights and images, where
automatic differentiation keeps every layer's values of every point of the batch and moves
them through the main memory several times.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from napari_cryodrgn.model.decoder import Decoder
from napari_cryodrgn.model.layers import ResidualLinear
from napari_cryodrgn.training.slice_features import SliceFeatures

# Points that go through the network together. Wide enough for matrix products at full speed,
# few enough for all layers of them to stay in the cache (two thousand points of width 256
# are 2 MB a layer).
CHUNK_POINTS = 2200
# Images of a batch are worked on in so many groups, whatever the number of threads: so that
# sums, and with them a whole training, are the same to the last bit on any number of them.
GROUPS = 8


def can_fuse(decoder: Decoder) -> bool:
    """Whether `squared_error` can do this decoder's part of a step."""
    steps = list(decoder.decoder.main)
    linear, inner, last = steps[0], steps[2:-1:2], steps[-1]
    return (
        decoder.domain == "fourier"
        and decoder.rand_freqs is not None
        and decoder.latent_freqs is None
        and isinstance(linear, nn.Linear)
        and isinstance(last, nn.Linear)
        and all(isinstance(step, ResidualLinear) for step in inner)
        and all(isinstance(step, nn.ReLU) for step in steps[1:-1:2])
    )


def squared_error(
    decoder: Decoder,
    features: SliceFeatures,
    rotations: Tensor,
    z: Tensor | None,
    observed: Tensor,
    ctf: Tensor | None,
    *,
    half: bool = False,
) -> Tensor:
    """Mean squared difference of predicted and observed images, differentiable.

    Parameters
    ----------
    decoder : Decoder
        One for which `can_fuse` is true.
    features : SliceFeatures
        Where on a slice the images are compared.
    rotations : (B, 3, 3) tensor
        Orientations; they get a gradient where they require one.
    z : (B, zdim) tensor or None
        One latent point for each image.
    observed : (B, P) tensor
        Images at the points of `features`; a gradient where they require one, as they do
        where they are shifted by what is refined.
    ctf : (B, P) tensor or None
        Contrast transfer function there.
    half : bool, optional
        Whether the network's matrix products are in bfloat16. Phases, sums over points and
        the error itself never are.

    Returns
    -------
    scalar tensor
        The same as ``(decoder.slice_values(...) * ctf - observed).square().mean()``.
    """
    layers = [step for step in decoder.decoder.main if not isinstance(step, nn.ReLU)]
    linears = [step.linear if isinstance(step, ResidualLinear) else step for step in layers]
    weights = [parameter for step in linears for parameter in (step.weight, step.bias)]
    images = _Images(features, rotations.detach(), observed.detach(), ctf, half)
    error: Tensor = _SquaredError.apply(images, rotations, observed, z, *weights)
    return error


@dataclass(frozen=True, eq=False)
class _Images:
    """Images of a step and how to compute; nothing here is tracked by autograd."""

    features: SliceFeatures
    rotations: Tensor
    observed: Tensor
    ctf: Tensor | None
    half: bool


@dataclass(frozen=True)
class _Wanted:
    """What a step gives gradients of, beside the weights."""

    rotations: bool
    observed: bool
    z: bool


class _SquaredError(torch.autograd.Function):
    """Computes its gradients together with its value."""

    @staticmethod
    def forward(
        ctx: Any,
        images: _Images,
        _rotations: Tensor,
        _observed: Tensor,
        z: Tensor | None,
        *weights: Tensor,
    ) -> Tensor:
        wanted = _Wanted(*ctx.needs_input_grad[1:4])
        error, gradients = _error_and_gradients(images, z, weights, wanted)
        ctx.gradients = gradients
        return error

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        """The gradients times that of the error."""
        gradients, ctx.gradients = ctx.gradients, None
        scaled = (None if one is None else one.mul_(outer[0]) for one in gradients)
        return (None, *scaled)


def _error_and_gradients(
    images: _Images, z: Tensor | None, weights: tuple[Tensor, ...], wanted: _Wanted
) -> tuple[Tensor, list[Tensor | None]]:
    """Mean squared error, and its gradients by rotations, images, z and each weight."""
    n_images, n_groups = len(images.observed), min(GROUPS, len(images.observed))
    bounds = [n_images * group // n_groups for group in range(n_groups + 1)]
    network = _Network(weights, images.features.n_features, half=images.half)
    parts = [range(first, last) for first, last in itertools.pairwise(bounds)]

    def group(part: range) -> _Sums:
        with torch.no_grad():  # what is switched off in one thread is not in another
            return _group_sums(images, z, network, part, wanted)

    sums = list(_workers(torch.get_num_threads(), n_groups)(group, parts))
    total = sums[0]
    for other in sums[1:]:
        total.error += other.error
        for gradient, more in zip(total.gradients, other.gradients, strict=True):
            gradient += more
    z_gradient = rotation_gradient = image_gradient = None
    if z is not None and wanted.z:
        by_offset = torch.cat([torch.stack(part.by_offset) for part in sums])
        z_gradient = by_offset @ network.latent_weight
    if wanted.rotations:
        rotation_gradient = torch.stack([one for part in sums for one in part.by_rotation])
    if wanted.observed:
        image_gradient = torch.stack([one for part in sums for one in part.by_image])
    n_values = images.observed.numel()
    error = (total.error / n_values).to(images.observed.dtype)
    return error, [rotation_gradient, image_gradient, z_gradient, *total.gradients]


def _group_sums(
    images: _Images, z: Tensor | None, network: _Network, part: range, wanted: _Wanted
) -> _Sums:
    """Squared error and gradients of some of the images."""
    features = images.features
    n_half = features.n_points // 2
    scale = 2 / images.observed.numel()
    worker = _Worker(network)
    sums = worker.sums
    offsets = network.offsets(z)
    for image in part:
        tables = features.tables(images.rotations[image])
        offset = offsets[image if z is not None else 0]
        offset_gradient = torch.zeros_like(sums.gradients[1])
        rotation_gradient = images.rotations.new_zeros((3, 3))
        image_gradient = torch.empty_like(images.observed[image]) if wanted.observed else None
        seen = _halves(images.observed[image], n_half)
        factors = None if images.ctf is None else _halves(images.ctf[image], n_half)
        for start in range(0, n_half, CHUNK_POINTS):
            points = slice(start, min(start + CHUNK_POINTS, n_half))
            encoded, sign = tables.features(points)
            real, imaginary = worker.forward(encoded, offset).unbind(1)
            imaginary = imaginary * sign
            residuals = []
            for side, predicted in enumerate((real - imaginary, real + imaginary)):
                factor = None if factors is None else factors[side][points]
                expected = predicted if factor is None else predicted.mul_(factor)
                residual = expected.sub_(seen[side][points])
                sums.error += residual.dot(residual)
                if image_gradient is not None:
                    _set_half(image_gradient, residual * -scale, points, side)
                residuals.append(residual if factor is None else residual.mul_(factor))
            first, second = residuals
            gradient = torch.stack((first + second, (second - first).mul_(sign)), dim=1)
            flow = worker.backward(gradient.mul_(scale))
            offset_gradient += flow.sum(0, dtype=offset_gradient.dtype)
            if wanted.rotations:
                by_features = torch.mm(flow, network.first).to(encoded.dtype)
                rotation_gradient[:2] += tables.turned(points, encoded, by_features)
        worker.add_offset_gradient(offset_gradient, None if z is None else z[image])
        if wanted.rotations:
            sums.by_rotation.append(rotation_gradient)
        if image_gradient is not None:
            sums.by_image.append(image_gradient)
    return sums


def _halves(values: Tensor, n_half: int) -> tuple[Tensor, Tensor]:
    """The first half of a disc, and the second backwards: the points' negatives."""
    return values[:n_half], values[n_half:].flip(0)


def _set_half(values: Tensor, part: Tensor, points: slice, side: int) -> None:
    """Put some points of a half, as `_halves` has it, in their place on the disc."""
    if side == 0:
        values[points] = part
    else:
        values[len(values) - points.stop : len(values) - points.start] = part.flip(0)


def _workers(threads: int, n_groups: int) -> Callable[..., Iterable[_Sums]]:
    """What calls a function for each group: as `map`, in as many threads as there are."""
    workers = min(threads, n_groups)
    return map if workers == 1 else _pool(workers, threads // workers).map


@functools.cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Threads that work side by side, each computing with so many of torch's own."""
    return ThreadPoolExecutor(
        workers, "decoder", initializer=torch.set_num_threads, initargs=(threads,)
    )


@dataclass(eq=False)
class _Sums:
    """Over some images: squared error, gradients by the weights; by what each has of its own."""

    error: Tensor
    gradients: list[Tensor]
    by_offset: list[Tensor] = field(default_factory=list)
    by_rotation: list[Tensor] = field(default_factory=list)
    by_image: list[Tensor] = field(default_factory=list)


class _Network:
    """The decoder's layers as all pieces of a step take them.

    Parameters
    ----------
    weights : tuple of Tensor
        Weight and bias of each layer, the first to the last.
    n_features : int
        Width of the encoding; what follows in the input is the latent point.
    half : bool
        Whether matrix products are in bfloat16.
    """

    def __init__(self, weights: tuple[Tensor, ...], n_features: int, *, half: bool) -> None:
        self.weights, self.n_features, self.half = weights, n_features, half
        self.dtype = torch.bfloat16 if half else weights[0].dtype
        self.latent_weight = weights[0][:, n_features:]
        self.first = weights[0][:, :n_features].to(self.dtype).contiguous()
        inner = weights[2:-2:2]
        if not half:
            # W x + x in one product. Not in half precision, where 1 + w would lose w.
            eye = torch.eye(len(weights[0]), dtype=self.dtype)
            inner = tuple(weight + eye for weight in inner)
        self.inner = [weight.to(self.dtype) for weight in inner]
        self.biases = [bias.to(self.dtype) for bias in weights[3:-2:2]]
        self.last, self.last_bias = weights[-2], weights[-1]

    def offsets(self, z: Tensor | None) -> Tensor:
        """What latent points and the bias add to the first layer, (B or 1, width)."""
        bias = self.weights[1]
        if z is None:
            return bias[None].to(self.dtype)
        return torch.addmm(bias, z, self.latent_weight.t()).to(self.dtype)


class _Worker:
    """Forward and backward over one piece after another, in one thread."""

    def __init__(self, network: _Network) -> None:
        self._network = network
        gradients = [torch.zeros_like(weight) for weight in network.weights]
        self.sums = _Sums(torch.zeros((), dtype=torch.float64), gradients)
        self._buffers: dict[tuple[str, int], Tensor] = {}
        self._values: list[Tensor] = []

    def forward(self, features: Tensor, offset: Tensor) -> Tensor:
        """Real and imaginary parts, (n, 2), of points with the given encoding (n, F)."""
        network, n = self._network, len(features)
        encoded = features.to(network.dtype)
        out = self._buffer("0", n)
        hidden = torch.addmm(offset, encoded, network.first.t(), out=out).relu_()
        self._values = [encoded, hidden]
        for number, weight in enumerate(network.inner):
            out, bias = self._buffer(str(number + 1), n), network.biases[number]
            if network.half:
                hidden = torch.addmm(hidden, hidden, weight.t(), out=out).add_(bias).relu_()
            else:
                hidden = torch.addmm(bias, hidden, weight.t(), out=out).relu_()
            self._values.append(hidden)
        return torch.addmm(network.last_bias, hidden.to(network.last.dtype), network.last.t())

    def backward(self, gradient: Tensor) -> Tensor:
        """Add the gradients of the last `forward`; returns those of the first layer's sums.

        They are (n, width), in room that the next call takes; their sum over points is the
        gradient of `offset`.
        """
        network, values, n = self._network, self._values, len(gradient)
        total = self.sums.gradients
        total[-1] += gradient.sum(0)
        gradient = gradient.to(network.dtype)
        self._add(total[-2], gradient, values[-1])
        flow = torch.mm(gradient, network.last.to(network.dtype), out=self._buffer("a", n))
        spare = self._buffer("b", n)
        for number in range(len(network.inner), 0, -1):
            _pass_relu(flow, values[number + 1])
            self._add(total[2 * number], flow, values[number])
            total[2 * number + 1] += flow.sum(0, dtype=total[0].dtype)
            weight = network.inner[number - 1]
            if network.half:
                torch.addmm(flow, flow, weight, out=spare)
            else:
                torch.mm(flow, weight, out=spare)
            flow, spare = spare, flow
        _pass_relu(flow, values[1])
        self._add(total[0][:, : network.n_features], flow, values[0])
        return flow

    def add_offset_gradient(self, gradient: Tensor, z: Tensor | None) -> None:
        """Add what an image's offset brings to the weights of the latent and the bias."""
        total = self.sums.gradients
        total[1] += gradient
        if z is not None:
            total[0][:, self._network.n_features :].addr_(gradient, z)
            self.sums.by_offset.append(gradient)

    def _add(self, total: Tensor, flow: Tensor, values: Tensor) -> None:
        """Add a weight's gradient, flowᵀ values; sums over pieces are in full precision."""
        if self._network.half:
            total += torch.mm(flow.t(), values)
        else:
            total.addmm_(flow.t(), values)

    def _buffer(self, name: str, n: int) -> Tensor:
        """Room for (n, width) values, the same for each piece of that length."""
        key = name, n
        if key not in self._buffers:
            width = len(self._network.first)
            self._buffers[key] = torch.empty((n, width), dtype=self._network.dtype)
        return self._buffers[key]


def _pass_relu(gradient: Tensor, output: Tensor) -> None:
    """Take out, in place, the gradient where a rectifier gave nothing."""
    torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)
