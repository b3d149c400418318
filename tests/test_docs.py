"""What the documentation says is true: commands run, messages exist, files are listed."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
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


def options_of_scripts() -> set[str]:
    """Options of the programs in scripts/, which the pages on measuring name."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "scripts").rglob("*.py")]
    return {word for text in texts for word in re.findall(r'add_argument\(\s*"(--[\w-]+)"', text)}


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
    every |= options_of_scripts()
    wrong = []
    for span in inline_spans(page):
        name = next((each for each in known if f"{span} ".startswith(f"{each} ")), None)
        ours = re.match(r"napari-cryodrgn ([a-z]\S*(?: decode| train| list| clean)?)", span)
        if ours:
            name = next((each for each in known if ours[1].startswith(each)), None)
            if name is None:
                wrong.append(span)
        theirs = page.name == "from_cryodrgn.md" and span.startswith("-")
        if theirs or (name is None and not re.match("-|napari-cryodrgn|train |decode ", span)):
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
    monkeypatch.chdir(first_hour)
    for page in ("commands.md", "api.md"):
        (example,) = blocks(ROOT / "docs" / page, "python")
        exec(compile(example, page, "exec"), {})
    assert (first_hour / "volumes-from-python" / "vol_001.mrc").is_file()
    assert (first_hour / "middle-state" / "vol_001.mrc").is_file()


SHRUNK = {
    "-N": "40",
    "-n": "1",
    "--zdim": "2",
    "--enc-dim": "16",
    "--dec-dim": "16",
    "--enc-layers": "1",
    "--dec-layers": "1",
}
"""So that what takes minutes takes a second."""

PLACED = {
    "tutorial_relion": ("real-poses-ctf/aspire_starfile.star", "run_data.star"),
    "tutorial_cryosparc": ("cryodrgn-tests/cryosparc_P12_J24_001_particles.cs", "particles.cs"),
}
"""The real table that each tutorial is run on, and what the tutorial calls it."""

ON_THE_RUN = ("existing_runs", "remove_junk", "make_a_movie")


def shrunk(words: list[str]) -> list[str]:
    """A command line on fewer particles, fewer epochs, a smaller network.

    Such a network places no particle far out, so that a condition on its place would choose all.
    """
    words = ["row % 8 != 0" if word.startswith("z_norm <") else word for word in words]
    if words[0] not in ("simulate", "train"):
        return words
    small = [
        SHRUNK.get(before, word) for before, word in zip(["", *words[:-1]], words, strict=True)
    ]
    return small + (["--no-analysis"] if words[0] == "train" else [])


