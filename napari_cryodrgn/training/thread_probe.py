"""How many CPU threads are quickest, tried out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MARGIN = 0.9
"""Fewer threads are taken where they need less than this share of the time: less is chance."""


@dataclass(frozen=True)
class ThreadProbe:
    """What was tried.

    Parameters
    ----------
    count : int
        The number that is used now.
    seconds : dict of int to float
        Time of one trial with each number tried.
    """

    count: int
    seconds: dict[int, float]

    def __str__(self) -> str:
        tried = ", ".join(f"{seconds:.3g} s with {n}" for n, seconds in self.seconds.items())
        return f"{self.count} CPU threads, the quickest of those tried ({tried})"


def probe_threads(trial: Callable[[], object]) -> ThreadProbe:
    """Try PyTorch's number of threads, a half and a quarter of it, and set the quickest.

    Parameters
    ----------
    trial : callable
        Some work as the training does it. It is called once more at first, to warm up.
    """
    most = torch.get_num_threads()
    trial()
    seconds: dict[int, float] = {}
    best = most
    for count in sorted({max(1, most // part) for part in (1, 2, 4)}, reverse=True):
        torch.set_num_threads(count)
        started = time.perf_counter()
        trial()
        seconds[count] = time.perf_counter() - started
        if seconds[count] < MARGIN * seconds[best]:
            best = count
        elif count != most:
            break  # still fewer would be slower still
    torch.set_num_threads(best)
    return ThreadProbe(best, seconds)
