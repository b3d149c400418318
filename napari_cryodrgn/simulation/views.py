"""Orientations and shifts of simulated particles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from napari_cryodrgn.imaging.rotation import random_rotations

# Spread of the views about a preferred orientation, as adsorption to the water's surface
# leaves it.
PREFERRED_SPREAD = 12.0
# Off-centre particles lie this far from where their pose says, as a share of the box.
OFF_CENTRE = (0.2, 0.35)


def draw_rotations(n: int, preferred: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Orientations, a share of them near one of two preferred ones.

    Parameters
    ----------
    n : int
        How many.
    preferred : float
        Share, 0 to 1, of the particles that lie within about 12° of one of two view
        directions, which are 90° apart.
    rng : Generator
        Source of randomness.

    Returns
    -------
    (n, 3, 3) float32 array
        In our convention (`imaging.rotation`).
    """
    rotations = random_rotations(n, rng)
    first = Rotation.from_matrix(random_rotations(1, rng)[0])
    lying = np.flatnonzero(rng.random(n) < preferred)
    if not lying.size:
        return rotations
    second = Rotation.from_euler("x", 90, degrees=True) * first
    chosen = Rotation.concatenate([first, second])[rng.integers(0, 2, lying.size)]
    direction = rng.uniform(0, 2 * np.pi, lying.size)
    lean = np.radians(np.abs(rng.normal(0, PREFERRED_SPREAD, lying.size)))
    tilt = Rotation.from_rotvec(
        lean[:, None]
        * np.stack([np.cos(direction), np.sin(direction), np.zeros(lying.size)], axis=1)
    )
    spin = Rotation.from_euler("z", rng.uniform(0, 360, (lying.size, 1)), degrees=True)
    # A rotation maps the volume into the view: lay it down, lean it over, spin it in the plane.
    rotations[lying] = (spin * tilt * chosen).as_matrix()
    return rotations


def draw_shifts(n: int, greatest: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Shifts (x, y) uniform within ± `greatest`, shares of the box, (n, 2) float32."""
    return np.asarray(rng.uniform(-greatest, greatest, (n, 2)), dtype=np.float32)


def draw_large_shifts(n: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Shifts of off-centre particles in any direction, shares of the box, (n, 2) float32."""
    direction = rng.uniform(0, 2 * np.pi, n)
    length = rng.uniform(*OFF_CENTRE, n)
    shifts = length[:, None] * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    return np.asarray(shifts, dtype=np.float32)
