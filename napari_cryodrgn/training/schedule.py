"""Weight of the KL divergence over the course of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

BetaSchedule = Callable[[int], float]

# cryoDRGN's schedules: beta at the start and end of a linear ramp, and the
# images seen at the two.
RAMPS: dict[str, tuple[float, float, int, int]] = {
    "a": (0.001, 15.0, 0, 1_000_000),
    "b": (5.0, 15.0, 200_000, 800_000),
    "c": (5.0, 18.0, 200_000, 800_000),
    "d": (5.0, 18.0, 1_000_000, 5_000_000),
}


def beta_schedule(beta: float | Literal["a", "b", "c", "d"] | None, zdim: int) -> BetaSchedule:
    """KL weight as a function of the images seen since training began.

    Parameters
    ----------
    beta : float, {"a", "b", "c", "d"} or None
        A constant, one of cryoDRGN's linear ramps, or None for 1 / `zdim`.
    zdim : int
        Latent dimensions; without any the weight is 0.

    Returns
    -------
    callable
        Takes the number of images seen, this step's included.
    """
    if zdim == 0:
        return lambda images_seen: 0.0
    if isinstance(beta, str):
        first, last, start, end = RAMPS[beta]

        def ramp(images_seen: int) -> float:
            share = min(1.0, max(0.0, (images_seen - start) / (end - start)))
            return first + (last - first) * share

        return ramp
    constant = 1.0 / zdim if beta is None else float(beta)
    return lambda images_seen: constant
