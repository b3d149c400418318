"""What the documentation says is true: commands run, messages exist, files are listed."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer

from napari_cryodrgn import cli
from napari_cryodrgn.commandline.multi_value import repeat_options

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
WINDOWS = ("open", "demo")

OF_OTHERS = {"--help", "--version", "--lazy", "--upgrade"}
"""Options in the text that are not ours, or of no command."""


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Words of our command lines in a page's console blocks, without the program's name."""
    lines = []
    for block in blocks(page, "console"):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if line.startswith("$ napari-cryodrgn"):
                lines.append(shlex.split(line, comments=True)[2:])
    return lines


ALL_COMMANDS = [
    pytest.param(words, id=f"{page.name}: {shlex.join(words)}")
    for page in PAGES
    for words in commands(page)
]


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_every_command_line_is_understood(words: list[str]) -> None:
    group = typer.main.get_command(cli.app)
    if words == ["--version"]:
        return
    name, *rest = repeat_options(words, cli.LIST_OPTIONS)
    command = group.commands[name]
    while hasattr(command, "commands"):  # as in "benchmark decode"
        name, *rest = rest
        command = command.commands[name]
    context = command.make_context(name, list(rest))
    assert context.params


def inline_spans(page: Path) -> list[str]:
    """Texts in backticks outside of fenced blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def all_commands(group: Any) -> dict[str, Any]:
    """Every command by its words, those in groups too: 'benchmark decode'."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {rest}": one for rest, one in all_commands(command).items()}
        else:
            found[name] = command
    return found


def options_of(command: Any) -> set[str]:
    return {word for each in command.params for word in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    known = all_commands(typer.main.get_command(cli.app))
    every = set().union(*(options_of(command) for command in known.values())) | OF_OTHERS
    wrong = []
    for span in inline_spans(page):
        name = next((each for each in known if f"{span} ".startswith(f"{each} ")), None)
        ours = re.match(r"napari-cryodrgn ([a-z]\S*(?: decode| train)?)", span)
        if ours:
            name = next((each for each in known if ours[1].startswith(each)), None)
            if name is None:
                wrong.append(span)
        if name is None and not re.match("-|napari-cryodrgn|train |decode ", span):
            continue  # another program's
        allowed = every if name is None else options_of(known[name]) | {"--help"}
        for option in re.findall(r"(?<!\S)(?:--[A-Za-z][\w-]*|-[a-zA-Z](?!\S))", span):
            if option not in allowed:
                wrong.append(f"{option} in {span}")
    assert wrong == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    known = all_commands(typer.main.get_command(cli.app))
    assert [name for name in known if f"| `napari-cryodrgn {name}" not in text] == []


WINDOW_PAGES = ("explore", "select", "evidence", "trajectories")


@pytest.mark.parametrize("name", WINDOW_PAGES)
def test_words_of_the_window_are_those_on_it(name: str) -> None:
    text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    words = {
        part.strip()
        for emphasised in re.findall(r"(?<![*\w])\*([^*]+)\*(?!\*)", text)
        for part in " ".join(emphasised.split()).split("→")
    }
    assert len(words) >= 5
    pieces = {piece.removeprefix("▶ ") for piece in spoken()} | {"landmarks", "rung"}
    assert sorted(word for word in words if word not in pieces) == []


def run(words: list[str], folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "napari_cryodrgn", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def first_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the command lines of the quickstart were run, one after another."""
    folder = tmp_path_factory.mktemp("quickstart")
    lines = [words for words in commands(ROOT / "docs/quickstart.md") if words[0] not in WINDOWS]
    assert [words[0] for words in lines].count("train") >= 2
    for words in lines:
        run(words, folder)
    return folder


@pytest.mark.timeout(600)
def test_the_first_hour_gives_what_it_says(first_hour: Path) -> None:
    for name in ("run/z.6.pkl", "run/analyze.5/umap.pkl", "run/analyze.5/kmeans6/vol_006.mrc"):
        assert (first_hour / name).is_file()
    assert sorted(path.name for path in (first_hour / "volumes").glob("*.mrc")) == [
        f"vol_00{number}.mrc" for number in (1, 2, 3)
    ]


@pytest.mark.timeout(600)
def test_python_example_runs(first_hour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks(ROOT / "docs/commands.md", "python")
    monkeypatch.chdir(first_hour)
    exec(compile(example, "commands.md", "exec"), {})
    assert (first_hour / "volumes-from-python" / "vol_001.mrc").is_file()


@pytest.mark.timeout(600)
def test_every_file_that_is_written_is_listed(first_hour: Path) -> None:
    text = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    named = {name for span in re.findall(r"`([^`\n]+)`", text) for name in span.split("/")}
    patterns = {re.sub(r"(?<=\.)N(?=\.|$)|(?<=kmeans)K|(?<=pc)I", "*", name) for name in named}
    patterns |= {"vol_[0-9][0-9][0-9].mrc"}
    written = {path.name for path in first_hour.rglob("*") if "python" not in str(path)}
    chosen = {"tutorial", "run", "volumes", "small"}
    unlisted = {
        name
        for name in written - chosen
        if not any(fnmatch(name, pattern) for pattern in patterns if pattern)
    }
    assert unlisted == set()


def spoken() -> list[str]:
    """Unbroken pieces of all texts in the package."""
    pieces = []
    for path in (ROOT / "napari_cryodrgn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                pieces.append(node.value)
    return pieces


def test_every_message_explained_is_one_that_is_given() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    messages = [
        message
        for bold in re.findall(r"\*\*(`.*?`)\*\*", text)
        for message in bold.strip("`").split("`, `")
    ]
    assert len(messages) > 20
    pieces = spoken()
    assert [each for each in messages if not any(each in piece for piece in pieces)] == []


def test_links_and_pictures_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", text):
            if target and "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_pictures_are_small() -> None:
    large = [
        path.name for path in (ROOT / "docs/images").glob("*") if path.stat().st_size > 300_000
    ]
    assert large == []
