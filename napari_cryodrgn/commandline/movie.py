"""``movie``: a path through the latent space as a movie, frames or volumes for ChimeraX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status
from napari_cryodrgn.errors import InputError

_PANEL = "What it shows"


def _shown(name: str, text: str, **options: Any) -> Any:
    return typer.Option(name, help=text, rich_help_panel=_PANEL, **options)


def movie(
    run: Annotated[
        Path | None, typer.Argument(help="Run folder; the recipe's own if left out.")
    ] = None,
    epoch: Annotated[
        int | None, typer.Argument(help="Epoch, counted from 1; the latest if left out.", min=0)
    ] = None,
    *,
    zfile: Annotated[
        Path | None,
        typer.Option("--zfile", help="Text file with the latent point of each state, in order."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", help="Make the movie of a recipe again; options given differ."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The movie: .mp4 or .gif.")
    ] = None,
    frames: Annotated[
        Path | None, typer.Option("--frames", help="Folder for the frames as PNGs.")
    ] = None,
    volumes: Annotated[
        Path | None,
        typer.Option(
            "--volumes", help="Folder for .mrc volumes, z-path.txt and ChimeraX scripts (.cxc)."
        ),
    ] = None,
    save_recipe: Annotated[
        Path | None,
        typer.Option("--save-recipe", help="File for the recipe; beside the movie if left out."),
    ] = None,
    layout: Annotated[
        Literal["volume", "composite"] | None,
        _shown("--layout", "The volume alone, or with the path and the density along it."),
    ] = None,
    axes: Annotated[
        Literal["auto", "umap", "pca"] | None, _shown("--axes", "Axes of the latent plot.")
    ] = None,
    size: Annotated[
        tuple[int, int] | None, _shown("--size", "Width and height of the frames, px.")
    ] = None,
    fps: Annotated[float | None, _shown("--fps", "Frames per second.")] = None,
    play: Annotated[
        Literal["once", "loop", "ping-pong"] | None,
        _shown("--play", "To the end; again and again; to the end and back."),
    ] = None,
    azimuth: Annotated[
        float | None, _shown("--azimuth", "View from around the z axis, degrees.")
    ] = None,
    elevation: Annotated[float | None, _shown("--elevation", "View from above, degrees.")] = None,
    orbit: Annotated[
        float | None, _shown("--orbit", "Turn of the camera over the movie, degrees.")
    ] = None,
    swing: Annotated[
        float | None, _shown("--swing", "Turn of the camera to and fro, degrees.")
    ] = None,
    zoom: Annotated[float | None, _shown("--zoom", "2 shows the molecule twice as large.")] = None,
    colour: Annotated[str | None, _shown("--colour", "Of the surface, #rrggbb.")] = None,
    background: Annotated[str | None, _shown("--background", "Behind it, #rrggbb.")] = None,
    level: Annotated[float | None, _shown("--level", "Contour level of all frames.")] = None,
    scale_bar: Annotated[
        bool | None, _shown("--scale-bar/--no-scale-bar", "Draw a scale bar.")
    ] = None,
    difference: Annotated[
        bool | None,
        _shown(
            "--difference/--no-difference",
            "Colour what has come (blue) and gone (red) since the first state.",
        ),
    ] = None,
    box: Annotated[
        int | None, typer.Option("-d", "--downsample", help="Side of the volumes, px, even.", min=2)
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option("--Apix", help="Å per voxel; what the run says if left out.")
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Mirror volumes along z.")
    ] = None,
    invert: Annotated[
        bool | None, typer.Option("--invert/--no-invert", help="Multiply volumes by -1.")
    ] = None,
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu"], typer.Option("--device", help="Where to decode.")
    ] = "auto",
) -> None:
    """Make a movie of states along a path, without a display, the same pixels each time.

    A recipe (.json) beside the movie repeats it: napari-cryodrgn movie --recipe FILE -o MOVIE.
    """
    given = {
        "epoch": epoch,
        "layout": layout,
        "axes": axes,
        "size": size,
        "frames_per_second": fps,
        "play": play,
        "azimuth": azimuth,
        "elevation": elevation,
        "orbit": orbit,
        "swing": swing,
        "zoom": zoom,
        "colour": colour,
        "background": background,
        "level": level,
        "scale_bar": scale_bar,
        "difference": difference,
        "box": box,
        "pixel_size": pixel_size,
        "flip": flip,
        "invert": invert,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    with errors_as_status():
        from napari_cryodrgn.workflows.movie import make_movie

        wanted = _recipe(run, zfile, recipe, settings)
        if out is not None and save_recipe is None and recipe is None:
            save_recipe = out.with_suffix(".json")
        task = make_movie(
            wanted,
            out,
            frames_folder=frames,
            volumes_folder=volumes,
            recipe_file=save_recipe,
            device=device,
        )
        made = drive(task, lambda: "Nothing was written.")
    for path in (made.movie, made.recipe, *made.frames, *made.volumes, *made.scripts):
        if path is not None:
            typer.echo(path)


def _recipe(
    run: Path | None, zfile: Path | None, recipe: Path | None, settings: dict[str, Any]
) -> Any:
    """The recipe given, with what the options change in it, or one made from them."""
    from napari_cryodrgn.workflows.movie_recipe import make_recipe, read_recipe
    from napari_cryodrgn.workflows.z_values import read_z_values

    if recipe is None:
        if run is None or zfile is None:
            raise InputError("a run folder and --zfile are needed, or --recipe")
        return make_recipe(run.expanduser().absolute(), read_z_values(zfile), **settings)
    values = dict(read_recipe(recipe))
    z = values.pop("z") if zfile is None else read_z_values(zfile)
    values.pop("z", None)
    if run is not None:
        values["run"] = run.expanduser().absolute()
    if {"layout"} & set(settings) and "size" not in settings:
        values["size"] = None
    if settings.keys() & {"box", "pixel_size", "epoch"}:
        # They decide each other: what is not given anew is looked for again.
        values.update(box=None, pixel_size=None, weights="")
    return make_recipe(values.pop("run"), z, **{**values, **settings})
