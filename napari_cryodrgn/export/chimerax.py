"""Scripts for UCSF ChimeraX (.cxc): a series of maps with one contour, one camera, playing.

Written from ChimeraX's public user documentation (commands open, volume, vseries, volume
morph, camera, view matrix).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.export.palette import Colour

_FIELD_OF_VIEW = 30.0


def series_script(
    names: Sequence[str],
    *,
    level: float,
    colour: Colour,
    rotation: npt.NDArray[np.floating],
    box: int,
    pixel_size: float | None,
    frames_per_second: float = 20,
    back_and_forth: bool = False,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> str:
    """A script that plays volumes as a series.

    Parameters
    ----------
    names : sequence of str
        Files of the volumes, beside the script, in order.
    level : float
        Contour level, the same for all.
    colour : (r, g, b)
        Of the surface.
    rotation : (3, 3) array
        The view, as ``surface_render.View`` has it: rows are right, up, and to the viewer.
    box, pixel_size : int, float or None
        Side of the volumes in voxels, and Å per voxel. Of a map that does not tell, ChimeraX
        takes voxels to be 1 Å wide; the script then says so.
    frames_per_second : float
        At most so many volumes a second.
    back_and_forth : bool
        Play to the end and back.
    origin : (x, y, z)
        Origin in the volumes' headers, Å.

    Returns
    -------
    str
    """
    direction = "oscillate" if back_and_forth else "forward"
    lines = [
        "# Plays the series; 'vseries stop #1' halts it, 'vseries slider #1' steps through it.",
        f"open {' '.join(map(quoted, names))} vseries true",
        *_looks("#1", level, colour, rotation, box, pixel_size, origin),
        f"vseries play #1 loop true direction {direction} maxFrameRate {frames_per_second:g}",
    ]
    return "\n".join(lines) + "\n"


def morph_script(
    names: Sequence[str],
    *,
    level: float,
    colour: Colour,
    rotation: npt.NDArray[np.floating],
    box: int,
    pixel_size: float | None,
    n_frames: int,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> str:
    """A script that morphs between volumes with ``volume morph``; see `series_script`.

    Parameters
    ----------
    names, level, colour, rotation, box, pixel_size, origin
        As for `series_script`.
    n_frames : int
        Pictures of the morph from the first to the last volume.

    Returns
    -------
    str
    """
    last = len(names)
    lines = [
        "# Interpolates between the volumes; a slider appears that goes through the morph.",
        f"open {' '.join(map(quoted, names))} vseries false",
        *_looks(f"#1-{last}", level, colour, rotation, box, pixel_size, origin),
        f"volume morph #1-{last} frames {n_frames} slider true",
    ]
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """A file name as a ChimeraX command takes it."""
    return f'"{name}"' if any(letter in name for letter in " ;#'") else name


def _looks(
    models: str,
    level: float,
    colour: Colour,
    rotation: npt.NDArray[np.floating],
    box: int,
    pixel_size: float | None,
    origin: tuple[float, float, float],
) -> list[str]:
    """Contour, colour, light and camera."""
    unknown = pixel_size is None
    pixel_size = 1.0 if pixel_size is None else pixel_size
    red, green, blue = colour
    centre = np.asarray(origin, np.float64) + box // 2 * pixel_size
    # ChimeraX's camera looks down its own -z axis; so far away it sees the whole box.
    away = 0.5 * box * pixel_size / np.tan(np.radians(_FIELD_OF_VIEW / 2))
    axes = np.asarray(rotation, np.float64)
    place = centre + away * axes[2]
    matrix = np.column_stack([axes.T, place])
    numbers = ",".join(f"{value:.6g}" for value in matrix.reshape(-1))
    return [
        *(["# The pixel size is unknown: lengths are in voxels, not in Å."] if unknown else []),
        f"volume {models} style surface level {level:.6g} step 1 "
        f"color #{red:02x}{green:02x}{blue:02x}",
        "set bgColor white",
        "lighting soft",
        f"camera mono fieldOfView {_FIELD_OF_VIEW:g}",
        f"view matrix camera {numbers}",
    ]
