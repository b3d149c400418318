"""Several processes that train one model together, as ``torchrun`` starts them.

Each computes its part of every batch, and gradients and losses are summed over
all: the batches, and with them the course of the training, are those of one
process. Every particle is looked at once an epoch. Without ``torchrun`` there
is one process, and everything here does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.training.loss import Loss


@dataclass(frozen=True)
class Part:
    """The images of a batch that this process computes.

    Parameters
    ----------
    where : slice
        Their positions in the batch; at least one, though it may count nothing.
    weight : float
        Their share of the batch.
    """

    where: slice
    weight: float


def started_together() -> int:
    """How many processes ``torchrun`` says there are; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that reports and writes."""
    return int(os.environ.get("RANK", "0")) == 0 or started_together() == 1


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Meet the other processes of a training, where there are any.

    Parameters
    ----------
    device : torch.device
        What kind computes: NCCL is used between GPUs, gloo between processors.

    Raises
    ------
    InputError
        Where they cannot be met.
    """
    if started_together() == 1:
        yield
        return
    gpu = own_device(device)
    if gpu.type == "cuda":
        torch.cuda.set_device(gpu)
    with _together():
        dist.init_process_group("nccl" if gpu.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process where each has its own.

    Raises
    ------
    InputError
        Where there are more processes on this computer than GPUs.
    """
    if device.type != "cuda" or started_together() == 1:
        return device
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise InputError(
            f"this computer has {torch.cuda.device_count()} GPUs, one for each process",
            field="--nproc-per-node",
            value=os.environ.get("LOCAL_WORLD_SIZE"),
        )
    return torch.device("cuda", number)


def part_of(n_images: int) -> Part:
    """Which images of a batch of `n_images` this process computes.

    The last batch of an epoch may have fewer images than there are processes:
    those left over then compute one that counts nothing, so that all take the
    same steps.
    """
    if not dist.is_initialized():
        return Part(slice(0, n_images), 1.0)
    rank, count = dist.get_rank(), dist.get_world_size()
    start, end = n_images * rank // count, n_images * (rank + 1) // count
    if start == end:
        return Part(slice(0, 1), 0.0)
    return Part(slice(start, end), (end - start) / n_images)


def summed(parameters: Iterable[Tensor], loss: Loss, weight: float) -> Loss:
    """Sum gradients and losses over the parts of a batch.

    One exchange for all of them. Call it after the gradients of the own part's
    loss are there, and before the optimiser uses them.

    Parameters
    ----------
    parameters : iterable of Tensor
        Their gradients become those of the whole batch's mean loss.
    loss : Loss
        Means over the own part.
    weight : float
        `Part.weight`.

    Returns
    -------
    Loss
        Means over the whole batch, detached; the same in every process.
    """
    if not dist.is_initialized():
        return Loss(*(term.detach() for term in loss))
    gradients = [value.grad for value in parameters if value.grad is not None]
    flat = torch.cat([*(each.reshape(-1) for each in gradients), torch.stack(loss).detach()])
    flat *= weight
    with _together():
        dist.all_reduce(flat)
    *sums, terms = flat.split([*(each.numel() for each in gradients), len(loss)])
    for gradient, total in zip(gradients, sums, strict=True):
        gradient.copy_(total.view_as(gradient))
    return Loss(*terms.unbind())


def own_places(n_images: int, batch_size: int) -> list[slice]:
    """Where the parts that this process computes stand in an epoch's order, batch by batch."""
    places = []
    for start in range(0, n_images, batch_size):
        part = part_of(min(batch_size, n_images - start)).where
        places.append(slice(start + part.start, start + part.stop))
    return places


def own_batches(n_images: int, batch_size: int) -> range:
    """Starts of the batches that this process encodes, of images that all encode together."""
    if not dist.is_initialized():
        return range(0, n_images, batch_size)
    return range(dist.get_rank() * batch_size, n_images, dist.get_world_size() * batch_size)


def gathered(values: Tensor, device: torch.device) -> Tensor:
    """Sum over the processes, where each has its own rows and zeros elsewhere; on the CPU."""
    if not dist.is_initialized():
        return values
    there = values.to(device)
    with _together():
        dist.all_reduce(there)
    return there.cpu()


def agreed(value: int) -> int:
    """The first process's value, in all of them."""
    if not dist.is_initialized():
        return value
    shared = [value]
    with _together():
        dist.broadcast_object_list(shared, src=0)
    return shared[0]


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if dist.is_initialized():
        with _together():
            dist.barrier()


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Say what it means that the others are not there any more."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            "another process of this training has ended; finished epochs are kept",
            hint="Continue with --load latest, with any number of processes",
        ) from error
