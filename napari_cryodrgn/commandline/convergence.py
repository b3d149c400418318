"""``convergence``: whether a training has settled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status


def convergence(
    run: Annotated[Path, typer.Argument(help="Run folder, of napari-cryodrgn or cryoDRGN.")],
    epoch: Annotated[
        int | None,
        typer.Argument(help="Last epoch to look at; the latest if left out.", min=0),
    ] = None,
    *,
    maps: Annotated[
        int, typer.Option("--maps", help="Particles whose maps are compared.", min=0)
    ] = 4,
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu"],
        typer.Option("--device", help="Where to compute; auto takes a GPU where there is one."),
    ] = "auto",
) -> None:
    """Say how far particles still move in latent space, and how much maps still change."""
    with errors_as_status():
        from napari_cryodrgn.run import RunFolder
        from napari_cryodrgn.workflows.convergence import convergence as compare_epochs

        found = drive(compare_epochs(RunFolder.existing(run), epoch, n_maps=maps, device=device))
    typer.echo("epochs    moved  neighbours kept")
    for step in found.movements:
        name = f"{step.before}-{step.after}"
        typer.echo(
            f"{name:<8}  {step.moved:5.3f}  {step.kept:.3f} (by chance {step.by_chance:.3f})"
        )
    for change in found.maps:
        typer.echo(
            f"particle {change.position}: maps correlate {change.correlation:.3f}, FSC at half "
            f"Nyquist {change.at_half_nyquist:.3f}, 0.5 at {change.resolution}"
        )
    typer.echo(found.text)
