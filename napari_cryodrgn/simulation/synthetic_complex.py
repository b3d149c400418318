"""The built-in molecule: an invented, asymmetric protein complex of known motion.

A C-shaped ring of paired helices carries a globular core; a curved arm with a head turns
about a hinge on the ring; a cap and a foot may be missing. Helices are rows of
pseudo-atoms, one for each turn, so the complex shows folds at high resolution and
domains at low resolution, as proteins do. It resembles no real structure on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

Points = npt.NDArray[np.float64]

# Geometry of alpha helices in proteins, Å.
HELIX_SPACING = 9.5
TURN_PITCH = 5.4
TURN_WIDTH = 2.8

RING_RADIUS = 44.0
HINGE_POINT = np.array([44.0, 0.0, 14.0])
HINGE_AXIS = np.array([-0.2, -1.0, -0.15])
# The arm is laid out upright; open, it leans outwards by so much.
OPEN_LEAN = 32.0


@dataclass(frozen=True, eq=False)
class SyntheticComplex:
    """Pseudo-atoms of the complex with its arm open, by part.

    Parameters
    ----------
    body, arm, cap, foot : (J, 3) float64 arrays
        Pseudo-atoms of each part, Å from the centre of rotation.
    hinge : (3,) float64 array
        Point on the hinge's axis, Å.
    axis : (3,) float64 array
        Direction of the hinge's axis, unit length.
    """

    body: Points
    arm: Points
    cap: Points
    foot: Points
    hinge: Points
    axis: Points

    @property
    def part_sizes(self) -> tuple[int, int, int, int]:
        """Pseudo-atoms of body, arm, cap and foot, the order of `positions`."""
        return len(self.body), len(self.arm), len(self.cap), len(self.foot)

    def positions(self, angles: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Positions of all pseudo-atoms with the arm turned.

        Parameters
        ----------
        angles : (B,) array
            Hinge angle of each particle, degrees.

        Returns
        -------
        (B, J, 3) float32 array
            Body, arm, cap, foot.
        """
        turns = Rotation.from_rotvec(np.radians(np.asarray(angles))[:, None] * self.axis)
        arms = (self.arm - self.hinge) @ turns.as_matrix().transpose(0, 2, 1) + self.hinge
        n = len(arms)
        fixed = [np.broadcast_to(part, (n, *part.shape)) for part in (self.body, self.cap)]
        foot = np.broadcast_to(self.foot, (n, *self.foot.shape))
        return np.concatenate([fixed[0], arms, fixed[1], foot], axis=1).astype(np.float32)


@cache
def synthetic_complex() -> SyntheticComplex:
    """The complex, centred on the mean of its whole, open form."""
    rng = np.random.default_rng(1)
    body = np.concatenate([_ring(rng), _core(rng)])
    axis = HINGE_AXIS / np.linalg.norm(HINGE_AXIS)
    lean = Rotation.from_rotvec(-np.radians(OPEN_LEAN) * axis)
    arm = lean.apply(np.concatenate([_arm(rng), _head(rng)]) - HINGE_POINT) + HINGE_POINT
    cap, foot = _cap(rng), _foot(rng)
    centre = np.concatenate([body, arm, cap, foot]).mean(axis=0)
    return SyntheticComplex(
        body - centre, arm - centre, cap - centre, foot - centre, HINGE_POINT - centre, axis
    )


def _ring(rng: np.random.Generator) -> Points:
    """Solenoid along an open, slightly rising ring; its gap shows the view's direction."""

    def curve(t: npt.NDArray[np.float64]) -> Points:
        angle = np.radians(10 + 285 * t)
        return np.stack(
            [RING_RADIUS * np.cos(angle), RING_RADIUS * np.sin(angle), 16 * (t - 0.5)], axis=1
        )

    return _solenoid(curve, lambda t: 30 + 8 * np.sin(np.pi * t), rng, up=(0.0, 0.0, 1.0))


def _core(rng: np.random.Generator) -> Points:
    """Bundle on the ring's back."""
    return _bundle((-40.0, -16.0, 18.0), 23.0, (0.3, 0.2, 1.0), rng)


