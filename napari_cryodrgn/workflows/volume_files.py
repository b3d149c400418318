"""Decoding latent points into numbered ``.mrc`` files."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.mrc import write_volume
from napari_cryodrgn.io.mrc_header import read_header
from napari_cryodrgn.progress import Progress, Stopwatch, Task
from napari_cryodrgn.workflows.background import in_thread

if TYPE_CHECKING:
    from napari_cryodrgn.model.checkpoint import LoadedModel

logger = logging.getLogger(__name__)

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
# Headers hold float32, and other programs round what they write there.
_PIXEL_SIZE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class VolumeSettings:
    """How volumes are written.

    Parameters
    ----------
    box : int
        Side of the volumes, px.
    pixel_size : float or None
        Å per voxel; None where nothing says it, which the header then says too.
    flip : bool
        Mirror along z, for the other hand.
    invert : bool
        Multiply by -1.
    """

    box: int
    pixel_size: float | None
    flip: bool = False
    invert: bool = False


def volume_settings(
    trained_box: int,
    trained_pixel_size: float | None,
    *,
    box: int | None,
    pixel_size: float | None,
    flip: bool,
    invert: bool,
) -> VolumeSettings:
    """Settle what is to be written, and warn where the pixel size is not known.

    Parameters
    ----------
    trained_box : int
        Side of the training images, px.
    trained_pixel_size : float or None
        Å per pixel of the training images.
    box : int or None
        Side of the volumes; the trained one if None. A smaller box shows the
        same field of view in larger voxels.
    pixel_size : float or None
        Å per voxel of the volumes, where it is given rather than known.
    flip, invert : bool
        See `VolumeSettings`.

    Raises
    ------
    InputError
        Where the box or the pixel size is impossible.
    """
    side = trained_box if box is None else box
    if not 2 <= side <= trained_box or side % 2:
        raise InputError(
            f"the box of a volume is even and at most that of the training, {trained_box} px",
            field="-d",
            value=box,
        )
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise InputError("a pixel size is a positive number", field="--Apix", value=pixel_size)
    if pixel_size is None and trained_pixel_size is not None:
        pixel_size = trained_pixel_size * trained_box / side
    if pixel_size is None:
        logger.warning(
            "Nothing says the pixel size of this run: the volumes' headers leave it open. "
            "Give it with --Apix."
        )
    return VolumeSettings(side, pixel_size, flip, invert)


def is_whole(path: Path, settings: VolumeSettings) -> bool:
    """Whether a volume is there, complete, and of the box and pixel size wanted."""
    try:
        header = read_header(path)
    except InputError:
        return False
    if header.shape != (settings.box,) * 3:
        return False
    if settings.pixel_size is None:
        return True
    return header.pixel_size is not None and bool(
        np.allclose(header.pixel_size, settings.pixel_size, rtol=_PIXEL_SIZE_TOLERANCE, atol=0)
    )


def decode_files(
    model: LoadedModel,
    z: npt.NDArray[np.float32] | None,
    paths: list[Path],
    settings: VolumeSettings,
) -> Task[None]:
    """Decode latent points and write a volume for each.

    Closing the task cancels the decode under way; files written so far stay, whole.

    Parameters
    ----------
    model : LoadedModel
        The decoder.
    z : (n, zdim) float32 array or None
        Latent points; None for the one volume of a model without latent.
    paths : list of Path
        The n files, in folders that exist.
    settings : VolumeSettings
        How to write them.
    """
    if not paths:
        yield Progress(0, 0, "Volumes decoded", 0.0)
        return
    from napari_cryodrgn.decoding.volume import check_z
    from napari_cryodrgn.decoding.volume_decoder import VolumeDecoder

    watch = Stopwatch(len(paths))
    stop = threading.Event()
    # Files are written while the next volume is decoded; one at a time, so that a slow
    # disk does not fill the memory.
    with VolumeDecoder(model) as decoder, ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None
        try:
            for done, path in enumerate(paths):
                point = check_z(model, None if z is None else z[done])
                report = Progress(done, len(paths), "Decoding volumes", watch.seconds_left(done))
                yield report
                volume = yield from in_thread(
                    lambda point=point: decoder.decode(  # type: ignore[misc]
                        point, settings.box, cancelled=stop.is_set
                    ),
                    report,
                )
                if writing is not None:
                    writing.result()
                oriented_volume = oriented(volume, settings)
                writing = writer.submit(write_volume, path, oriented_volume, settings.pixel_size)
            if writing is not None:
                writing.result()
        finally:
            stop.set()
    yield Progress(len(paths), len(paths), "Volumes decoded", 0.0)


def oriented(volume: npt.NDArray[np.float32], settings: VolumeSettings) -> npt.NDArray[np.float32]:
    """The volume mirrored and inverted as asked."""
    if settings.flip:
        volume = volume[::-1]
    return -volume if settings.invert else volume


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises
    ------
    InputError
        Where that is not allowed, or a file has the name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"this folder cannot be made ({error.strerror})", file=path) from error
