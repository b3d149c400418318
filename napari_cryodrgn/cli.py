"""The command line: ``napari-cryodrgn <command>``.

Each command calls one function of ``workflows``, the same that the window's
buttons call. Nothing heavy is imported here, so that ``--help`` is quick.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_cryodrgn import __version__
from napari_cryodrgn.commandline.backproject import backproject
from napari_cryodrgn.commandline.benchmark import app as benchmark_app
from napari_cryodrgn.commandline.cache import app as cache_app
from napari_cryodrgn.commandline.compare import compare
from napari_cryodrgn.commandline.convergence import convergence
from napari_cryodrgn.commandline.display import has_display, require_display
from napari_cryodrgn.commandline.drive import (
    INTERRUPTED,
    PROGRAM,
    drive,
    errors_as_status,
    say,
    show_warnings,
)
from napari_cryodrgn.commandline.export import export
from napari_cryodrgn.commandline.latent_points import LatentPoints
from napari_cryodrgn.commandline.launch import (
    Launcher,
    follow,
    stop,
    train_along,
    train_elsewhere,
    trains_along,
)
from napari_cryodrgn.commandline.model_options import (
    command_of,
    list_options,
    model_from_options,
    parameters_of,
)
from napari_cryodrgn.commandline.movie import movie
from napari_cryodrgn.commandline.multi_value import repeat_options
from napari_cryodrgn.commandline.select import cluster, embed, select
from napari_cryodrgn.commandline.traverse import traverse
from napari_cryodrgn.config import TrainingConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.workflows.launch_options import SlurmOptions

if TYPE_CHECKING:
    from napari_cryodrgn.progress import Task
    from napari_cryodrgn.run import AnalysisFolder

app = typer.Typer(
    name=PROGRAM,
    help="Train cryoDRGN models, analyse their latent space, decode volumes. Options that "
    "cryoDRGN has too have its names and defaults.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Run = Annotated[Path, typer.Argument(help="Run folder, of napari-cryodrgn or cryoDRGN.")]
Epoch = Annotated[
    int | None, typer.Argument(help="Epoch, counted from 1; the latest if left out.", min=0)
]
Device = Annotated[
    Literal["auto", "cuda", "mps", "cpu"],
    typer.Option("--device", help="Where to compute; auto takes a GPU where there is one."),
]
Box = Annotated[
    int | None,
    typer.Option(
        "-d",
        "--downsample",
        help="Side of the volumes in pixels, even; that of the training images if left out.",
        min=2,
    ),
]
PixelSize = Annotated[
    float | None,
    typer.Option("--Apix", help="Å per voxel of the volumes; what the run says if left out."),
]
Flip = Annotated[bool, typer.Option("--flip", help="Mirror volumes along z: the other hand.")]
Invert = Annotated[bool, typer.Option("--invert", help="Multiply volumes by -1.")]

DEFAULT_CLUSTERS = 20

LIST_OPTIONS = {
    "train": list_options(TrainingConfig),
    "simulate": list_options(SimulationConfig),
    "decode": {"-z", "--particles"},
    "traverse": {"--anchors"},
    "compare": {"--particles"},
    "backproject": {"--at-z"},
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    words : sequence of str, optional
        The command and its options; those the program was started with if not given.

    Raises
    ------
    SystemExit
        With the exit status: 0 done, 1 failed, 2 wrong usage; 130 or 143 where
        it was stopped by Ctrl-C or a signal.
    """
    show_warnings()
    words = sys.argv[1:] if words is None else words
    try:
        app(repeat_options(words, LIST_OPTIONS), prog_name=PROGRAM)
    except KeyboardInterrupt:  # before a command began
        sys.exit(INTERRUPTED)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Has no work of its own: it is here for the options before the command."""


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the particles, the run and the pictures.")
    ] = Path("napari-cryodrgn-demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Open no window; write pictures and a movie instead.")
    ] = False,
) -> None:
    """Simulate particles, train on them, analyse the run, and open the window on it.

    Without a display the pictures that the window would show, and a movie, are written to the
    folder.
    """
    with errors_as_status():
        from napari_cryodrgn.workflows.demo import make_demo

        to_files = headless or not has_display()
        if to_files and not headless:
            say("There is no display: pictures and a movie are written instead of a window.")
        result = drive(make_demo(out, pictures=to_files), lambda: f"What is in {out} is whole.")
        for picture in result.pictures:
            typer.echo(picture)
        typer.echo(result.run.path)
        if not to_files:
            _open_window(result.run.path)


def _simulate(config: SimulationConfig, out: Path) -> None:
    """Simulate a heterogeneous particle set whose truth is known."""
    with errors_as_status():
        from napari_cryodrgn.workflows.simulate import simulate

        folder = drive(simulate(out, config), lambda: f"{out} was not made.")
    typer.echo(folder)


def _train(config: TrainingConfig, analysis: bool, launcher: Launcher, **slurm: Any) -> None:
    """Train a model on particles whose poses are known, then analyse it."""
    if trains_along():
        train_along(config)
        return
    if launcher != "here":
        train_elsewhere(config, launcher, model_from_options(SlurmOptions, slurm))
        return
    with errors_as_status():
        from napari_cryodrgn.workflows.train import train

        run = drive(train(config), lambda: _after_stopped_training(config))
        if analysis and config.zdim:
            drive(_first_analysis(run, config), lambda: _after_stopped_analysis(run))
    typer.echo(run.path)


def _first_analysis(run: RunFolder, config: TrainingConfig) -> Task[AnalysisFolder]:
    """The analysis that follows a training; small sets have fewer clusters and no UMAP."""
    from napari_cryodrgn.io.pickles import read_latents
    from napari_cryodrgn.latent.embedding import MIN_UMAP_PARTICLES
    from napari_cryodrgn.workflows.analyze import analyze as analyze_run

    epoch = config.num_epochs
    n = len(read_latents(run.latents(epoch)).mu)
    return analyze_run(
        run,
        epoch,
        ksample=min(DEFAULT_CLUSTERS, n),
        skip_umap=n < MIN_UMAP_PARTICLES,
        device=config.device,
    )


def _after_stopped_training(config: TrainingConfig) -> str:
    run = RunFolder(config.outdir.expanduser().absolute())
    if not run.config.is_file():
        return "Nothing was written."
    finished = run.weight_epochs()[-1] if run.weight_epochs() else 0
    return (
        f"The run folder {run.path} is whole, with {finished} of {config.num_epochs} epochs. "
        "The same command with --load latest goes on from there."
    )


def _after_stopped_analysis(run: RunFolder) -> str:
    return f"What is finished is kept: '{PROGRAM} analyze {run.path}' makes the rest."


@app.command()
def analyze(
    run: Run,
    epoch: Epoch = None,
    ksample: Annotated[
        int, typer.Option(help="Clusters of k-means, and volumes that represent them.", min=1)
    ] = DEFAULT_CLUSTERS,
    pc: Annotated[
        int, typer.Option(help="Principal components along which volumes are made.", min=0)
    ] = 2,
    skip_umap: Annotated[bool, typer.Option("--skip-umap", help="Make no UMAP.")] = False,
    skip_vol: Annotated[bool, typer.Option("--skip-vol", help="Make no volumes.")] = False,
    box: Box = None,
    pixel_size: PixelSize = None,
    flip: Flip = False,
    invert: Invert = False,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the UMAP, which is then repeatable and slower.", min=0),
    ] = None,
    device: Device = "auto",
) -> None:
    """Analyse a latent space: PCA, UMAP, k-means, and volumes of both.

    Results go to analyze.N in the run folder, as cryoDRGN lays them out; those that are there
    and whole are kept.
    """
    with errors_as_status():
        from napari_cryodrgn.workflows.analyze import analyze as analyze_run

        folder = RunFolder.existing(run)
        task = analyze_run(
            folder,
            epoch,
            ksample=ksample,
            n_pcs=pc,
            skip_umap=skip_umap,
            skip_vol=skip_vol,
            box=box,
            pixel_size=pixel_size,
            flip=flip,
            invert=invert,
            device=device,
            seed=seed,
        )
        result = drive(task, lambda: _after_stopped_analysis(folder))
    typer.echo(result.path)


@app.command()
def decode(
    run: Run,
    epoch: Epoch = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--outdir", help="Folder for the volumes.")],
    z: Annotated[
        list[float] | None,
        typer.Option("-z", help="A latent point: -z 0.1 -0.2 …; several, one after another."),
    ] = None,
    zfile: Annotated[
        Path | None, typer.Option("--zfile", help="Text file with a latent point in each line.")
    ] = None,
    particles: Annotated[
        list[int] | None,
        typer.Option(
            "--particles", help="Rows of the particle file, from 0: --particles 5 17 …", min=0
        ),
    ] = None,
    box: Box = None,
    pixel_size: PixelSize = None,
    flip: Flip = False,
    invert: Invert = False,
    start_index: Annotated[
        int, typer.Option("--vol-start-index", help="Number of the first file.", min=0)
    ] = 1,
    prefix: Annotated[str, typer.Option("--prefix", help="Beginning of the file names.")] = "vol_",
    device: Device = "auto",
) -> None:
    """Decode latent points into volumes: vol_001.mrc …, and z_values.txt beside them."""
    points = LatentPoints.chosen(z, zfile, particles)
    with errors_as_status():
        from napari_cryodrgn.workflows.decode import decode as decode_points

        folder = RunFolder.existing(run)
        number = points.epoch_of_weights(folder, epoch)
        task = decode_points(
            folder,
            number,
            points.values(folder, number),
            out,
            box=box,
            pixel_size=pixel_size,
            flip=flip,
            invert=invert,
            start_index=start_index,
            prefix=prefix,
            device=device,
        )
        written = drive(task, lambda: f"The volumes in {out} are whole; the others are missing.")
    for path in written:
        typer.echo(path)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A run folder, or any file that is read here.")],
) -> None:
    """Say what a file or a run is, what is damaged and what missing: status 1 if not usable."""
    with errors_as_status():
        from napari_cryodrgn.workflows.info import inspect_path

        description = inspect_path(path)
        typer.echo(description.text)
        if description.failed:
            raise InputError(description.verdict, file=path)


@app.command("open")
def open_(
    path: Annotated[
        Path | None,
        typer.Argument(help="A run folder, a particle set or a volume to begin with."),
    ] = None,
) -> None:
    """Open napari with a run, a particle set or a volume, or with the page to begin from."""
    with errors_as_status():
        if path is not None and not path.exists():
            raise InputError("there is no such file or folder", file=path)
        require_display(
            "Open it on your own computer or through a remote desktop (see install.md); "
            f"'{PROGRAM} info {path or 'PATH'}' says what it is"
        )
        _open_window(path)


def _open_window(path: Path | None) -> None:
    from napari_cryodrgn.widgets.window import open_window

    open_window(path)


_OUT = inspect.Parameter(
    "out",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[Path, typer.Argument(help="Folder to make for the particle set.")],
)
_ANALYSIS = inspect.Parameter(
    "analysis",
    inspect.Parameter.KEYWORD_ONLY,
    default=True,
    annotation=Annotated[
        bool,
        typer.Option(
            "--analysis/--no-analysis",
            help="Analyse the last epoch when training is done.",
            rich_help_panel="Training",
        ),
    ],
)
_LAUNCHER = inspect.Parameter(
    "launcher",
    inspect.Parameter.KEYWORD_ONLY,
    default="here",
    annotation=Annotated[
        Launcher,
        typer.Option(
            "--launcher",
            help="Train here; in the background, going on when the terminal is closed; or as a "
            "job of a cluster. 'follow' and 'stop' then follow and stop it.",
            rich_help_panel="Hardware",
        ),
    ],
)
_LAUNCH = [_ANALYSIS, _LAUNCHER, *parameters_of(SlurmOptions)]
app.command("simulate", help=_simulate.__doc__)(command_of(SimulationConfig, _simulate, [_OUT]))
app.command("train", help=_train.__doc__)(command_of(TrainingConfig, _train, _LAUNCH))
app.command()(follow)
app.command()(stop)
app.command()(export)
app.command()(traverse)
app.command()(movie)
app.command()(compare)
app.command()(backproject)
app.command()(convergence)
app.command()(select)
app.command()(cluster)
app.command()(embed)
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(cache_app, name="cache")
