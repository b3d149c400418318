"""Which device computes, and with how many threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch

from napari_cryodrgn.errors import InputError


def choose_device(name: Literal["auto", "cuda", "mps", "cpu"]) -> torch.device:
    """The device asked for; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        Where the device is asked for by name and is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available[name]:
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise InputError(
            "this device is not available",
            field="--device",
            value=name,
            hint=f"PyTorch {torch.__version__} finds only: {usable}",
        )
    return torch.device(name)


@contextlib.contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Compute with that many CPU threads inside; None leaves them as they are."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16 faster than in single precision."""
    # PyTorch has no public name for these yet; where it has none at all, half is not used.
    checks = (
        getattr(torch.cpu, name, None)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(check is not None and bool(check()) for check in checks)
