"""Faults brought about in real commands, and what must hold after each.

What a fault may not do: change or lose a file that was whole before, or one that was said to be
saved; leave a file that has its name and cannot be read, or temporary files; end a command
without a word; keep the run from opening, or the command from being given again to the same end;
let it report success with anything but the usual result.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from commands import (
    COMMANDS,
    FAULT_OF_OURS,
    INPUTS,
    SECONDS_ALLOWED,
    TRAINED,
    Child,
    again,
    clean_copy,
    run_whole,
)
from remains import digests, lost, unkept_words, unreadable

FAULTS = (
    "kill",
    "terminate",
    "interrupt",
    "disk full",
    "disk fills",
    "read only",
    "input deleted",
    "input cut",
)
SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}
NOBODY = 65534
DISK_BYTES = 24 << 20
PAIRS = [
    (command, fault)
    for fault in FAULTS
    for command in COMMANDS
    if command in INPUTS or not fault.startswith("input")
]


@dataclass(frozen=True)
class Usual:
    """A command that nothing disturbs.

    Parameters
    ----------
    seconds : float
    files : dict of str
        What it leaves: digests by path, None of what differs from one time to the next.
    """

    seconds: float
    files: dict[str, str | None]


def usual(sound: Path, works: tuple[Path, Path], command: str) -> Usual:
    """Run a command twice, undisturbed, in two folders: some files hold their paths."""
    made = []
    for work in works:
        clean_copy(sound, work)
        seconds = run_whole(work, COMMANDS[command])
        made.append(digests(work))
    names = made[0].keys() & made[1].keys()
    same = {name: made[0][name] if made[0][name] == made[1][name] else None for name in names}
    return Usual(seconds, same)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of some MB at a folder, and whether there is one: only root may mount."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = os.name == "posix" and os.geteuid() == 0
    if mounted:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path, left: int) -> Path:
    """Leave so many bytes on a disk, and return the file to delete afterwards."""
    filler = disk / "filler"
    about = os.statvfs(disk)
    wanted = max(1, about.f_bavail * about.f_frsize - left)
    # The command may take the last bytes first.
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while wanted > 0:
            wanted -= file.write(bytes(min(wanted, 1 << 20)))
    return filler


@dataclass(frozen=True)
class Outcome:
    """What came of one injection.

    Parameters
    ----------
    status : int
        Of the command's process; negative for a signal.
    struck : bool
        Whether the fault came while the command ran.
    faults : tuple of str
        What should not have been.
    """

    status: int
    struck: bool
    faults: tuple[str, ...]


def inject(
    sound: Path, disk: Path, command: str, fault: str, known: Usual, rng: random.Random
) -> Outcome:
    """Run a command on a copy of what `prepare` made, with a fault, and look what is left.

    Parameters
    ----------
    sound : Path
        What `prepare` made.
    disk : Path
        A folder to work in; for the faults of the disk that of `small_disk`.
    command, fault : str
        Of `PAIRS`.
    known : Usual
        Of this command.
    rng : random.Random
        When it strikes, and what.
    """
    work, said = disk / "work", sound.parent / "said"
    clean_copy(sound, work)
    before, mend, struck, gone = _from_the_beginning(disk, work, fault, rng)
    child = Child(work, COMMANDS[command].split(), said, before)
    if not struck and not child.wait(rng.uniform(0, known.seconds)):
        struck = True
        if fault in SIGNALS:
            os.kill(child.pid, SIGNALS[fault])
        elif fault == "disk fills":
            mend = fill(disk, 0).unlink
        else:
            # A text that ends early is a text like any other.
            texts = (".txt",) if fault == "input cut" else ()
            gone = rng.choice([name for name in INPUTS[command] if not name.endswith(texts)])
            _damage(work / gone, fault)
    found = [] if child.wait(SECONDS_ALLOWED) else ["it hangs"]
    if found:
        os.kill(child.pid, signal.SIGKILL)
        child.wait(SECONDS_ALLOWED)
    mend()
    status = child.status if child.status is not None else 0
    found += _said_wrong(child.said(), fault, status)
    found += lost(sound, work, command, gone)
    found += unreadable(work, gone)
    found += unkept_words(work, child.said(), TRAINED.get(command))
    if status >= 0:
        found += [f"left behind: {path}" for path in sorted(work.rglob(".*.part"))]
    if status == 0:
        found += _unlike(known, work, gone)
    if not gone:
        found += _not_again(known, work, command)
    return Outcome(status, struck, tuple(found))


def _from_the_beginning(
    disk: Path, work: Path, fault: str, rng: random.Random
) -> tuple[Callable[[], None] | None, Callable[[], None], bool, str]:
    """What strikes before the command begins: call there, call afterwards, whether it does."""
    if fault == "disk full":
        left = int(10 ** rng.uniform(3, 5.3))
        if os.path.ismount(disk):
            return None, fill(disk, left).unlink, True, ""
        return (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (left, left))), _nothing, True, ""
    if fault == "read only":
        for path in (work, *work.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        # Rights mean nothing to root.
        become = (lambda: os.setuid(NOBODY)) if os.geteuid() == 0 else None
        return become, lambda: _restore_rights(work), True, ""
    return None, _nothing, False, ""


def _nothing() -> None:
    """There is nothing to mend."""


def _restore_rights(work: Path) -> None:
    for path in (work, *work.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _damage(path: Path, fault: str) -> None:
    if fault == "input deleted":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 3)


def _said_wrong(said: str, fault: str, status: int) -> list[str]:
    found = []
    if "Traceback" in said or status == FAULT_OF_OURS:
        found.append("a traceback: " + said[-1200:])
    # Before a command has begun there is nothing to say of it.
    told = "error: " in said or "stopped." in said or (fault == "interrupt" and status == 130)
    if status > 0 and not told:
        found.append(f"it ends with {status} and no word: {said[-300:]}")
    if status < 0 and -status != SIGNALS.get(fault):
        found.append(f"it dies of signal {-status}")
    return found


def _unlike(known: Usual, work: Path, gone: str) -> list[str]:
    """What a command that says it is done has left otherwise than usual."""
    now = digests(work)
    found = []
    for name, digest in known.files.items():
        if name == gone:
            continue
        if name not in now:
            # A cache is a help, and goes first where there is no room.
            found += [] if name.startswith("cache/") else [f"done, and {name} is missing"]
        elif digest is not None and now[name] != digest:
            found.append(f"done, and {name} is not as usual")
    return found


def _not_again(known: Usual, work: Path, command: str) -> list[str]:
    """What keeps the command from coming to its usual end when it is given again."""
    words = again(work, command)
    child = Child(work, words.split(), work.parent.parent / "said-again")
    if not child.wait(SECONDS_ALLOWED):
        os.kill(child.pid, signal.SIGKILL)
        child.wait(SECONDS_ALLOWED)
    if child.status:
        return [f"given again it ends with {child.status}: {child.said()[-600:]}"]
    return [f"given again: {what}" for what in _unlike(known, work, "")]
