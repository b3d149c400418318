"""Keeps the selections of a session in the folder of its run: read at opening, saved at once.

Files are written on a thread of their own, the newest state first and none in between, so
that no disk makes a mouse wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_files import (
    ALL_SELECTIONS,
    read_run_selections,
    write_run_selections,
)
from napari_cryodrgn.latent.selection_state import SelectionState, carried_over

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.particles import ParticleRows
    from napari_cryodrgn.workflows.open_run import OpenRun

Call = Callable[[], None]

# Files below this, of so many particles, are read within 20 ms, and then before anything is drawn.
_QUICK_BYTES, _QUICK_PARTICLES = 1 << 20, 100_000


class SelectionKeeper:
    """Makes a book's selections last.

    Parameters
    ----------
    book : SelectionBook
    deliver : callable
        Takes a function and sees to it that it is called on the book's own thread.
    tell : callable
        Takes a sentence, a kind ("warning") and details, for people.
    """

    def __init__(
        self,
        book: SelectionBook,
        deliver: Callable[[Call], None],
        tell: Callable[[str, Literal["warning"], str], None],
    ) -> None:
        self._book, self._deliver, self._tell = book, deliver, tell
        self._folder: Path | None = None
        self._read = False
        self._complained = False
        self._waiting: tuple[Path, SelectionState] | None = None
        self._writer: threading.Thread | None = None
        self._guard = threading.Lock()
        book.done.connect(self._save)

    def set_run(self, run: OpenRun | None) -> None:
        """Another run is open: its selections come with its latent space."""
        # What is still to be written is the last run's, and this one may be opened again soon.
        self.flush()
        self._folder = None if run is None else run.folder.selections
        self._read = self._complained = False
        # Particles may be the same ones; the selections are another run's.
        self._book.set_space(None)

    def set_space(self, latent: LatentSpace | None) -> None:
        """Another latent space is shown: carry the selections over, or read them."""
        self._book.set_space(latent)
        if latent is None or self._folder is None or self._read:
            return
        self._read = True
        path = self._folder / ALL_SELECTIONS
        if not path.is_file():
            return
        if len(latent) <= _QUICK_PARTICLES and path.stat().st_size <= _QUICK_BYTES:
            self._take(self._folder, *_reading(self._folder, latent.rows))
            return
        folder, self._read = self._folder, False

        def read() -> None:
            result = _reading(folder, latent.rows)
            self._deliver(lambda: self._take(folder, *result))

        threading.Thread(target=read, name="read-selections", daemon=True).start()

    def flush(self) -> None:
        """Wait until everything is on the disk."""
        with self._guard:
            writer = self._writer
        if writer is not None:
            writer.join()

    def _take(self, folder: Path, state: SelectionState | None, problem: str) -> None:
        """What was read, unless another run is open by now."""
        if folder != self._folder:
            return
        self._read = True
        if problem:
            self._set_aside(folder, problem)
        elif state is not None:
            early = self._book.state if self._book.can_undo else None
            self._book.restore(state)
            if early is not None:
                # Made before the file was read: on top of what it held, and can be undone.
                self._book.apply(early.working.unpacked(), "replace", early.made or "selection")
                if early.marks is not None:
                    self._book.mark(early.marks.good, True)
                    self._book.mark(early.marks.bad, False)
                for kept in early.named:
                    if kept.name not in self._book.names:
                        mask = kept.bits.unpacked()
                        self._book.add_named(
                            kept.name, mask, colour=kept.colour, note=kept.note, made=kept.made
                        )
        if self._book.can_undo:
            self._save(self._book)

    def _set_aside(self, folder: Path, problem: str) -> None:
        """Keep a file that cannot be read: the next change would overwrite it."""
        aside = folder / "selections.unreadable.json"
        try:
            (folder / ALL_SELECTIONS).replace(aside)
        except OSError:
            self._folder = None
            self._tell("Selections will not be saved: a file is in the way", "warning", problem)
            return
        text = f"The saved selections cannot be used; they are kept as {aside.name}"
        self._tell(text, "warning", problem)

    def _save(self, book: SelectionBook) -> None:
        if self._folder is None or not self._read:
            return
        with self._guard:
            self._waiting = (self._folder, book.state)
            if self._writer is None:
                # No daemon: what was selected last is written before the program ends.
                self._writer = threading.Thread(target=self._write, name="save-selections")
                self._writer.start()

    def _write(self) -> None:
        while True:
            with self._guard:
                job, self._waiting = self._waiting, None
                if job is None:
                    self._writer = None
                    return
            try:
                write_run_selections(*job)
            except InputError as error:
                self._deliver(partial(self._complain, str(error)))

    def _complain(self, problem: str) -> None:
        """Say once for each run that its folder cannot be written to."""
        if not self._complained:
            self._complained = True
            self._tell(
                "Selections could not be saved; they last until you quit", "warning", problem
            )


def _reading(folder: Path, rows: ParticleRows) -> tuple[SelectionState | None, str]:
    """What was saved, carried over to these particles, or why it cannot be used."""
    try:
        state = read_run_selections(folder, rows)
    except InputError as error:
        return None, str(error)
    return (None if state is None else carried_over(state, rows)), ""
