"""The selections of a session: the working one, those with names, marks, undo and redo of all.

Particles are selected among those of the open latent space. A change is kept as the
compressed bits that it flipped, so that hundreds of steps over a million particles take
a few megabytes, and each is undone in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection import Combine, NamedSelection, combined
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_marks import JunkMarks
from napari_cryodrgn.latent.selection_names import checked_colour, checked_name, free_colour
from napari_cryodrgn.latent.selection_state import KeptSelection, SelectionState, carried_over
from napari_cryodrgn.particles import ParticleRows

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace

Operation = Literal["union", "intersection", "difference"]
_OPERATION_SIGNS = {"union": "∪", "intersection": "∩", "difference": "∖"}
_HOW_SIGNS = {"add": "+", "subtract": "−", "intersect": "∩"}
_LONGEST_STORY = 400


@dataclass(frozen=True)
class _Step:
    """One action, which can be undone and done again."""

    text: str
    flipped: PackedMask | None
    made_before: str
    made_after: str
    named_before: tuple[KeptSelection, ...]
    named_after: tuple[KeptSelection, ...]
    marks_before: JunkMarks
    marks_after: JunkMarks


class SelectionBook:
    """Working selection, named selections, marks of good and bad, and the history of all.

    Attributes
    ----------
    changed : Signal(object)
        The working selection, (N,) bool, is another one now.
    named_changed : Signal(object)
        The tuple of named selections is another one now.
    marks_changed : Signal(object)
        The marks of good and bad particles are others now.
    done : Signal(object)
        After every action, undo and redo, with the book itself: its `state` can be saved.
    """

    changed = Signal(object)
    named_changed = Signal(object)
    marks_changed = Signal(object)
    done = Signal(object)

    def __init__(self) -> None:
        self._rows = ParticleRows.every(0)
        self._mask = _frozen(np.zeros(0, np.bool_))
        self._made = ""
        self._kept: tuple[KeptSelection, ...] = ()
        self._marks = JunkMarks.none(0)
        self._masks: dict[PackedMask, npt.NDArray[np.bool_]] = {}
        self._past: list[_Step] = []
        self._future: list[_Step] = []

    # The particles that can be selected

    def set_space(self, latent: LatentSpace | None) -> None:
        """Go over to another latent space: another epoch, a new analysis, another run.

        Selections are carried over particle by particle where both spaces choose from the
        same table; particles that the new one has not are left out. Undo reaches back over
        the change only where the particles are the same in the same order. Between
        different tables nothing is carried over.

        Parameters
        ----------
        latent : LatentSpace or None
            None forgets all selections.
        """
        rows = ParticleRows.every(0) if latent is None else latent.rows
        if rows == self._rows:
            return
        self.restore(carried_over(self.state, rows))

    def restore(self, state: SelectionState) -> None:
        """Take what was saved; nothing before it can be undone."""
        self._past, self._future = [], []
        self._rows = state.rows
        self._mask, self._made = _frozen(state.working.unpacked()), state.made
        self._kept = state.named
        self._marks = JunkMarks.none(len(state.rows)) if state.marks is None else state.marks
        self.changed.emit(self._mask)
        self.named_changed.emit(self.named)
        self.marks_changed.emit(self._marks)

    @property
    def state(self) -> SelectionState:
        """All selections now, compressed."""
        working = PackedMask.of(self._mask)
        return SelectionState(self._rows, working, self._made, self._kept, self._marks)

    @property
    def rows(self) -> ParticleRows:
        """The particles that can be selected."""
        return self._rows

    # The working selection

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The working selection, (N,) bool, read-only."""
        return self._mask

    @property
    def count(self) -> int:
        """Particles in the working selection."""
        return int(np.count_nonzero(self._mask))

    @property
    def made(self) -> str:
        """How the working selection was made, step by step; "" where nothing is selected."""
        return self._made

    @property
    def particles(self) -> ParticleRows:
        """The particles of the working selection, in the order of the latent space."""
        return self._rows.at(np.flatnonzero(self._mask))

    def apply(self, mask: npt.NDArray[np.bool_], how: Combine, made: str) -> None:
        """Change the working selection.

        Parameters
        ----------
        mask : (N,) bool array
            What a tool has found.
        how : {"replace", "add", "subtract", "intersect"}
            What to do with it.
        made : str
            How it was found: "lasso in UMAP1, UMAP2".

        Raises
        ------
        InputError
            Where the mask does not fit the latent space; nothing is changed.
        """
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != self._mask.shape:
            raise InputError(
                f"a selection says yes or no of each of {len(self._mask)} particles",
                field=made or "selection",
                value=f"{mask.dtype} array of shape {mask.shape}",
            )
        text = made if how == "replace" else f"{how} {made}"
        story = made if how == "replace" else _story(self._made, how, made)
        self._select(combined(self._mask, mask, how), story, text)

    def clear(self) -> None:
        """Select nothing."""
        self._select(np.zeros_like(self._mask), "", "clear")

    def invert(self) -> None:
        """Select what is not selected."""
        self._select(~self._mask, f"all but ({self._made})" if self._made else "all", "invert")

    # Selections with names

    @property
    def named(self) -> tuple[NamedSelection, ...]:
        """The selections with names, in the order in which they were kept."""
        return tuple(self._shown(kept) for kept in self._kept)

    def keep(self, name: str, colour: str | None = None, note: str = "") -> None:
        """Give the working selection a name.

        Parameters
        ----------
        name : str
            One that no other has.
        colour : str, optional
            "#rrggbb"; if not given, one that no other has.
        note : str
            What to remember about it.

        Raises
        ------
        InputError
            Where nothing is selected or the name is taken.
        """
        if not self._mask.any():
            raise InputError("nothing is selected", field="selection", value=name)
        self._add(name, self._mask, colour, note, self._made, f"keep '{name}'")

    def add_named(
        self,
        name: str,
        mask: npt.NDArray[np.bool_],
        *,
        colour: str | None = None,
        note: str = "",
        made: str = "",
    ) -> None:
        """Take a selection from elsewhere, such as a file, with its name; may be empty."""
        if np.asarray(mask).dtype != np.bool_ or np.shape(mask) != self._mask.shape:
            raise InputError(
                f"a selection says yes or no of each of {len(self._mask)} particles",
                field="selection",
                value=name,
            )
        self._add(name, mask, colour, note, made, f"add '{name}'")

    def rename(self, name: str, new_name: str) -> None:
        """Give a named selection another name."""
        if name != new_name:
            new = checked_name(new_name, self.names)
            self._change_named(name, {"name": new}, f"rename '{name}' to '{new}'")

    def recolour(self, name: str, colour: str) -> None:
        """Give a named selection another colour, "#rrggbb"."""
        self._change_named(name, {"colour": checked_colour(colour)}, f"recolour '{name}'")

    def annotate(self, name: str, note: str) -> None:
        """Write a note to a named selection."""
        self._change_named(name, {"note": note}, f"note on '{name}'")

    def update(self, name: str) -> None:
        """Put the working selection in place of what a name stood for."""
        if not self._mask.any():
            raise InputError("nothing is selected", field="selection", value=name)
        bits = PackedMask.of(self._mask)
        self._change_named(name, {"bits": bits, "made": self._made}, f"update '{name}'")

    def delete(self, name: str) -> None:
        """Forget a named selection; undo brings it back."""
        gone = self._kept_named(name)
        self._set_named(tuple(kept for kept in self._kept if kept is not gone), f"delete '{name}'")

    def load(self, name: str, how: Combine = "replace") -> None:
        """Bring a named selection into the working one."""
        kept = self._kept_named(name)
        self.apply(kept.bits.unpacked(), how, f"'{name}'")

    def combine(self, name_a: str, name_b: str, operation: Operation, new_name: str) -> None:
        """Make a new named selection of two.

        Parameters
        ----------
        name_a, name_b : str
            The two.
        operation : {"union", "intersection", "difference"}
            The difference is what is in the first and not in the second.
        new_name : str
            Name of the result.
        """
        first, second = (self._kept_named(name).bits.unpacked() for name in (name_a, name_b))
        if operation not in _OPERATION_SIGNS:
            raise InputError(f"one of {', '.join(_OPERATION_SIGNS)} was expected", value=operation)
        how: dict[str, Combine] = {
            "union": "add",
            "intersection": "intersect",
            "difference": "subtract",
        }
        mask = combined(first, second, how[operation])
        made = f"'{name_a}' {_OPERATION_SIGNS[operation]} '{name_b}'"
        self._add(new_name, mask, None, "", made, f"{operation} of '{name_a}' and '{name_b}'")

    def invert_named(self, name: str, new_name: str) -> None:
        """Make a new named selection of all particles that are not in one."""
        mask = ~self._kept_named(name).bits.unpacked()
        self._add(new_name, mask, None, "", f"all but '{name}'", f"invert '{name}'")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the named selections."""
        return tuple(kept.name for kept in self._kept)

    # Marks of good and bad particles

    @property
    def marks(self) -> JunkMarks:
        """Which particles are marked good, which bad."""
        return self._marks

    def mark(self, which: int | npt.NDArray[np.bool_], good: bool | None) -> None:
        """Mark a particle, by its position, or those of a mask; None takes their marks away."""
        n = 1 if np.ndim(which) == 0 else int(np.count_nonzero(which))
        what = "no mark on" if good is None else f"mark {'good' if good else 'bad'}:"
        self._set_marks(
            self._marks.marked(which, good), f"{what} {n:,} particle{'' if n == 1 else 's'}"
        )

    def clear_marks(self) -> None:
        """Take all marks away; undo brings them back."""
        self._set_marks(JunkMarks.none(len(self._mask)), "forget marks")

    # Undo and redo

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is an action to do again."""
        return bool(self._future)

    @property
    def undo_text(self) -> str:
        """The action that undo takes back; "" for none."""
        return self._past[-1].text if self._past else ""

    @property
    def redo_text(self) -> str:
        """The action that redo does again; "" for none."""
        return self._future[-1].text if self._future else ""

    def undo(self) -> None:
        """Take the last action back, where there is one."""
        if self._past:
            step = self._past.pop()
            self._future.append(step)
            self._go(step, step.made_before, step.named_before, step.marks_before)

    def redo(self) -> None:
        """Do the action again that was taken back last, where there is one."""
        if self._future:
            step = self._future.pop()
            self._past.append(step)
            self._go(step, step.made_after, step.named_after, step.marks_after)

    @property
    def history_bytes(self) -> int:
        """Memory that undo and redo take, roughly."""
        steps = [*self._past, *self._future]
        packed = {kept.bits for step in steps for kept in (*step.named_before, *step.named_after)}
        flipped = sum(len(step.flipped.content) for step in steps if step.flipped is not None)
        marks = {one for step in steps for one in (step.marks_before, step.marks_after)}
        packed |= {bits for one in marks for bits in (one.good_bits, one.bad_bits)}
        return flipped + sum(len(bits.content) for bits in packed)

    def _select(self, mask: npt.NDArray[np.bool_], made: str, text: str) -> None:
        flipped = self._mask ^ mask
        if not flipped.any():
            return
        if not mask.any():
            made = ""
        self._do(replace(self._step(text), flipped=PackedMask.of(flipped), made_after=made))

    def _set_named(self, named: tuple[KeptSelection, ...], text: str) -> None:
        if named != self._kept:
            self._do(replace(self._step(text), named_after=named))

    def _set_marks(self, marks: JunkMarks, text: str) -> None:
        if marks != self._marks:
            self._do(replace(self._step(text), marks_after=marks))

    def _step(self, text: str) -> _Step:
        """An action that changes nothing yet."""
        made, kept, marks = self._made, self._kept, self._marks
        return _Step(text, None, made, made, kept, kept, marks, marks)

    def _add(
        self,
        name: str,
        mask: npt.NDArray[np.bool_],
        colour: str | None,
        note: str,
        made: str,
        text: str,
    ) -> None:
        name = checked_name(name, self.names)
        if colour is None:
            colour = free_colour(kept.colour for kept in self._kept)
        kept = KeptSelection(name, checked_colour(colour), note, made, PackedMask.of(mask))
        self._set_named((*self._kept, kept), text)

    def _change_named(self, name: str, changes: dict[str, object], text: str) -> None:
        old = self._kept_named(name)
        new = replace(old, **changes)  # type: ignore[arg-type]
        self._set_named(tuple(new if kept is old else kept for kept in self._kept), text)

    def _kept_named(self, name: str) -> KeptSelection:
        for kept in self._kept:
            if kept.name == name:
                return kept
        listed = ", ".join(self.names) or "none"
        raise InputError(
            f"there is no selection of this name (there are {listed})", field="name", value=name
        )

    def _do(self, step: _Step) -> None:
        self._past.append(step)
        self._future.clear()
        self._go(step, step.made_after, step.named_after, step.marks_after)

    def _go(
        self, step: _Step, made: str, named: tuple[KeptSelection, ...], marks: JunkMarks
    ) -> None:
        self._made = made
        named_differ, marks_differ = named is not self._kept, marks is not self._marks
        self._kept, self._marks = named, marks
        if step.flipped is not None:
            self._mask = _frozen(self._mask ^ step.flipped.unpacked())
            self.changed.emit(self._mask)
        if named_differ:
            self.named_changed.emit(self.named)
        if marks_differ:
            self.marks_changed.emit(marks)
        self.done.emit(self)

    def _shown(self, kept: KeptSelection) -> NamedSelection:
        mask = self._masks.get(kept.bits)
        if mask is None:
            # Unpacked masks are large: those of selections that are gone are forgotten.
            wanted = {other.bits for other in self._kept}
            self._masks = {bits: old for bits, old in self._masks.items() if bits in wanted}
            mask = self._masks[kept.bits] = _frozen(kept.bits.unpacked())
        return NamedSelection(kept.name, kept.colour, mask, kept.note, kept.made, self._rows)


def _story(before: str, how: Combine, made: str) -> str:
    """How a selection was made, with what was done to it last; the oldest is cut off."""
    story = f"{before} {_HOW_SIGNS[how]} {made}" if before else f"{_HOW_SIGNS[how]} {made}"
    return story if len(story) <= _LONGEST_STORY else f"… {story[-_LONGEST_STORY:]}"


def _frozen(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    mask.flags.writeable = False
    return mask
