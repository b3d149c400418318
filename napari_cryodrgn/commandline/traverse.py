"""``traverse``: a path through the latent space, as cryoDRGN's traversals and more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status, say
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.checks import read_text

LARGEST_ROWS = 1 << 20
"""Bytes of a file with some hundred thousand row numbers."""


def traverse(
    run: Annotated[Path, typer.Argument(help="Run folder, or the latents of a run, z.N.pkl.")],
    epoch: Annotated[
        int | None, typer.Argument(help="Epoch, counted from 1; the latest if left out.", min=0)
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option("-o", "--outtxt", help="File for the latent points of the path.")
    ],
    kind: Annotated[
        Literal["direct", "graph", "pc", "spline", "nearest", "density", "tour"],
        typer.Option("--kind", help="Which way it goes from anchor to anchor."),
    ] = "direct",
    anchors: Annotated[
        list[str] | None,
        typer.Option(
            "--anchors",
            help="Particles to pass: rows of z.N.pkl from 0, or text files of such, "
            "as centers_ind.txt.",
        ),
    ] = None,
    zfile: Annotated[
        Path | None,
        typer.Option("--zfile", help="Text file of latent points to pass, in place of anchors."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "-n", help="Points from anchor to anchor, both counted; in all where --pace is given."
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Go back to the first anchor.")] = False,
    max_neighbors: Annotated[
        int, typer.Option("--max-neighbors", help="Graph: neighbours of a particle at most.")
    ] = 10,
    avg_neighbors: Annotated[
        float, typer.Option("--avg-neighbors", help="Graph: neighbours of a particle on average.")
    ] = 5.0,
    outind: Annotated[
        Path | None, typer.Option("--outind", help="File for the rows of the particles passed.")
    ] = None,
    pc: Annotated[int, typer.Option("--pc", help="Principal component, from 1.")] = 1,
    lim: Annotated[
        tuple[float, float] | None,
        typer.Option("--lim", help="Ends along it; 5th and 95th percentile if left out."),
    ] = None,
    use_percentile_spacing: Annotated[
        bool, typer.Option("--use-percentile-spacing", help="Points at equal percentiles.")
    ] = False,
    order: Annotated[
        Literal["shortest", "given"], typer.Option("--order", help="Order of a tour.")
    ] = "shortest",
    pace: Annotated[
        Literal["points", "latent", "volume"],
        typer.Option(
            "--pace",
            help="Points of the route itself, equal steps in z, or equal change of the volume.",
        ),
    ] = "points",
    profile: Annotated[
        Path | None,
        typer.Option("--profile", help="CSV file for density and distance along the path."),
    ] = None,
) -> None:
    """Make a path through the latent space: z-path.txt, for 'decode --zfile' and 'movie'."""
    with errors_as_status():
        from napari_cryodrgn.workflows.traverse import TraverseSettings
        from napari_cryodrgn.workflows.traverse import traverse as make_path
        from napari_cryodrgn.workflows.z_values import read_z_values

        settings = TraverseSettings(
            kind,
            n,
            loop,
            max_neighbors,
            avg_neighbors,
            pc,
            lim,
            use_percentile_spacing,
            order,
            pace,
        )
        task = make_path(
            run,
            epoch,
            read_anchors(anchors or []),
            settings,
            waypoints=None if zfile is None else read_z_values(zfile),
            out=out,
            indices_out=outind,
            profile_out=profile,
        )
        result = drive(task, lambda: "Nothing was written.")
        for line in result.report:
            say(line)
    typer.echo(out)


def read_anchors(words: list[str]) -> list[int]:
    """Rows from numbers and from text files of them.

    Raises
    ------
    InputError
        Where a word is neither, or a file holds something else.
    """
    rows: list[int] = []
    for word in words:
        if _is_integer(word):
            rows.append(int(word))
            continue
        path = Path(word)
        if not path.is_file():
            raise InputError(
                "this is neither a row number nor a text file of such",
                field="--anchors",
                value=word,
            )
        try:
            numbers = [float(part) for part in read_text(path, LARGEST_ROWS).split()]
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError("this is no text file of row numbers", file=path) from error
        if any(not number.is_integer() for number in numbers):
            raise InputError("row numbers are whole numbers", file=path)
        rows += [int(number) for number in numbers]
    return rows


def _is_integer(word: str) -> bool:
    try:
        int(word)
    except ValueError:
        return False
    return True
