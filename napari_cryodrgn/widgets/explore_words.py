"""The present state in words, and latent points as people write them."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.neighbours import LatentNeighbours, Nearest
from napari_cryodrgn.session_history import Visit
from napari_cryodrgn.session_records import State

SHORT_Z = 4


def state_text(state: State | None) -> str:
    """Which state is shown, and how one came there."""
    if state is None:
        return ""
    who = "Free latent point" if state.pick is None else f"Particle {state.pick.row:,}"
    # An epoch shown anew comes by itself.
    return f"{who}  ·  {state.source}" if state.source not in ("", "epoch") else who


def nearest_text(state: State, nearest: Nearest, row: int) -> str:
    """Where the particles are, seen from a state: one line."""
    if state.pick is not None and state.pick.position == nearest.position:
        return "On a particle: its own latent point"
    if nearest.relative is None:
        return f"Nearest: particle {row:,}, {nearest.distance:.3g} in z away"
    distance = f"{nearest.relative:.2g} × the usual distance"
    if nearest.far:
        return f"⚠ Far from the data: nearest is particle {row:,}, {distance} away"
    return f"Nearest: particle {row:,}, {distance} between neighbours"


def nearest_tip(neighbours: LatentNeighbours) -> str:
    """What the distance means."""
    return (
        "Half of the particles have their nearest neighbour within "
        f"{neighbours.typical:.3g} in z: the usual distance. 99 % have one within "
        f"{neighbours.far_distance:.3g}.\nFarther away the network was hardly trained: "
        "what it decodes there is a guess."
    )


def visit_text(visit: Visit) -> str:
    """A visited state on one line."""
    if visit.row is not None:
        who = f"particle {visit.row:,}"
    else:
        shown = ", ".join(f"{value:.2f}" for value in visit.z[:SHORT_Z])
        who = f"z ({shown}{', …' if len(visit.z) > SHORT_Z else ''})"
    return f"{who}  ·  {visit.source}" if visit.source not in ("", "epoch") else who


def z_text(z: npt.NDArray[np.floating]) -> str:
    """A latent point as numbers with blanks between, in the digits that give it back."""
    return " ".join(np.format_float_positional(np.float32(value), trim="-") for value in z)


def parse_z(text: str, zdim: int) -> npt.NDArray[np.float32]:
    """A latent point from what was typed or pasted.

    Parameters
    ----------
    text : str
        Numbers with blanks, commas, semicolons or line breaks between, in brackets or not.
    zdim : int
        How many there must be.

    Returns
    -------
    (zdim,) float32 array

    Raises
    ------
    InputError
        Where something is no finite number, or there are too many or too few.
    """
    bare = re.sub(r"^\s*(np\.)?(array|z)?\s*=?\s*[\[(]*|[\])]*\s*$", "", text)
    words = re.split(r"[\s,;]+", bare.strip()) if bare.strip() else []
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            raise InputError("this is no number", field="z", value=word) from None
        # Latents are float32; NaN is no less than anything either.
        if not abs(value) <= float(np.finfo(np.float32).max):
            raise InputError("this is no finite number", field="z", value=word)
        values.append(value)
    if len(values) != zdim:
        numbers = "1 number" if len(values) == 1 else f"{len(values)} numbers"
        raise InputError(
            f"there are {numbers}, and a latent point of this run has {zdim}", field="z"
        )
    return np.array(values, dtype=np.float32)
