"""``napari-cryodrgn cache``: images that trainings keep prepared on disk."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from napari_cryodrgn.commandline.drive import errors_as_status
from napari_cryodrgn.errors import InputError

app = typer.Typer(
    help="Images that trainings keep ready on disk (train --cache).", no_args_is_help=True
)

Folder = Annotated[
    Path | None,
    typer.Option("--cache", help="The folder given to train; the usual one if left out."),
]


@app.callback()
def _cache() -> None:
    """Has no work of its own: it makes the two commands of their own."""


@app.command("list")
def list_(folder: Folder = None) -> None:
    """List what is kept, the one used last first."""
    from napari_cryodrgn.training.cache_folder import entries

    with errors_as_status():
        place = _folder(folder)
        found = entries(place)
    for entry in found:
        used = datetime.datetime.fromtimestamp(entry.used).isoformat(" ", "minutes")
        typer.echo(
            f"{entry.n_bytes / 1e9:8.2f} GB  used {used}  {entry.n_images} images of "
            f"{entry.box} px  {entry.particles or 'unknown'}"
        )
    total = sum(entry.n_bytes for entry in found)
    typer.echo(f"{total / 1e9:8.2f} GB  in all, in {place}")


@app.command("clean")
def clean_(
    folder: Folder = None,
    keep: Annotated[
        float, typer.Option("--keep", help="GB to leave, of those used last.", min=0)
    ] = 0.0,
) -> None:
    """Remove what is kept; trainings that use it go on, and prepare their images anew."""
    from napari_cryodrgn.training.cache_folder import clean

    with errors_as_status():
        freed = clean(_folder(folder), int(keep * 1e9))
    typer.echo(f"{freed / 1e9:.2f} GB freed")


def _folder(given: Path | None) -> Path:
    from napari_cryodrgn.training.cache_folder import default_folder

    if given is None:
        return default_folder()
    if not given.is_dir():
        raise InputError("there is no such folder", file=given, field="--cache")
    return given