def _arm(rng: np.random.Generator) -> Points:
    """Tapered solenoid that leaves the ring at the hinge and rises outwards."""

    def curve(t: npt.NDArray[np.float64]) -> Points:
        path = [4 + 22 * t - 8 * t**2, 6 * np.sin(np.pi * t), 8 + 60 * t]
        return np.asarray(HINGE_POINT + np.stack(path, axis=1))

    return _solenoid(curve, lambda t: 30 - 7 * t, rng, up=(0.0, 1.0, 0.0))


def _head(rng: np.random.Generator) -> Points:
    """Bundle at the arm's end."""
    return _bundle((60.0, 0.0, 94.0), 20.0, (1.0, 0.2, 0.4), rng)


def _cap(rng: np.random.Generator) -> Points:
    """Bundle on top of the ring, opposite the hinge."""
    return _bundle((-12.0, 42.0, 44.0), 25.0, (0.2, 1.0, 0.3), rng)


def _foot(rng: np.random.Generator) -> Points:
    """Short solenoid with a toe below the ring."""

    def curve(t: npt.NDArray[np.float64]) -> Points:
        path = [14 * np.sin(2.2 * t), -40 - 10 * t, -16 - 44 * t]
        return np.stack(path, axis=1)

    stem = _solenoid(curve, lambda t: 24 + 0 * t, rng, up=(1.0, 0.0, 0.0))
    return np.concatenate([stem, _bundle((16.0, -52.0, -66.0), 21.0, (1.0, 0.0, 0.0), rng)])


def _solenoid(
    curve: Callable[[npt.NDArray[np.float64]], Points],
    length: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    up: tuple[float, float, float],
) -> Points:
    """Two layers of helices across a curve, as in HEAT repeats.

    `curve` and `length` take a parameter from 0 to 1 and give points and helix lengths, Å;
    `up` is the direction along which the helices lie at first.
    """
    fine = np.linspace(0, 1, 400)
    points = curve(fine)
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    rungs = np.interp(np.arange(0, arc[-1], HELIX_SPACING), arc, fine)
    tangents = curve(np.minimum(rungs + 1e-3, 1)) - curve(np.maximum(rungs - 1e-3, 0))
    tangents /= np.linalg.norm(tangents, axis=1)[:, None]
    parts = []
    for number, (middle, tangent, t) in enumerate(zip(curve(rungs), tangents, rungs, strict=True)):
        along = np.asarray(up) - np.dot(up, tangent) * tangent
        along /= np.linalg.norm(along)
        across = np.cross(tangent, along)
        # A right-handed twist from rung to rung, and splayed layers, as real repeats have.
        twist = Rotation.from_rotvec(tangent * np.radians(4 * (number % 7) - 12))
        for side in (-1, 1):
            tilt = Rotation.from_rotvec(tangent * np.radians(8 * side))
            direction = (twist * tilt).apply(along)
            start = middle + side * 5.0 * across + side * 2.4 * tangent
            parts.append(_helix(start, direction, float(length(np.array(t))), rng))
    return np.concatenate(parts)


def _bundle(
    centre: tuple[float, float, float],
    radius: float,
    axis: tuple[float, float, float],
    rng: np.random.Generator,
) -> Points:
    """Globule of hexagonally packed, gently twisted helices."""
    steps = np.arange(-4, 5)
    u, v = np.meshgrid(steps, steps)
    places = HELIX_SPACING * np.stack([u + v / 2, v * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)
    places = places[np.linalg.norm(places, axis=1) < radius - 3]
    turn, _ = Rotation.align_vectors([np.asarray(axis, float)], [[0.0, 0.0, 1.0]])
    parts = []
    for x, y in places:
        length = 2 * np.sqrt(radius**2 - x**2 - y**2)
        lean = np.array([-y, x, 0.0]) / 45 + [0, 0, 1]
        parts.append(_helix(np.array([x, y, 0.0]), lean / np.linalg.norm(lean), length, rng))
    globule: Points = turn.apply(np.concatenate(parts)) + centre
    return globule


def _helix(middle: Points, direction: Points, length: float, rng: np.random.Generator) -> Points:
    """One pseudo-atom for each helix turn, with the unevenness of side chains."""
    turns = max(2, round(length / TURN_PITCH))
    along = (np.arange(turns) - (turns - 1) / 2) * TURN_PITCH
    return middle + along[:, None] * direction + rng.normal(0, 0.8, (turns, 3))
