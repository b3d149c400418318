"""All selections at one moment, compressed: what is saved, and carried to other particles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.selection_bits import PackedMask
from napari_cryodrgn.latent.selection_marks import JunkMarks
from napari_cryodrgn.particles import ParticleRows


@dataclass(frozen=True)
class KeptSelection:
    """A named selection as it is kept: compressed, without the particles it speaks of."""

    name: str
    colour: str
    note: str
    made: str
    bits: PackedMask


@dataclass(frozen=True)
class SelectionState:
    """All selections at one moment, over N particles.

    Parameters
    ----------
    rows : ParticleRows
        The particles.
    working : PackedMask
        The working selection.
    made : str
        How that was made.
    named : tuple of KeptSelection
        Those with names.
    marks : JunkMarks or None
        Which are marked good and bad; None for no marks.
    """

    rows: ParticleRows
    working: PackedMask
    made: str
    named: tuple[KeptSelection, ...]
    marks: JunkMarks | None = None


def carried_over(state: SelectionState, rows: ParticleRows) -> SelectionState:
    """Selections as they are over another choice of particles.

    Parameters
    ----------
    state : SelectionState
        Over any particles.
    rows : ParticleRows
        The particles there are now.

    Returns
    -------
    SelectionState
        Over `rows`: each particle is selected that was; those not known before are not.
        Without any selection where the two choose from different tables.
    """
    try:
        state.rows.require_same_table(rows)
    except InputError:
        return SelectionState(rows, PackedMask.of(np.zeros(len(rows), np.bool_)), "", ())

    def over(bits: PackedMask) -> PackedMask:
        chosen = np.zeros(rows.n_source, np.bool_)
        chosen[state.rows.rows[bits.unpacked()]] = True
        return PackedMask.of(chosen[rows.rows])

    named = tuple(replace(kept, bits=over(kept.bits)) for kept in state.named)
    marks = None if state.marks is None else state.marks.carried(over)
    return SelectionState(rows, over(state.working), state.made, named, marks)
