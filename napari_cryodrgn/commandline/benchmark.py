"""``napari-cryodrgn benchmark``: figures of docs/benchmarks.md, again, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.benchmark_decode import DecodeTiming, Spent
    from napari_cryodrgn.workflows.benchmark_train import TrainingTiming

app = typer.Typer(help="Time this program against cryoDRGN on this machine.", no_args_is_help=True)


@app.callback()
def _benchmark() -> None:
    """Has no work of its own: it makes the benchmarks commands of their own."""


@app.command("decode")
def decode(
    cryodrgn: Annotated[
        Path, typer.Option("--cryodrgn", help="cryoDRGN's program, in its own environment.")
    ] = Path(".venvs/upstream/bin/cryodrgn"),
    repeats: Annotated[int, typer.Option(help="How often each program is run.", min=1)] = 2,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of both; the cores if left out.", min=1)
    ] = None,
    many: Annotated[
        int, typer.Option(help="Volumes of the last, long case; 0 leaves it out.", min=0)
    ] = 100,
) -> None:
    """Time decoding on the CPU: seconds, ratios and relative differences, as a table."""
    with errors_as_status():
        from napari_cryodrgn.workflows.benchmark_decode import benchmark_decode

        task = benchmark_decode(cryodrgn, repeats=repeats, threads=threads, many=many)
        timings = drive(task)
    typer.echo("\n".join(decode_table(timings)))


def decode_table(timings: list[DecodeTiming]) -> list[str]:
    """Lines of a table in Markdown: wall and CPU seconds, ratios by both."""
    lines = [
        "| what | cryoDRGN | decode | ratio | relative L2 | resident, single | ratio "
        "| resident, bf16 | ratio | relative L2 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for timing in timings:
        half_error = "" if timing.half_error is None else f"{timing.half_error:.1e}"
        cells = [
            timing.what,
            _seconds(timing.theirs),
            _seconds(timing.ours),
            _ratio(timing.theirs, timing.ours),
            f"{timing.error:.1e}",
            _seconds(timing.single),
            _ratio(timing.theirs, timing.single),
            _seconds(timing.half),
            _ratio(timing.theirs, timing.half),
            half_error,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


@app.command("train")
def train(
    particles: Annotated[
        Path, typer.Argument(help="Folder of a simulated set (napari-cryodrgn simulate).")
    ],
    out: Annotated[Path, typer.Option("-o", "--outdir", help="Folder for the runs.")],
    cryodrgn: Annotated[
        Path, typer.Option("--cryodrgn", help="cryoDRGN's program, in its own environment.")
    ] = Path(".venvs/upstream/bin/cryodrgn"),
    seeds: Annotated[int, typer.Option(help="Trainings of each program.", min=1)] = 1,
    first_seed: Annotated[int, typer.Option(help="Seed of the first of them.", min=0)] = 0,
    epochs: Annotated[
        int, typer.Option("-n", "--num-epochs", help="Epochs of cryoDRGN and as plain.", min=1)
    ] = 20,
    fast_epochs: Annotated[
        int, typer.Option(help="Epochs of the fast schedule; 0 leaves it out.", min=0)
    ] = 14,
    width: Annotated[int, typer.Option(help="Width of both networks.", min=1)] = 128,
    lr: Annotated[float, typer.Option("--lr", help="Learning rate of all.")] = 1e-3,
    threads: Annotated[int, typer.Option(help="CPU threads of each.", min=1)] = 2,
    known: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps what cryoDRGN's trainings come to: those in it are only timed, "
            "over two epochs, and new ones are added."
        ),
    ] = None,
) -> None:
    """Time training on the CPU: seconds, memory and quality against the truth, as a table."""
    with errors_as_status():
        from napari_cryodrgn.workflows.benchmark_train import TrainingCase, benchmark_train

        case = TrainingCase(
            particles.absolute(),
            width=width,
            lr=lr,
            epochs=epochs,
            fast_epochs=fast_epochs,
            threads=threads,
            known=known,
        )
        timings = drive(benchmark_train(cryodrgn, out, case, seeds=seeds, first_seed=first_seed))
    typer.echo("\n".join(train_table(timings)))


def train_table(timings: list[TrainingTiming]) -> list[str]:
    """Lines of a table in Markdown; ratios are cryoDRGN's seconds of that seed over these."""
    lines = [
        "| program | seed | epochs | seconds an epoch | ratio | whole, wall | ratio | CPU "
        "| ratio | memory, GiB | as good as cryoDRGN's last epoch | ratio | quality at the end |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    theirs = {timing.seed: timing for timing in timings if timing.program == "cryoDRGN"}
    for timing in timings:
        first, until, gain = theirs[timing.seed], timing.seconds_to_quality, ""
        if timing is not first and timing.quality is not None:
            gain = "not reached" if until is None else f"{first.wall / until:.1f}"
        cells = [
            timing.program if timing is first else f"ours, {timing.program}",
            str(timing.seed),
            str(timing.epochs),
            f"{timing.epoch:.3g}",
            f"{first.epoch / timing.epoch:.2f}",
            f"{timing.wall:.0f} s",
            f"{first.wall / timing.wall:.1f}",
            f"{timing.cpu:.0f} s",
            f"{first.cpu / timing.cpu:.1f}",
            f"{timing.memory:.2f}",
            "" if until is None else f"epoch {timing.reached}, {until:.0f} s",
            gain,
            "" if timing.quality is None else str(timing.quality).replace("|", "\\|"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _seconds(spent: Spent | None) -> str:
    if spent is None:
        return ""
    return f"{spent.wall:.3g} s" + ("" if spent.cpu is None else f" ({spent.cpu:.3g} CPU-s)")


def _ratio(theirs: Spent, ours: Spent | None) -> str:
    if ours is None:
        return ""
    text = f"{theirs.wall / ours.wall:.1f}"
    if theirs.cpu is None or ours.cpu is None:
        return text
    return f"{text} ({theirs.cpu / ours.cpu:.1f})"
