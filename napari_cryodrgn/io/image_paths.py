"""Finds the image files that a particle table names."""

from __future__ import annotations

import re
from pathlib import Path

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import is_file
from napari_cryodrgn.io.image_stack import FileImageStack
from napari_cryodrgn.io.mrc_header import read_headers
from napari_cryodrgn.io.particle_table import ImageReferences

IMAGE_FILE = "image file"
"""Field of the `InputError` about image files that are found nowhere."""

MOST_MISSING = 1000
"""Missing files after which no more are looked for: on a shared disk each takes its time."""

PROJECT_DEPTH = 4
"""Folders above the table's in which paths are looked for: RELION and cryoSPARC write them
relative to the project, and the table lies a few folders below it."""


def open_images(
    references: ImageReferences, table: Path, datadir: str | Path | None = None
) -> FileImageStack:
    """The image stack of a table's references; reads headers only.

    Parameters
    ----------
    references : ImageReferences
        Files as written and sections.
    table : Path
        The table that names them.
    datadir : path-like, optional
        Folder in which to look first.

    Raises
    ------
    InputError
        Where a file is found nowhere, naming the places tried, or cannot be used.
    """
    paths = find_files(references.files, table, datadir)
    return FileImageStack(read_headers(paths), references.file_numbers, references.sections)


def find_files(
    written: tuple[str, ...], table: Path, datadir: str | Path | None = None
) -> list[Path]:
    """Paths of image files, in the order given.

    A `datadir` that was named is searched first, for the path as written and for the bare file
    name. Else, or where it holds nothing, a path is taken as it is, then relative to the table's
    folder and those above it, and at last its bare name is looked for beside the table.

    Raises
    ------
    InputError
        Where a file is found nowhere; names the places tried and how many files are missing.
    """
    if datadir is not None and not Path(datadir).is_dir():
        raise InputError("there is no such folder", field="--datadir", value=datadir)
    where: dict[str, Path | None] = {}
    missing: list[str] = []
    for name in dict.fromkeys(written):
        places = _places(name, table, datadir)
        where[name] = next((place for place in places if is_file(place)), None)
        if where[name] is None:
            missing.append(name)
            if len(missing) == MOST_MISSING:
                break
    if missing:
        tried = ", ".join(map(str, _places(missing[0], table, datadir)))
        others = f"{len(missing) - 1}{'' if len(missing) < MOST_MISSING else ' or more'}"
        more = "" if len(missing) == 1 else f" (nor {others} others)"
        raise InputError(
            f"this image file was not found{more}; tried {tried}",
            file=table,
            field=IMAGE_FILE,
            value=missing[0],
            hint="Name the folder that holds the images with --datadir",
        )
    return [path for path in map(where.get, written) if path is not None]


def _places(name: str, table: Path, datadir: str | Path | None) -> list[Path]:
    """Where a file may be, best first, each place once."""
    # A path written under Windows is one long name elsewhere.
    base = re.split(r"[\\/]", name)[-1]
    folder = table.absolute().parent
    places = [] if datadir is None else [Path(datadir) / name, Path(datadir) / base]
    places.append(Path.cwd() / name)
    places += [above / name for above in (folder, *folder.parents[:PROJECT_DEPTH])]
    places.append(folder / base)
    return list(dict.fromkeys(places))
