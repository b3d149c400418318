"""Driving a task: its result, its errors, and stopping it."""

from __future__ import annotations

import errno
import io
import signal

import pytest
import torch
import typer

from napari_cryodrgn import cli
from napari_cryodrgn.commandline.drive import drive, errors_as_status
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Task


def counting(n: int, closed: list[int]) -> Task[str]:
    try:
        for number in range(n):
            yield Progress(number, n, "Counting", n - number)
    except GeneratorExit:
        closed.append(number)
        raise
    return "counted"


def test_the_result_comes_back_and_progress_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert drive(counting(3, [])) == "counted"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Counting 0%, 3 s left" in captured.err


class Terminal(io.StringIO):
    """A terminal, as far as anyone asks."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def task() -> Task[None]:
        yield Progress(0, None, "Reading")
        yield Progress(1, 4, "Training", 75)

    drive(task())
    shown = terminal.getvalue().split("\r")
    assert any(line.startswith("Reading") and "%" not in line for line in shown)
    bar = next(line for line in shown if line.startswith("Training"))
    assert " 25%|" in bar
    assert bar.rstrip().endswith("| 1 min 15 s left")
    assert not shown[-1].strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_task_at_its_next_report(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[int] = []

    def task() -> Task[str]:
        counting_task = counting(100, closed)
        for _ in range(5):
            yield next(counting_task)
        signal.raise_signal(number)
        yield from counting_task
        return "never"

    before = signal.getsignal(number)
    with pytest.raises(typer.Exit) as stopped:
        drive(task(), lambda: "All is whole.")
    assert stopped.value.exit_code == 128 + number
    assert len(closed) == 1
    assert closed[0] < 10
    assert "stopped. All is whole." in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_wait() -> None:
    def stuck() -> Task[None]:
        yield Progress(0)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        drive(stuck())


def test_input_errors_are_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as failed, errors_as_status():
        raise InputError("two\nlines", file="a.star", field="column", value=3)
    assert failed.value.exit_code == 1
    assert capsys.readouterr().err == "napari-cryodrgn: error: a.star: column = 3: two lines\n"


def test_faults_of_ours_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), errors_as_status():
        _ = 1 / 0


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "GPU"),
        (MemoryError("Unable to allocate 9.00 TiB for an array"), "computer"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "computer"),
    ],
)
def test_full_memory_is_one_line_and_says_what_to_lower(
    capsys: pytest.CaptureFixture[str], error: Exception, whose: str
) -> None:
    with pytest.raises(typer.Exit) as failed, errors_as_status():
        raise error
    assert failed.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"napari-cryodrgn: error: the {whose}'s memory is full; ")
    assert "smaller box" in said
    assert said.count("\n") == 1


def test_a_disk_that_is_gone_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as failed, errors_as_status():
        raise OSError(errno.EIO, "Input/output error", "/net/run/z.1.pkl")
    assert failed.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith("napari-cryodrgn: error: /net/run/z.1.pkl: Input/output error. The disk")
    assert said.count("\n") == 1


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(RuntimeError, match="of ours"), errors_as_status():
        raise RuntimeError("a fault of ours")


def test_ctrl_c_is_told_and_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped, errors_as_status():
        raise KeyboardInterrupt
    assert stopped.value.exit_code == 130
    assert capsys.readouterr().err == "napari-cryodrgn: stopped.\n"


def test_ctrl_c_before_a_command_begins_has_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["info", "."])
    assert stopped.value.code == 130
