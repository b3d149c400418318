"""States that were visited, with a way back and forward as in a browser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.session_records import State

if TYPE_CHECKING:
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.session import Session

MOST_STATES = 200


@dataclass(frozen=True, eq=False)
class Visit:
    """One visited state.

    Parameters
    ----------
    z : (zdim,) float32 array
        Its latent point.
    position : int or None
        Position in the latent space of the particle that was picked; None of a free point.
    particle : ParticleRows or None
        That particle's one row in the source table.
    source : str
        How one came there: "click", "slider z3" …
    """

    z: npt.NDArray[np.float32]
    position: int | None
    particle: ParticleRows | None
    source: str

    @property
    def row(self) -> int | None:
        """Row of the picked particle in the source table, 0-based; None of a free point."""
        return None if self.particle is None else int(self.particle.rows[0])

    def same_as(self, other: Visit) -> bool:
        """Whether both are the same particle, or the same free latent point."""
        return self.row == other.row and np.array_equal(self.z, other.z)


class VisitedStates:
    """The visited states of one latent space, oldest first, and which of them is shown.

    Only settled states are visits: what passes under the mouse is not. Going back and
    then to a new state drops what lay ahead.

    Parameters
    ----------
    most : int
        How many are kept; the oldest are dropped.

    Attributes
    ----------
    changed : Signal()
        The states, or the one that is shown, have changed.
    """

    changed = Signal()

    def __init__(self, most: int = MOST_STATES) -> None:
        self._most = most
        self._visits: list[Visit] = []
        self._index = -1
        self._space: LatentSpace | None = None

    def follow(self, session: Session) -> None:
        """Note what settles in this session, and begin anew with each run."""
        session.run_changed.connect(self._forget)
        session.latent_changed.connect(self.set_space)
        session.state_changed.connect(self.note)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """All that are kept, oldest first."""
        return tuple(self._visits)

    @property
    def index(self) -> int:
        """Which of them is the present one; -1 before the first."""
        return self._index

    @property
    def can_back(self) -> bool:
        """Whether there is an earlier one."""
        return self._index > 0

    @property
    def can_forward(self) -> bool:
        """Whether one went back from a later one."""
        return self._index + 1 < len(self._visits)

    def note(self, state: State) -> None:
        """Add a state that has settled, unless it is the present one already."""
        if state.moving or not len(state.z):
            return
        pick = state.pick
        visit = Visit(
            np.array(state.z, dtype=np.float32, copy=True),
            None if pick is None else pick.position,
            None if pick is None else pick.particle,
            state.source,
        )
        if self._index >= 0 and visit.same_as(self._visits[self._index]):
            return
        kept = [*self._visits[: self._index + 1], visit]
        self._visits = kept[-self._most :]
        self._index = len(self._visits) - 1
        self.changed.emit()

    def back(self) -> Visit | None:
        """Go to the state before; None where there is none."""
        return self.go(self._index - 1)

    def forward(self) -> Visit | None:
        """Go to the state that one went back from; None where there is none."""
        return self.go(self._index + 1)

    def go(self, index: int) -> Visit | None:
        """Make one of the visited states the present one; None where there is none such.

        What lies ahead of it stays: showing it in the session adds no visit.
        """
        if not 0 <= index < len(self._visits):
            return None
        self._index = index
        self.changed.emit()
        return self._visits[index]

    def clear(self) -> None:
        """Forget all."""
        if self._visits:
            self._visits, self._index = [], -1
            self.changed.emit()

    def set_space(self, space: LatentSpace | None) -> None:
        """Follow to another epoch of the run, or to a new analysis of the same.

        Picked particles are carried over with their new latent points. Free points are
        dropped: the same z is another state there.
        """
        before, self._space = self._space, space
        if space is None:
            self.clear()
        elif before is not None and not _same_latents(before, space):
            self._carry(space)

    def _carry(self, space: LatentSpace) -> None:
        where = np.full(space.rows.n_source, -1, dtype=np.int64)
        where[space.rows.rows] = np.arange(len(space))
        carried: list[Visit] = []
        index = -1
        for number, visit in enumerate(self._visits):
            row = visit.row
            there = -1 if row is None or row >= len(where) else int(where[row])
            if there >= 0:
                moved = replace(visit, position=there, z=space.mu[there].copy())
                if not carried or not moved.same_as(carried[-1]):
                    carried.append(moved)
            if number == self._index:
                index = len(carried) - 1
        self._visits = carried
        self._index = max(index, 0) if carried else -1
        self.changed.emit()

    def _forget(self, _: object) -> None:
        self._space = None
        self.clear()


def show_visit(session: Session, visit: Visit | None, source: str) -> None:
    """Show a visited state again; nothing to do for None.

    Parameters
    ----------
    session : Session
    visit : Visit or None
        As `VisitedStates.back`, `forward` or `go` gave it.
    source : str
        "back", "forward" or "visited".
    """
    if visit is None:
        return
    if visit.position is not None:
        session.pick(visit.position, source=source)
    else:
        session.request_z(visit.z, source=source)


def _same_latents(one: LatentSpace, other: LatentSpace) -> bool:
    """Whether two latent spaces are of one epoch and one training; by a sample of the particles."""
    if one is other or one.mu is other.mu:
        return True
    if one.epoch != other.epoch or one.mu.shape != other.mu.shape:
        return False
    every = len(one) // 10_000 + 1
    same_rows = np.array_equal(one.rows.rows[::every], other.rows.rows[::every])
    return same_rows and np.array_equal(one.mu[::every], other.mu[::every])
