"""The optimiser, and the guard that it needs inside napari."""

from __future__ import annotations

import importlib.util
import os
import sys

import torch

from napari_cryodrgn.model.vae import VAE
from napari_cryodrgn.training.learning_rate import Schedule
from napari_cryodrgn.training.muon import AdamWithMuon, inner_matrices


def build_optimiser(vae: VAE, schedule: Schedule, *, lr: float, wd: float) -> torch.optim.Adam:
    """The optimiser of all parameters of a model.

    Parameters
    ----------
    vae : VAE
        What is trained.
    schedule : {"cryodrgn", "fast"}
        Adam, as cryoDRGN uses it, or Adam with Muon for the matrices (`AdamWithMuon`).
    lr : float
        Learning rate.
    wd : float
        Weight decay (L2 penalty on the gradients).
    """
    import_triton_apart()
    if schedule == "fast":
        return AdamWithMuon(vae.parameters(), inner_matrices(vae), lr=lr, wd=wd)
    return torch.optim.Adam(vae.parameters(), lr=lr, weight_decay=wd)


def import_triton_apart() -> None:
    """Import triton so that it keeps its own LLVM.

    The first optimiser that torch makes imports triton where it is installed
    (CUDA builds on Linux). Software OpenGL (Mesa's llvmpipe), which a window may
    have loaded by then, brings another LLVM, and unless triton's library
    resolves its symbols within itself the process ends with a segmentation
    fault.
    """
    if "triton" in sys.modules or importlib.util.find_spec("triton") is None:
        return
    deep_binding = getattr(os, "RTLD_DEEPBIND", None)
    if deep_binding is None:  # only glibc has it, and only there does the fault occur
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_LOCAL | deep_binding)
    try:
        importlib.import_module("triton")
    finally:
        sys.setdlopenflags(flags)
