"""What the decoding engine hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

# Qualities that can be asked for, from the quickest to the best.
RungName = Literal["surrogate", "preview", "exact"]

# How a volume relates to the best that the model can show: guessed from volumes decoded
# before; the network at a smaller box and lower precision, soon replaced; in full; at a
# smaller box as asked for; at a smaller box because nothing larger fitted.
Rung = Literal["surrogate", "preview", "exact", "reduced", "reduced: out of memory"]


@dataclass(frozen=True, eq=False)
class DecodedVolume:
    """A decoded volume, and what it is.

    Parameters
    ----------
    data : (box, box, box) float32 array
        Density [z, y, x], on the grey scale of the full box whatever the box: what lies at
        voxel box // 2 stays there, and a contour level goes for all rungs.
    pixel_size : float or None
        Å per voxel at this box; None where the run does not say.
    z : (zdim,) float32 array
        Latent point it was decoded from; empty for a model without latent.
    epoch : int
        Epoch of the weights.
    box : int
        Side, px.
    rung : str
        "surrogate": composed of volumes decoded before; "preview": by the network, at a
        smaller box or in lower precision; "exact" at the box the model was trained on;
        "reduced" at a smaller one, as asked for; "reduced: out of memory" at a smaller one
        because nothing larger fitted.
    tag : object
        As given with the request.
    seconds : float
        How long the decode itself took.
    full_box : int
        Box the model was trained on.
    error : float or None
        Of a surrogate, the relative error |surrogate - exact| / |exact| that is expected
        here; None for what the network decoded.
    last : bool
        Whether no better rung follows for this request.
    """

    data: npt.NDArray[np.float32]
    pixel_size: float | None
    z: npt.NDArray[np.float32]
    epoch: int
    box: int
    rung: Rung
    tag: object = None
    seconds: float = 0.0
    full_box: int = field(kw_only=True)
    error: float | None = field(default=None, kw_only=True)
    last: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class SurrogateRecord:
    """What the surrogate of a model is made of, and how far it can be trusted.

    Parameters
    ----------
    n_volumes : int
        Decoded volumes that it is composed of.
    rank : int
        Components that are kept of them.
    box : int
        Side of its volumes, px.
    error : float
        Median relative error |surrogate - exact| / |exact|, each volume predicted from the
        others.
    """

    n_volumes: int
    rank: int
    box: int
    error: float


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
