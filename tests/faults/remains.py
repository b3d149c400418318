"""What must hold of a folder after a fault, whatever it was."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.io.pickles import load_pickle, read_latents
from napari_cryodrgn.model.checkpoint import load_model, read_checkpoint
from napari_cryodrgn.run import RunFolder
from napari_cryodrgn.session_file import read_session
from napari_cryodrgn.training.metrics import read_metrics
from napari_cryodrgn.workflows.open_run import open_run

RENEWED = {
    "resume": ("config.yaml", "weights.pkl", "z.pkl", "run.log", "metrics.jsonl", "training.json"),
    "analyze": ("analyze.3.json",),
}
"""Files that a command writes anew, by its name; no other file that was there may change."""
GROWING = ("run.log", "metrics.jsonl")
"""Of those, the ones that must keep what they had at the beginning, while its epochs are there."""
RUNS = ("run", "fresh", "streamed")

_EPOCH_DONE = re.compile(r"Epoch (\d+) of \d+ is done")


def digests(folder: Path) -> dict[str, str]:
    """Digests of all files, by their paths within the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def lost(sound: Path, work: Path, command: str, gone: str) -> list[str]:
    """Files that were there before, and are not what they were."""
    found = []
    for path in sound.rglob("*"):
        name = str(path.relative_to(sound))
        now = work / name
        if not path.is_file() or name == gone:
            continue
        if not now.is_file():
            found.append(f"lost: {name}")
        elif now.read_bytes() == path.read_bytes():
            continue
        elif path.name not in RENEWED.get(command, ()):
            found.append(f"changed: {name}")
        elif path.name in GROWING and not gone.startswith(("run/weights.", "run/z.")):
            only_added = now.read_bytes().startswith(path.read_bytes())
            found += [] if only_added else [f"not only added to: {name}"]
        elif path.name.endswith(".json"):
            found += _attempt(name, lambda now=now: json.loads(now.read_text()))
    return found


def unreadable(work: Path, gone: str) -> list[str]:
    """Files that have their name and cannot be read, and runs that do not open."""
    found: list[str] = []
    for path in work.rglob("*.mrc"):
        found += _attempt(path, lambda path=path: read_volume(path))
    for path in work.rglob("*.pkl"):
        name = str(path.relative_to(work))
        if name == gone:
            continue
        read = load_pickle
        if path.name.startswith("weights."):
            read = read_checkpoint
        elif path.name.startswith("z."):
            read = read_latents
        found += _attempt(name, lambda path=path, read=read: read(path))
    for name in RUNS:
        run = RunFolder(work / name)
        if not run.config.exists():
            kept = (*run.weight_epochs(), *run.latent_epochs())
            found += [f"{name}: epochs without config.yaml"] if kept and not gone else []
        elif gone != f"{name}/config.yaml":
            found += _run_unreadable(run, name, gone)
    return found


def _run_unreadable(run: RunFolder, name: str, gone: str) -> list[str]:
    found = _attempt(f"{name} opens", lambda: open_run(run.path))
    found += _attempt(run.metrics, lambda: read_metrics(run.metrics))
    for epoch in run.weight_epochs():
        if gone != f"{name}/weights.{epoch}.pkl":
            found += _attempt(run.weights(epoch), lambda at=epoch: load_model(run, at))
        if epoch not in run.latent_epochs() and gone != f"{name}/z.{epoch}.pkl":
            found.append(f"{name}: weights of epoch {epoch} without latents")
    return found


def unkept_words(work: Path, said: str, trained: str | None) -> list[str]:
    """What was said to be saved, and is not there."""
    found = []
    if trained is not None:
        run = RunFolder(work / trained)
        epochs = {int(match) for match in _EPOCH_DONE.findall(said)}
        there = set(run.weight_epochs()) & set(run.latent_epochs())
        missing = sorted(epochs - there)
        found += [f"epoch {epoch} was said to be done, and is not there" for epoch in missing]
    saved = [int(line.split()[1]) for line in said.splitlines() if line.startswith("saved ")]
    if saved:
        state, problem = read_session(RunFolder(work / "run"))
        row = None if state is None or state.state is None else state.state.row
        # The next one may have taken its name just before it was to be said.
        if row not in (saved[-1], saved[-1] + 1):
            found.append(f"session {saved[-1]} was said to be saved, {row} is there: {problem}")
    return found


def _attempt(what: object, read: Callable[[], object]) -> list[str]:
    try:
        read()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return [f"{what}: {type(error).__name__}: {error}"[:400]]
    return []
