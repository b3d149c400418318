"""From particle images to the transforms that a model is trained on."""

from __future__ import annotations

import math

import numpy as np
import torch

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.hartley import hartley_2d, symmetrise
from napari_cryodrgn.particles import ImageStack

# Images that are looked at to measure the normalisation, and how many at a time.
NORM_SAMPLES = 1000
NORM_CHUNK = 64


def window_mask(box: int, radius: float, outer: float = 0.99) -> torch.Tensor:
    """Soft circular window: 1 inside, falling linearly to 0.

    Parameters
    ----------
    box : int
        Side of the images, px.
    radius : float
        Where the fall begins, as a fraction of half the box.
    outer : float
        Where it ends.

    Returns
    -------
    (box, box) float32 tensor
    """
    axis = (torch.arange(box, dtype=torch.float32) - box // 2) / (box / 2)
    distance = (axis[:, None].square() + axis[None, :].square()).sqrt()
    return (1 - (distance - radius) / (outer - radius)).clamp(0, 1)


def to_hartley(
    images: torch.Tensor, *, invert: bool, window: torch.Tensor | None = None
) -> torch.Tensor:
    """Window, invert, transform and symmetrise images; normalisation is left to the caller.

    Parameters
    ----------
    images : (B, box, box) tensor
        Images as stored.
    invert : bool
        Multiply by −1, for particles that are bright on a dark ground.
    window : (box, box) tensor, optional
        `window_mask`; None leaves the corners as they are.

    Returns
    -------
    (B, box + 1, box + 1) tensor
        Hartley transforms, zero frequency in the centre.
    """
    if window is not None:
        images = images * window
    transforms = hartley_2d(images)
    return symmetrise(-transforms if invert else transforms)


def measure_norm(stack: ImageStack, *, invert: bool) -> tuple[float, float]:
    """Mean and standard deviation by which transforms are normalised.

    As in cryoDRGN the mean is 0 by definition, and the standard deviation that of
    the un-windowed, symmetrised transforms of at most about a thousand images,
    evenly drawn from the stack.

    Parameters
    ----------
    stack : ImageStack
        The particle images.
    invert : bool
        Whether the images are inverted; the deviation does not depend on it.

    Returns
    -------
    (float, float)
        0.0 and the standard deviation.

    Raises
    ------
    InputError
        Where the stack is empty, has no contrast, or values that are no numbers.
    """
    if len(stack) == 0:
        raise InputError("there are no images to normalise by")
    positions = np.arange(0, len(stack), max(1, len(stack) // NORM_SAMPLES))
    count, total, total_squares = 0, 0.0, 0.0
    for start in range(0, len(positions), NORM_CHUNK):
        images = torch.tensor(stack.read(positions[start : start + NORM_CHUNK]))
        values = to_hartley(images, invert=invert).double()
        count += values.numel()
        total += float(values.sum())
        total_squares += float(values.square().sum())
    if not math.isfinite(total_squares):
        raise InputError("some pixels of the images are not finite numbers", field="norm")
    deviation = math.sqrt(max(0.0, total_squares - total * total / count) / (count - 1))
    if deviation == 0:
        raise InputError("the images have no contrast: every pixel is the same", field="norm")
    return 0.0, deviation
