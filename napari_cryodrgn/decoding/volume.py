"""From a point of the latent space to a volume."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.network import Precision
from napari_cryodrgn.decoding.volume_decoder import MAX_BYTES, Cancelling, VolumeDecoder
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.model.loaded import LoadedModel


def decode_volume(
    model: LoadedModel,
    z: npt.ArrayLike | None,
    *,
    box: int | None = None,
    max_bytes: int = MAX_BYTES,
    precision: Precision = "single",
    cancelled: Cancelling | None = None,
) -> npt.NDArray[np.float32]:
    """Decode one latent point. For several, `decode_volumes` or a `VolumeDecoder` is quicker.

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
        Bound on the memory that activations of one chunk of points take.
    precision : {"single", "half"}
        Half (bfloat16) for previews, and only where the device has it.
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
    A Fourier decoder is evaluated within the ball ``|k| <= extent``, and there on one
    half only: the other half follows as the conjugate, as the transform of a real
    volume has it. A Hartley decoder is evaluated on the whole cube. Values times
    the images' standard deviation plus their mean, zeros outside the ball included,
    are the Hartley transform of the volume; intensities are not rescaled with the
    box. All of this is as in cryoDRGN, except that it evaluates both halves.
    """
    side = check_box(model, box)
    point = check_z(model, z)
    with VolumeDecoder(model, cache_bytes=0, max_bytes=max_bytes) as decoder:
        return decoder.decode(point, side, precision=precision, cancelled=cancelled)


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
    side = check_box(model, box)
    rows = np.asarray(z_values, dtype=np.float32)
    if rows.ndim != 2:
        raise InputError(
            "latent points are a table with one row each", field="z", value=f"shape {rows.shape}"
        )
    points = [check_z(model, row) for row in rows]
    return _decoded(model, points, side, max_bytes, cancelled)


def _decoded(
    model: LoadedModel,
    points: list[npt.NDArray[np.float32] | None],
    side: int,
    max_bytes: int,
    cancelled: Cancelling | None,
) -> Iterator[npt.NDArray[np.float32]]:
    with VolumeDecoder(model, max_bytes=max_bytes) as decoder:
        for point in points:
            yield decoder.decode(point, side, cancelled=cancelled)


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
