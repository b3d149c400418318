"""``napari-cryodrgn benchmark``: figures of docs/benchmarks.md, again, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cryodrgn.commandline.drive import drive, errors_as_status

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.benchmark_decode import DecodeTiming, Spent

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
