"""From a point of the latent space to a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.decoding.evaluation_points import half_ball, masked_planes, whole_cube
from napari_cryodrgn.errors import Cancelled, InputError
from napari_cryodrgn.imaging.hartley import inverse_hartley_3d
from napari_cryodrgn.imaging.lattice import Lattice
from napari_cryodrgn.model.decoder import Decoder
from napari_cryodrgn.model.loaded import LoadedModel

# Memory that the activations of one chunk of points may take.
MAX_BYTES = 256 * 2**20

# Arithmetic of one chunk on a CPU: some 30 ms of one core, so that a decode can be
# cancelled quickly, and activations that stay in its cache.
CPU_CHUNK_FLOP = 2e9

Cancelling = Callable[[], bool]


def decode_volume(
    model: LoadedModel,
    z: npt.ArrayLike | None,
    *,
    box: int | None = None,
    max_bytes: int = MAX_BYTES,
    cancelled: Cancelling | None = None,
) -> npt.NDArray[np.float32]:
    """Decode one latent point.

    Parameters
    ----------
    model : LoadedModel
        Evaluated on the device where it is.
    z : (zdim,) array-like or None
        Latent point; None for a model without latent.
    box : int, optional
        Side of the volume, px: even, at most the box the model was trained on, of which
        it shows the lower frequencies; its voxels are larger by that ratio. The trained
        box if not given.
    max_bytes : int
        Bound on the memory that activations take at any time.
    cancelled : callable, optional
        Asked between chunks of points; where it says True the decode stops.

    Returns
    -------
    (box, box, box) float32 array
        Density [z, y, x].

    Raises
    ------
    InputError
        Where z has another length than the latent space or is not finite, or the box
        does not fit.
    Cancelled
        Where `cancelled` said so.

    Notes
    -----
    A Fourier decoder is evaluated within the ball |k| <= extent, and there on one
    half only: the other half follows as the conjugate, as the transform of a real
    volume has it. A Hartley decoder is evaluated on the whole cube. Values times
    the images' standard deviation plus their mean, zeros outside the ball included,
    are the Hartley transform of the volume; intensities are not rescaled with the
    box. All of this is as in cryoDRGN, except that it evaluates both halves.
    """
    side = check_box(model, box)
    point = check_z(model, z)
    with torch.inference_mode():
        latent = None if point is None else torch.from_numpy(point).to(model.vae.device)
        transform = _transform(model, latent, side, max_bytes, cancelled)
        mean, deviation = model.norm
        volume = inverse_hartley_3d(transform * deviation + mean)
        return np.ascontiguousarray(volume.cpu().numpy())


def decode_volumes(
    model: LoadedModel,
    z_values: npt.ArrayLike,
    *,
    box: int | None = None,
    max_bytes: int = MAX_BYTES,
    cancelled: Cancelling | None = None,
) -> Iterator[npt.NDArray[np.float32]]:
    """Decode latent points one after another.

    Parameters
    ----------
    model, box, max_bytes, cancelled
        As for `decode_volume`.
    z_values : (n, zdim) array-like
        Latent points; all are checked before the first is decoded.

    Returns
    -------
    iterator of (box, box, box) float32 arrays

    Raises
    ------
    InputError
        As for `decode_volume`, at once.
    """
    check_box(model, box)
    rows = np.asarray(z_values, dtype=np.float32)
    if rows.ndim != 2:
        raise InputError(
            "latent points are a table with one row each", field="z", value=f"shape {rows.shape}"
        )
    points = [check_z(model, row) for row in rows]
    return (
        decode_volume(model, point, box=box, max_bytes=max_bytes, cancelled=cancelled)
        for point in points
    )


def check_box(model: LoadedModel, box: int | None) -> int:
    """The side at which a model is decoded, px; the trained one for None.

    Raises
    ------
    InputError
        Where it is odd, below 2 or larger than the trained one.
    """
    if box is None:
        return model.box
    if box < 2 or box % 2 or box > model.box:
        raise InputError(
            f"the box of a volume must be even and at most {model.box}, the model's own",
            field="box",
            value=box,
        )
    return box


def check_z(model: LoadedModel, z: npt.ArrayLike | None) -> npt.NDArray[np.float32] | None:
    """One latent point as a (zdim,) array; None for a model without latent.

    Raises
    ------
    InputError
        Where its length is not that of the latent space, or a number is not finite.
    """
    values = np.asarray([] if z is None else z, dtype=np.float32).reshape(-1)
    if len(values) != model.zdim:
        raise InputError(
            f"a latent point of this model has {model.zdim} numbers, not {len(values)}",
            field="z",
            value=values.tolist(),
        )
    if not np.isfinite(values).all():
        raise InputError("a latent point must be finite", field="z", value=values.tolist())
    return values if model.zdim else None


def chunk_size(decoder: Decoder, device: torch.device, max_bytes: int) -> int:
    """Points that are evaluated at a time.

    Parameters
    ----------
    decoder : Decoder
    device : torch.device
    max_bytes : int
        Bound on the memory of their activations.
    """
    n_in, width = decoder.decoder.n_in, decoder.decoder.width
    layers = decoder.decoder.layers
    # Phases, sines and cosines; hidden values before and after a layer, and their sum.
    by_memory = max_bytes // (4 * (2 * n_in + 3 * width + 8))
    if device.type != "cpu":
        return max(1, by_memory)
    flop = 2 * (n_in * width + layers * width * width + 2 * width)
    return max(1, min(by_memory, int(CPU_CHUNK_FLOP / flop)))


def _transform(
    model: LoadedModel,
    z: torch.Tensor | None,
    box: int,
    max_bytes: int,
    cancelled: Cancelling | None,
) -> torch.Tensor:
    """Normalised Hartley transform of the volume, (box, box, box), on the model's device."""
    device = model.vae.device
    decoder = model.vae.decoder
    side = box + 1
    total = side**3
    axis = Lattice(box, 0.5 * box / model.box, device).axis
    if model.mask_radius is not None:
        index, n_mirrored = masked_planes(model.box, box, model.mask_radius), 0
    elif decoder.domain == "fourier":
        index, n_mirrored = half_ball(model.box, box, encoded=decoder.pe_type != "none")
    else:
        index, n_mirrored = whole_cube(box), 0
    transform = torch.zeros(total, device=device)
    step = chunk_size(decoder, device, max_bytes)
    for start in range(0, len(index), step):
        if cancelled is not None and cancelled():
            raise Cancelled
        chosen = index[start : start + step].to(device)
        points = torch.stack(
            (axis[chosen % side], axis[chosen // side % side], axis[chosen // side**2]), dim=-1
        )
        values = decoder.coefficients(points, z)
        if decoder.domain == "hartley":
            transform[chosen] = values[:, 0]
            continue
        transform[chosen] = values[:, 0] - values[:, 1]
        mirrored = max(0, min(step, n_mirrored - start))
        transform[total - 1 - chosen[:mirrored]] = (values[:, 0] + values[:, 1])[:mirrored]
    return transform.reshape(side, side, side)[:-1, :-1, :-1]
