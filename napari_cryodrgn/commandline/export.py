"""``export``: particles of a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status, say


def export(
    run: Annotated[Path, typer.Argument(help="Run folder, of napari-cryodrgn or cryoDRGN.")],
    selection: Annotated[
        str,
        typer.Argument(
            help="Name of a selection kept with the run ('working' for the one without a name), "
            "or a file: ind.pkl, or what 'select' has written."
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="File to write: .star (RELION), .cs (cryoSPARC) or .pkl (cryoDRGN's indices).",
        ),
    ],
    epoch: Annotated[
        int | None,
        typer.Option("--epoch", help="Epoch of the run; the latest if left out.", min=0),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            help="The original .star or .cs file, where the run was trained on downsampled "
            "images, or its table has moved.",
        ),
    ] = None,
    inverse: Annotated[
        bool,
        typer.Option(
            "--inverse/--no-inverse",
            help="Write the run's other particles too, to <name>_inverse.",
        ),
    ] = True,
    by: Annotated[
        Literal["particle", "tilt"],
        typer.Option("--by", help="What the indices in a .pkl of tilt series count."),
    ] = "particle",
) -> None:
    """Export a selection of particles, and the others, as rows of their own table.

    Rows that are not wanted are left out of a copy of the table; all else in it stays as it is.
    What was written is read again and counted, and a .json beside it says how it was made.
    """
    with errors_as_status():
        from napari_cryodrgn.workflows.chosen_particles import chosen_particles
        from napari_cryodrgn.workflows.export_particles import export_particles, inverse_name
        from napari_cryodrgn.workflows.open_run import open_run

        opened = open_run(run, epoch)
        chosen = chosen_particles(opened, selection)
        task = export_particles(
            opened,
            chosen.rows,
            out,
            inverse=inverse_name(out) if inverse else None,
            table=table,
            by=by,
            made=chosen.made,
        )
        result = drive(task, lambda: "Files that were finished are whole; no other was begun.")
    for note in result.notes:
        say(f"Note: {note}.")
    for file in result.files:
        say(f"{file.n_particles:,} {'particles' if file.kind != 'pkl' else 'indices'}")
        typer.echo(file.path)
    typer.echo(result.recipe)
