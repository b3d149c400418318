"""Names and colours that selections can have."""

from __future__ import annotations

import re
from collections.abc import Iterable

from napari_cryodrgn.errors import InputError

# Purer than any colour of classes, so that a selection is not taken for one of them, and none of
# the magenta of what is selected now; neighbours differ in lightness, for the colour-blind.
PALETTE = (
    "#00e5ff",
    "#ff3d00",
    "#76ff03",
    "#7c4dff",
    "#ffea00",
    "#00a152",
    "#ff9e80",
    "#2962ff",
    "#b2ff59",
    "#c51162",
    "#18ffc0",
    "#aa00ff",
)
_LONGEST_NAME = 80


def free_colour(taken: Iterable[str]) -> str:
    """The first colour of the palette that is used least."""
    used = list(taken)
    return min(PALETTE, key=used.count)


def checked_colour(colour: str) -> str:
    """A colour as "#rrggbb".

    Raises
    ------
    InputError
        Where it is something else.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise InputError("a colour is written #rrggbb", field="colour", value=colour)
    return colour.lower()


def checked_name(name: str, taken: Iterable[str]) -> str:
    """A name that no other has, without blanks around it.

    Raises
    ------
    InputError
        Where it is empty, too long, has line breaks, or is taken.
    """
    clean = name.strip()
    if not clean or len(clean) > _LONGEST_NAME or not clean.isprintable():
        raise InputError(
            f"a name has 1 to {_LONGEST_NAME} letters on one line", field="name", value=name
        )
    if clean in set(taken):
        raise InputError(
            "there is one of this name already",
            field="name",
            value=clean,
            hint="Give another name, or update the one there is",
        )
    return clean