def run_here(words: list[str]) -> None:
    """Run a command line in this process, which need not load torch again."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 0, shlex.join(words)


@pytest.fixture(scope="module")
def tutorials(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    """The folder in which the tutorials were run, on real tables with simulated images."""
    folder = tmp_path_factory.mktemp("tutorials")
    for page, (table, name) in PLACED.items():
        (folder / page).mkdir()
        (folder / page / name).write_bytes((data_folder / table).read_bytes())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder / page)
            text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
            practised = {
                shlex.join(words)
                for words in commands(ROOT / f"docs/{page}.md")
                if "practice" in shlex.join(words)
            }
            assert len(practised) >= 5, text
            for words in commands(ROOT / f"docs/{page}.md"):
                if shlex.join(words) in practised and words[0] not in WINDOWS:
                    run_here(shrunk(words))
    return folder


@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_tutorials_run_on_real_tables(tutorials: Path) -> None:
    assert (tutorials / "tutorial_relion/kept.star").is_file()
    assert (tutorials / "tutorial_relion/second-run/z.1.pkl").is_file()
    assert (tutorials / "tutorial_cryosparc/kept_inverse.cs").is_file()


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ON_THE_RUN)
def test_commands_on_a_run_do_what_the_page_says(
    page: str, tutorials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice = tutorials / "tutorial_relion"
    shutil.copytree(practice / "practice-run", tmp_path / "run")
    for file in ("particles.star", "particles.mrcs"):
        shutil.copy(practice / "practice" / file, tmp_path)
    monkeypatch.chdir(tmp_path)
    lines = [words for words in commands(ROOT / f"docs/{page}.md") if words[0] not in WINDOWS]
    assert len(lines) >= 4
    for words in lines:
        run_here(shrunk(words))


def unlisted(folder: Path, chosen: set[str]) -> set[str]:
    """Names below a folder that docs/files.md does not list, but those that the page chose."""
    text = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    named = {name for span in re.findall(r"`([^`\n]+)`", text) for name in span.split("/")}
    patterns = {re.sub(r"(?<=\.)N(?=\.|$)|(?<=kmeans)K|(?<=pc)I", "*", name) for name in named}
    patterns = {re.sub("NAME", "*", name) for name in patterns} | {"vol_[0-9][0-9][0-9].mrc"}
    written = {path.name for path in folder.rglob("*") if "python" not in str(path)}
    return {
        name
        for name in written - chosen
        if not any(fnmatch(name, pattern) for pattern in patterns if pattern)
    }


@pytest.mark.timeout(600)
def test_every_file_that_is_written_is_listed(first_hour: Path) -> None:
    assert unlisted(first_hour, {"tutorial", "run", "volumes", "small", "middle-state"}) == set()


@pytest.mark.data
@pytest.mark.timeout(600)
def test_every_file_that_selecting_and_exporting_write_is_listed(tutorials: Path) -> None:
    chosen = {*PLACED, "practice", "practice-run", "second-run", "run_data.star", "keep.json"}
    chosen |= {"kept.pkl", "kept.cs", "kept_inverse.cs", "kept.cs.json"}
    assert unlisted(tutorials, chosen) == set()


def spoken() -> list[str]:
    """Unbroken pieces of all texts in the package."""
    pieces = []
    for path in (ROOT / "napari_cryodrgn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                pieces.append(node.value)
    return pieces


def error_messages() -> dict[str, str]:
    """Every text of an `InputError` in the package, and where it is; … for what differs."""
    found = {}
    for path in (ROOT / "napari_cryodrgn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InputError":
                words = node.args[0] if node.args else None
                parts = words.values if isinstance(words, ast.JoinedStr) else [words]
                pieces = [getattr(part, "value", None) for part in parts]
                text = "".join(each if isinstance(each, str) else "…" for each in pieces)
                if text != "…":  # made elsewhere: pydantic's, the system's
                    found[text] = f"{path.name}:{node.lineno}"
    return found


def test_every_error_message_is_explained_and_every_explanation_is_of_one() -> None:
    page = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)
    phrases = [each for row in rows for each in re.findall(r"`([^`]+)`", row)]
    patterns = [re.compile(".*".join(map(re.escape, each.split("…")))) for each in phrases]
    messages = error_messages()
    assert len(messages) > 300
    new = {
        text: where
        for text, where in messages.items()
        if not any(pattern.search(text) for pattern in patterns)
    }
    assert new == {}, "add these to docs/messages.md"
    assert [
        phrase
        for phrase, pattern in zip(phrases, patterns, strict=True)
        if not any(map(pattern.search, messages))
    ] == []


UPSTREAM_COMMANDS = (  # cryodrgn --help, cryodrgn_utils --help, 4.3.1
    "abinit abinit_het_old abinit_homo_old analyze analyze_landscape analyze_landscape_full "
    "backproject_voxel dashboard direct_traversal downsample eval_images eval_vol filter "
    "graph_traversal parse_ctf_csparc parse_ctf_star parse_pose_csparc parse_pose_star parse_star "
    "pc_traversal train_nn train_vae train_dec analyze_convergence add_psize clean concat_pkls "
    "filter_cs filter_mrcs filter_pkl filter_star flip_hand fsc gen_mask invert_contrast "
    "make_movies parse_relion parse_warptools phase_flip plot_classes plot_fsc select_clusters "
    "select_random translate_mrcs view_cs_header view_header view_mrcs write_cs write_star"
)


def test_every_command_of_cryodrgn_is_in_its_table() -> None:
    text = (ROOT / "docs/from_cryodrgn.md").read_text(encoding="utf-8")
    firsts = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert [name for name in UPSTREAM_COMMANDS.split() if f"`{name}`" not in firsts] == []


def test_options_said_to_be_the_same_are_options_of_train() -> None:
    text = (ROOT / "docs/from_cryodrgn.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"The same name and meaning: (.*?)\n\n", text, flags=re.DOTALL)
    options = [each for each in re.findall(r"`([^`]+)`", said) if each.startswith("-")]
    assert len(options) > 20
    command = typer.main.get_command(cli.app).commands["train"]
    assert [each for each in options if each not in options_of(command)] == []


def test_every_page_is_in_the_site() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^[a-z_]+$", index, flags=re.MULTILINE))
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages == listed


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
    most = {".png": 300_000, ".webp": 3_000_000}
    large = [
        path.name
        for path in (ROOT / "docs/images").glob("*")
        if path.stat().st_size > most[path.suffix]
    ]
    assert large == []
