"""Movies: MP4 where ffmpeg is there, else GIF; and single pictures."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from napari_cryodrgn.export.layout import Picture
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.progress import Progress, Task

# H.264 codes whole blocks of so many pixels.
BLOCK = 16


def movie_ending() -> str:
    """'.mp4' where imageio-ffmpeg (the extra ``movies``) is installed, else '.gif'."""
    return ".mp4" if importlib.util.find_spec("imageio_ffmpeg") else ".gif"


def write_movie(
    path: Path, frames: Iterable[Picture], n_frames: int, *, frames_per_second: float = 20
) -> Task[Path]:
    """Write a movie, whole or not at all.

    Parameters
    ----------
    path : Path
        Where, without ending; it is the ending that tells the format.
    frames : iterable of (height, width, 3) uint8 arrays
        Made one by one as they are needed; all of one size.
    n_frames : int
        How many there are, for the progress.
    frames_per_second : float
        Speed.

    Returns
    -------
    Path
        The file, ending in ``.mp4`` or ``.gif``.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    target = path.with_suffix(movie_ending())
    with tempfile.TemporaryDirectory(prefix="napari-cryodrgn-movie-") as folder:
        draft = Path(folder) / target.name
        options: dict[str, Any] = {"duration": 1000 / frames_per_second, "loop": 0}
        if target.suffix == ".mp4":
            options = {"fps": frames_per_second, "quality": 8, "macro_block_size": BLOCK}
        writer: Any = imageio.get_writer(draft, **options)
        with writer:
            for number, frame in enumerate(frames):
                yield Progress(number, n_frames, "Drawing the movie")
                writer.append_data(_in_blocks(frame))
        with replacing(target) as file:
            file.write(draft.read_bytes())
    return target


def write_picture(path: Path, picture: Picture) -> Path:
    """Write a PNG, whole or not at all."""
    with replacing(path) as file:
        imageio.imwrite(file, picture, format="png")
    return path


def _in_blocks(frame: Picture) -> Picture:
    """A frame with its last row and column repeated up to whole blocks."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
