"""``compare``: difference, correlation and FSC of two volumes or two states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status
from napari_cryodrgn.errors import InputError


def compare(
    what: Annotated[
        list[Path],
        typer.Argument(help="Two .mrc files; or a run folder, with --particles or --zfile."),
    ],
    *,
    epoch: Annotated[
        int | None, typer.Option("--epoch", help="Epoch of the run; the latest if left out.", min=0)
    ] = None,
    particles: Annotated[
        list[int] | None,
        typer.Option("--particles", help="Two rows of the particle file, from 0.", min=0),
    ] = None,
    zfile: Annotated[
        Path | None, typer.Option("--zfile", help="Text file with two latent points.")
    ] = None,
    difference: Annotated[
        Path | None, typer.Option("-o", "--difference", help="File for second minus first, .mrc.")
    ] = None,
    fsc: Annotated[
        Path | None, typer.Option("--fsc", help="Text file for the Fourier shell correlation.")
    ] = None,
    box: Annotated[
        int | None, typer.Option("-d", "--downsample", help="Side of decoded volumes, px.", min=2)
    ] = None,
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu"], typer.Option("--device", help="Where to decode.")
    ] = "auto",
) -> None:
    """Compare two volumes, or two states of a run."""
    with errors_as_status():
        from napari_cryodrgn.run import RunFolder
        from napari_cryodrgn.workflows.compare import (
            compare_files,
            compare_states,
            write_comparison,
        )
        from napari_cryodrgn.workflows.decode import z_of_particles
        from napari_cryodrgn.workflows.z_values import read_z_values

        if len(what) == 2:
            result = compare_files(*what)
        elif len(what) == 1 and (zfile is not None) != bool(particles):
            run = RunFolder.existing(what[0])
            z = (
                read_z_values(zfile)
                if zfile is not None
                else z_of_particles(run, epoch, list(particles or []))
            )
            result = drive(compare_states(run.path, epoch, z, box=box, device=device))
        else:
            raise InputError("give two volumes, or a run folder with --particles or --zfile")
        written = write_comparison(result, difference, fsc)
    for line in (*result.report, *map(str, written)):
        typer.echo(line)
