"""What the decoding engine hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

# How a volume relates to the best that the model can show: in full, at a smaller box as
# asked for, or at a smaller box than asked for.
Rung = Literal["exact", "reduced", "reduced: out of memory"]


@dataclass(frozen=True, eq=False)
class DecodedVolume:
    """A decoded volume, and what it is.

    Parameters
    ----------
    data : (box, box, box) float32 array
        Density [z, y, x].
    pixel_size : float or None
        Å per voxel at this box; None where the run does not say.
    z : (zdim,) float32 array
        Latent point it was decoded from; empty for a model without latent.
    epoch : int
        Epoch of the weights.
    box : int
        Side, px.
    rung : str
        "exact" at the box the model was trained on; "reduced" at a smaller one, as asked
        for; "reduced: out of memory" at a smaller one because nothing larger fitted.
    tag : object
        As given with the request.
    seconds : float
        How long the decode itself took.
    """

    data: npt.NDArray[np.float32]
    pixel_size: float | None
    z: npt.NDArray[np.float32]
    epoch: int
    box: int
    rung: Rung
    tag: object = None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class DecodeFailure:
    """Why a latent point could not be decoded.

    Parameters
    ----------
    message : str
        For people: one sentence.
    details : str
        For a report: the traceback; empty where the message says it all.
    tag : object
        As given with the request.
    z : (zdim,) float32 array or None
        Latent point asked for.
    error : Exception or None
        What was raised.
    """

    message: str
    details: str = ""
    tag: object = None
    z: npt.NDArray[np.float32] | None = None
    error: Exception | None = None
