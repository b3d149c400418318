"""``backproject``: a map from particles, from a selection of a run, or at a latent point."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status, say
from napari_cryodrgn.errors import InputError

_OF_RUN = "Of a run"
_OF_FILE = "Of a particle file"


def backproject(
    particles: Annotated[
        Path,
        typer.Argument(help="Particles (.star, .cs, .mrcs, .txt), or the folder of a run."),
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--outdir", help="Folder for the maps.")],
    poses: Annotated[
        Path | None,
        typer.Option("--poses", help="Poses (.pkl).", rich_help_panel=_OF_FILE),
    ] = None,
    ctf: Annotated[
        Path | None,
        typer.Option("--ctf", help="CTF parameters (.pkl).", rich_help_panel=_OF_FILE),
    ] = None,
    ind: Annotated[
        Path | None,
        typer.Option(
            "--ind", help="Rows of the particle file to use (.pkl).", rich_help_panel=_OF_FILE
        ),
    ] = None,
    datadir: Annotated[
        Path | None,
        typer.Option("--datadir", help="Folder with the images.", rich_help_panel=_OF_FILE),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            "--first", help="Use only the first so many.", min=0, rich_help_panel=_OF_FILE
        ),
    ] = None,
    ignore_ctf: Annotated[
        bool,
        typer.Option(
            "--ignore-ctf", help="Leave the CTF of the table out.", rich_help_panel=_OF_FILE
        ),
    ] = False,
    uninvert_data: Annotated[
        bool,
        typer.Option(
            "--uninvert-data",
            help="Particles are dark on bright: do not invert. A run knows it itself.",
            rich_help_panel=_OF_FILE,
        ),
    ] = False,
    selection: Annotated[
        str | None,
        typer.Option(
            "--selection",
            help="Name of a selection kept with the run, or a file (ind.pkl); all particles if "
            "left out.",
            rich_help_panel=_OF_RUN,
        ),
    ] = None,
    at_z: Annotated[
        list[float] | None,
        typer.Option(
            "--at-z",
            help="A latent point: particles count by how near they lie to it.",
            rich_help_panel=_OF_RUN,
        ),
    ] = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            "--epoch",
            help="Epoch of the run; the latest if left out.",
            min=0,
            rich_help_panel=_OF_RUN,
        ),
    ] = None,
    reg_weight: Annotated[
        float | None,
        typer.Option(
            help="Regularisation: this times the mean weight of the shell is added to the weights; "
            "from the agreement of the half maps if left out.",
        ),
    ] = None,
    no_half_maps: Annotated[
        bool, typer.Option("--no-half-maps", help="Write no half maps, and no FSC.")
    ] = False,
    no_fsc_vals: Annotated[
        bool, typer.Option("--no-fsc-vals", help="Write half maps, but no FSC.")
    ] = False,
    pixel_size: Annotated[
        float | None,
        typer.Option("--Apix", help="Å per voxel; what the particles say if left out."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", help="Images worked on at once; OMP_NUM_THREADS or all cores.", min=1
        ),
    ] = None,
) -> None:
    """Reconstruct particles by CTF-weighted backprojection: map, half maps, FSC.

    Of a run, its selections can be reconstructed, and what its data show at any latent point.
    """
    with errors_as_status():
        from napari_cryodrgn.workflows.backproject import (
            BackprojectOptions,
            backproject_run,
        )
        from napari_cryodrgn.workflows.backproject import backproject as backproject_file
        from napari_cryodrgn.workflows.chosen_particles import chosen_particles
        from napari_cryodrgn.workflows.open_run import open_run

        options = BackprojectOptions(
            invert=not uninvert_data,
            regularisation=reg_weight,
            pixel_size=pixel_size,
            half_maps=not no_half_maps,
            fsc=not (no_half_maps or no_fsc_vals),
            threads=threads,
        )
        of_file: dict[str, object] = {
            "--poses": poses,
            "--ctf": ctf,
            "--ind": ind,
            "--datadir": datadir,
        }
        of_file |= {"--first": first, "--ignore-ctf": ignore_ctf or None}
        of_file |= {"--uninvert-data": uninvert_data or None}
        of_run: dict[str, object] = {"--selection": selection, "--at-z": at_z, "--epoch": epoch}
        if particles.is_dir():
            _refuse(of_file, "this is for a particle file; a run knows its own")
            run = open_run(particles, epoch)
            if at_z and selection:
                raise InputError("give --selection or --at-z, not both", field="--at-z")
            if at_z:
                from napari_cryodrgn.workflows.backproject_at import map_at_to

                task = map_at_to(run, at_z, out, options=options)
            elif selection is not None:
                chosen = chosen_particles(run, selection)
                task = backproject_run(run, chosen.rows, out, made=chosen.made, options=options)
            else:
                task = backproject_run(run, None, out, made="all", options=options)
        else:
            _refuse(of_run, "this is for the folder of a run")
            task = backproject_file(
                particles,
                out,
                poses=poses,
                ctf=ctf,
                ind=ind,
                datadir=datadir,
                ignore_ctf=ignore_ctf,
                first=first,
                options=options,
            )
        made = drive(task, lambda: f"Nothing was written to {out}.")
    for line in made.lines:
        say(line)
    for path in made.files:
        typer.echo(path)


def _refuse(given: dict[str, object], reason: str) -> None:
    """Raise `InputError` for the first option that was given."""
    for name, value in given.items():
        if value is not None:
            raise InputError(reason, field=name, value=value)
