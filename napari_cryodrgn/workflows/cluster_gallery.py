"""Pictures of the volumes that stand for clusters, all from one side and at one contour level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.palette import BACKGROUND, Colour
from napari_cryodrgn.export.surface_mesh import contour_level, surface_mesh
from napari_cryodrgn.export.surface_render import View, render_surfaces, view_rotation
from napari_cryodrgn.progress import Progress, Stopwatch, Task
from napari_cryodrgn.run import RunFolder

Picture = npt.NDArray[np.uint8]

GALLERY_BOX = 64
"""Volumes of a gallery are decoded at this box at most: enough for a small picture."""

_AZIMUTH, _ELEVATION = -112.0, 16.0
_SHOWN_SHARE = 0.85
"""Half width of the picture, in halves of the box."""


@dataclass(frozen=True)
class GalleryView:
    """How the volumes of a gallery are looked at.

    Parameters
    ----------
    size : int
        Side of the pictures, px.
    azimuth, elevation : float
        From where, degrees (see `export.surface_render.view_rotation`).
    background : (r, g, b)
        Colour behind them.
    """

    size: int = 144
    azimuth: float = _AZIMUTH
    elevation: float = _ELEVATION
    background: Colour = BACKGROUND


def decoded_gallery(
    run: RunFolder,
    epoch: int | None,
    z_values: npt.NDArray[np.float32],
    colours: Sequence[Colour],
    view: GalleryView | None = None,
) -> Task[list[Picture]]:
    """Decode latent points and draw each as a small picture of its surface.

    Parameters
    ----------
    run : RunFolder
        With weights.
    epoch : int or None
        Which; the latest without a number.
    z_values : (n, zdim) array
        Latent points.
    colours : sequence of (r, g, b)
        One for each.
    view : GalleryView, optional
        How to look at them.

    Returns
    -------
    list of (size, size, 3) uint8 arrays
        All at the contour level of all of them together, so that they can be compared.

    Raises
    ------
    InputError
        Where the weights are not there, or a colour is missing.
    """
    # torch is imported with these.
    from napari_cryodrgn.decoding.volume import decode_volumes
    from napari_cryodrgn.model.checkpoint import load_model

    if len(colours) != len(z_values):
        raise InputError(
            f"there are {len(colours)} colours for {len(z_values)} volumes", field="colours"
        )
    how = view or GalleryView()
    yield Progress(0, None, "Loading the model")
    model = load_model(run, epoch)
    box = min(model.config.box, GALLERY_BOX)
    watch = Stopwatch(total=2 * len(z_values))
    volumes = []
    for volume in decode_volumes(model, z_values, box=box):
        volumes.append(volume)
        done = len(volumes)
        yield Progress(done, watch.total, "Decoding", watch.seconds_left(done))
    level = contour_level(volumes)
    rotation = view_rotation(how.azimuth, how.elevation)
    looked_at = View(rotation, _SHOWN_SHARE * box / 2, (how.size, how.size))
    pictures = []
    for volume, colour in zip(volumes, colours, strict=True):
        if not volume.min() < level < volume.max():
            surfaces = []  # of noise alone, nothing reaches the level of the others
        else:
            surfaces = [(surface_mesh(volume, level), colour)]
        pictures.append(render_surfaces(surfaces, looked_at, background=how.background))
        done = len(volumes) + len(pictures)
        yield Progress(done, watch.total, "Drawing", watch.seconds_left(done))
    return pictures
