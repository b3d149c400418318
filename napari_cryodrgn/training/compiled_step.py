"""The step compiled by PyTorch, where that can be done and is quicker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from napari_cryodrgn.training.batch_parts import is_full_memory
from napari_cryodrgn.training.step import TrainingState, predict

TRIALS = 3
"""Steps that are timed; the quickest of them counts."""

MARGIN = 0.95
"""The compiled step is taken where it needs less than this share of the time: less is chance."""


@dataclass(frozen=True, eq=False)
class CompileTrial:
    """What came of compiling.

    Parameters
    ----------
    state : TrainingState
        With which to train: compiled, or as it was.
    words : str
        Why, for the log.
    """

    state: TrainingState
    words: str


def try_compiled(state: TrainingState, trial: Callable[[TrainingState], object]) -> CompileTrial:
    """Compile a training's prediction of images and time it beside the one as it is.

    Parameters
    ----------
    state : TrainingState
    trial : callable
        Does the work of a step with the given state, and changes nothing.

    Returns
    -------
    CompileTrial
        Whatever keeps PyTorch from compiling (no compiler, no triton, a model it cannot trace)
        leaves the state as it was. Memory that is full is raised all the same.
    """
    started = time.perf_counter()
    try:
        compiled = replace(state, predict=torch.compile(predict, dynamic=False))
        trial(compiled)
    # PyTorch's compilers have no common class of error, and call the system's own.
    except Exception as error:
        if is_full_memory(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        return CompileTrial(state, f"The step is not compiled: {reason[:300]}")
    took = time.perf_counter() - started
    plain, quick = _seconds(state, trial), _seconds(compiled, trial)
    compared = f"{quick:.3g} s a step, {plain:.3g} s as it is; compiling took {took:.0f} s"
    if quick < MARGIN * plain:
        return CompileTrial(compiled, f"The step is compiled: {compared}")
    return CompileTrial(state, f"The step is not compiled, which is no slower: {compared}")


def _seconds(state: TrainingState, trial: Callable[[TrainingState], object]) -> float:
    trial(state)
    times = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        trial(state)
        _wait_for(state.vae.device)
        times.append(time.perf_counter() - started)
    return min(times)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
