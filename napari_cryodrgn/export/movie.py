"""Movies and pictures as files: MP4 through ffmpeg, GIF, PNG."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.export.layout import Picture
from napari_cryodrgn.io.atomic import replacing
from napari_cryodrgn.progress import Progress, Stopwatch, Task

ENDINGS = (".mp4", ".gif")
# H.264 with halved colour codes pairs of pixels.
_BLOCK = 2
# The same frames give the same bytes: no dates or versions written, one thread.
_REPEATABLE = ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]


def movie_ending() -> str:
    """'.mp4' where imageio-ffmpeg (the extra ``movies``) is installed, else '.gif'."""
    return ".mp4" if importlib.util.find_spec("imageio_ffmpeg") else ".gif"


def check_movie(path: Path, size: tuple[int, int] | None = None) -> None:
    """Say, before anything is made, why a movie could not be written.

    Parameters
    ----------
    path : Path
        The file; its ending tells the format.
    size : (int, int), optional
        Width and height of the frames, px.

    Raises
    ------
    InputError
        Where the ending is none of ``.mp4`` and ``.gif``, ffmpeg is missing, or the size is
        odd where the format wants it even.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError("a movie is an .mp4 or a .gif", file=path)
    if ending == ".gif":
        return
    if movie_ending() != ".mp4":
        raise InputError(
            "writing an MP4 needs ffmpeg, and imageio-ffmpeg is not installed",
            file=path,
            hint="Install it with: pip install 'napari-cryodrgn[movies]', or write a .gif",
        )
    if size is not None and any(side % _BLOCK for side in size):
        even = "x".join(str(side + side % _BLOCK) for side in size)
        raise InputError(
            "the width and the height of an MP4 are even",
            field="size",
            value=f"{size[0]}x{size[1]}",
            hint=f"Take {even}, or write a .gif",
        )


def write_movie(
    path: Path,
    frames: Iterable[Picture],
    n_frames: int,
    *,
    frames_per_second: float = 20,
    repeat: bool = True,
) -> Task[Path]:
    """Write a movie, whole or not at all.

    Parameters
    ----------
    path : Path
        Where; the ending tells the format, ``.mp4`` or ``.gif``. Without one it is an MP4 where
        ffmpeg is there.
    frames : iterable of (height, width, 3) uint8 arrays
        Made one by one as they are needed; all of one size.
    n_frames : int
        How many there are, for the progress.
    frames_per_second : float
        Speed.
    repeat : bool
        Whether a GIF starts again at its end; players decide that for an MP4.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    target = path if path.suffix.lower() in ENDINGS else path.with_suffix(movie_ending())
    check_movie(target)
    watch = Stopwatch(n_frames)
    with tempfile.TemporaryDirectory(prefix="napari-cryodrgn-movie-") as folder:
        draft = Path(folder) / f"movie{target.suffix.lower()}"
        options: dict[str, Any] = {"duration": 1000 / frames_per_second}
        if repeat:
            options["loop"] = 0
        if draft.suffix == ".mp4":
            options = {
                "fps": frames_per_second,
                "quality": 8,
                "macro_block_size": _BLOCK,
                "output_params": _REPEATABLE,
            }
        writer: Any = imageio.get_writer(draft, **options)
        with writer:
            for number, frame in enumerate(frames):
                yield Progress(number, n_frames, "Drawing the movie", watch.seconds_left(number))
                writer.append_data(_in_blocks(frame) if draft.suffix == ".mp4" else frame)
        with replacing(target) as file:
            file.write(draft.read_bytes())
    yield Progress(n_frames, n_frames, "Movie written", 0.0)
    return target


def write_frames(paths: list[Path], frames: Iterable[Picture]) -> Task[list[Path]]:
    """Write numbered PNGs; those written are taken away again where not all could be.

    Parameters
    ----------
    paths : list of Path
        The files, in a folder that exists.
    frames : iterable of (height, width, 3) uint8 arrays
        As many.

    Returns
    -------
    list of Path
    """
    watch = Stopwatch(len(paths))
    with undone_unless_finished() as written:
        for number, (path, frame) in enumerate(zip(paths, frames, strict=True)):
            yield Progress(number, len(paths), "Drawing frames", watch.seconds_left(number))
            if not path.exists():
                written.append(path)
            write_picture(path, frame)
    return paths


@contextlib.contextmanager
def undone_unless_finished() -> Iterator[list[Path]]:
    """Take files away again where a task is closed or fails before all of them are written.

    Yields
    ------
    list of Path
        To be filled with files that were not there before.
    """
    written: list[Path] = []
    finished = False
    try:
        yield written
        finished = True
    finally:
        for path in () if finished else written:
            path.unlink(missing_ok=True)


def write_picture(path: Path, picture: Picture) -> Path:
    """Write a PNG, whole or not at all."""
    with replacing(path) as file:
        imageio.imwrite(file, picture, format="png")
    return path


def _in_blocks(frame: Picture) -> Picture:
    """A frame with its last row and column repeated up to whole blocks."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, -height % _BLOCK), (0, -width % _BLOCK), (0, 0)), mode="edge")
