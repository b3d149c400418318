"""What dropping a file or folder on napari does: the readers of the manifest.

Each ``*_reader`` looks whether a path is its own, and returns the function that
opens it, or None so that another reader may have it. Readers that open docks
and add no layer return napari's mark for that, ``[(None,)]``. napari calls both
on the GUI thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.image_stack import FileImageStack, FileSections
from napari_cryodrgn.io.mrc_header import StackHeader, read_header
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.widgets.image_layers import (
    LayerTuple,
    LazyImages,
    stack_layer,
    volume_layer,
)

if TYPE_CHECKING:
    from napari import Viewer

Reader = Callable[..., list[Any]]

NO_LAYER: list[Any] = [(None,)]

# Any of these is in every config.yaml of cryoDRGN; many other programs have a
# file of that name.
RUN_WORDS = (b"model_args", b"data_norm_mean")
CONFIG_BYTES = 1 << 16

STACK_ENDING = ".mrcs"


def run_reader(path: str | list[str]) -> Reader | None:
    """Reader of a run folder: shows it in the docks."""
    folder = _single(path)
    if folder is None or not is_run_folder(folder) or _viewer() is None:
        return None
    return partial(_open_run, folder)


def particles_reader(path: str | list[str]) -> Reader | None:
    """Reader of a particle table: opens it in the Particles dock."""
    file = _single(path)
    if file is None or not file.is_file() or _viewer() is None:
        return None
    if file.suffix.lower() == ".txt" and not lists_stacks(file):
        return None
    return partial(_open_particles, file)


def mrc_reader(path: str | list[str]) -> Reader | None:
    """Reader of an MRC file: a volume becomes a layer, a stack also a particle set."""
    file = _single(path)
    if file is None or not file.is_file():
        return None
    return partial(_open_mrc, file)


def sample_reader(path: str | list[str]) -> Reader | None:
    """Reader of the addresses that *File > Open Sample* gives for our samples."""
    from napari_cryodrgn.widgets.samples import OPENERS

    address = path[0] if isinstance(path, list) else path
    opener = OPENERS.get(str(address))
    viewer = _viewer()
    if opener is None or viewer is None:
        return None

    def open_sample(_path: object, **_: object) -> list[Any]:
        opener(viewer)
        return NO_LAYER

    return open_sample


def is_run_folder(folder: Path) -> bool:
    """Whether a folder holds a run of cryoDRGN's or ours, whole or not."""
    if not folder.is_dir():
        return False
    run = RunFolder(folder)
    if run.weight_epochs() or run.latent_epochs():
        return True
    if not run.config.is_file():
        return False
    with run.config.open("rb") as file:
        beginning = file.read(CONFIG_BYTES)
    return any(word in beginning for word in RUN_WORDS)


def lists_stacks(file: Path) -> bool:
    """Whether the first line of a text file names an image stack."""
    with file.open("rb") as lines:
        first = lines.readline(4096).strip().lower()
    return first.endswith((b".mrcs", b".mrc"))


def is_image_stack(header: StackHeader) -> bool:
    """Whether an MRC file holds images, not a volume.

    Its ending says so, or a header that calls it no volume and has no cube; space
    group 0 alone means little, since many programs write volumes with it.
    """
    if header.path.suffix.lower() == STACK_ENDING:
        return True
    sections, rows, columns = header.shape
    return header.space_group == 0 and rows == columns and sections != rows


def _single(path: str | list[str]) -> Path | None:
    """The one path meant; several at once are no run and no particle set."""
    if isinstance(path, list):
        return Path(path[0]) if len(path) == 1 else None
    return Path(path)


def _viewer() -> Viewer | None:
    """The viewer in whose window things are opened; None without a window."""
    from napari import current_viewer

    return current_viewer()


def open_mrc(viewer: Viewer | None, file: Path) -> list[LayerTuple]:
    """The layer of an MRC file; a stack of images is also named in the Particles dock.

    Parameters
    ----------
    viewer : Viewer or None
        Where it will be shown; None without a window.
    file : Path
        A volume or a stack.
    """
    header = read_header(file)
    if not is_image_stack(header):
        if viewer is not None and not len(viewer.layers):
            viewer.dims.ndisplay = 3
        return [volume_layer(file)]
    if viewer is not None:
        # In 3D napari would read the whole stack, and show it as one volume.
        viewer.dims.ndisplay = 2
        _offer_as_particles(viewer, file)
    size = None if header.pixel_size is None else header.pixel_size[0]
    return [stack_layer(LazyImages(FileSections(header)), file.name, size)]


def _open_mrc(file: Path, _path: object, **_: object) -> list[Any]:
    return list(open_mrc(_viewer(), file))


def _open_run(folder: Path, _path: object, **_: object) -> list[Any]:
    from napari_cryodrgn.widgets.window import show_run

    viewer = _viewer()
    if viewer is not None:
        show_run(viewer, folder)
    return NO_LAYER


def _open_particles(file: Path, _path: object, **_: object) -> list[Any]:
    from napari_cryodrgn.widgets.window import show_particles

    viewer = _viewer()
    if viewer is not None:
        show_particles(viewer, file)
    return NO_LAYER


def _offer_as_particles(viewer: Viewer, file: Path) -> None:
    """Open a stack in the Particles dock too, where it could be particles."""
    from napari_cryodrgn.widgets.window import show_particles

    try:
        FileImageStack.of_files([file])
    except InputError:
        return  # odd boxes and the like can be looked at, not trained on
    show_particles(viewer, file)
