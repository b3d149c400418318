"""What is true of every simulated particle, and what its pose file claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import euler_from_rotations, random_rotations
from napari_cryodrgn.particles import Poses
from napari_cryodrgn.simulation.config import CoordinateSpread, SimulationConfig
from napari_cryodrgn.simulation.structure import Structure
from napari_cryodrgn.simulation.views import draw_large_shifts, draw_rotations, draw_shifts

JunkKind = Literal["", "aggregate", "empty", "off_centre", "false_pose"]
# The parts of a simulation that draw random numbers, each from a stream of its own, so
# that changing one (the noise, say) leaves the others as they were.
STREAMS = ("views", "states", "junk", "optics", "noise", "colour", "aggregates")


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth about N particles.

    Parameters
    ----------
    junk : (N,) str array
        Kind of junk; "" for particles.
    classes : (N,) int64 array
        Class, 0-based. Meaningless where `junk` is aggregate or empty.
    coordinates : (N,) float64 array
        Place along the motion, 0 to 1; 0 where nothing moves.
    true_poses, given_poses : Poses
        Where the particle lies, and where its pose file says it does.
    """

    junk: npt.NDArray[np.str_]
    classes: npt.NDArray[np.int64]
    coordinates: npt.NDArray[np.float64]
    true_poses: Poses
    given_poses: Poses

    def __len__(self) -> int:
        return len(self.junk)

    @property
    def has_state(self) -> npt.NDArray[np.bool_]:
        """Whether an image shows one particle in one state, however posed."""
        return ~np.isin(self.junk, ["aggregate", "empty"])

    def table(self, structure: Structure, box: int, pixel_size: float) -> pd.DataFrame:
        """The truth as a table, one row for each particle, in their order.

        Columns: ``row`` (0-based), ``junk``, ``class`` (1-based, as volumes are numbered),
        ``class_name``, ``coordinate``, true angles (°) and shifts (Å). State columns are
        empty where an image shows no single state.
        """
        rot, tilt, psi = euler_from_rotations(self.true_poses.rotations)
        shown = self.has_state
        names = np.array(structure.class_names, dtype=object)[self.classes]
        shifts = self.true_poses.shifts.astype(np.float64) * box * pixel_size
        return pd.DataFrame(
            {
                "row": np.arange(len(self)),
                "junk": self.junk,
                "class": pd.Series(self.classes + 1, dtype="Int64").where(shown),
                "class_name": np.where(shown, names, ""),
                "coordinate": np.where(shown & structure.moves, self.coordinates, np.nan),
                "true_rot": rot,
                "true_tilt": tilt,
                "true_psi": psi,
                "true_shift_x": shifts[:, 0],
                "true_shift_y": shifts[:, 1],
            }
        )


def generator(seed: int, stream: str) -> np.random.Generator:
    """Random numbers of one part of the simulation."""
    return np.random.default_rng([seed, STREAMS.index(stream)])


def draw_truth(config: SimulationConfig, structure: Structure, poses: Poses | None = None) -> Truth:
    """Draw states, poses and junk.

    Parameters
    ----------
    config : SimulationConfig
        What to draw.
    structure : Structure
        Whose classes and motion.
    poses : Poses, optional
        Poses to take, one for each particle; drawn if not given.

    Returns
    -------
    Truth

    Raises
    ------
    InputError
        Where the populations do not fit the structure's classes.
    """
    n = config.n_particles
    views = generator(config.seed, "views")
    if poses is None:
        poses = Poses(
            draw_rotations(n, config.uneven_views, views), draw_shifts(n, config.max_shift, views)
        )
    rotations, shifts = poses.rotations, poses.shifts
    states = generator(config.seed, "states")
    classes = states.choice(len(structure.class_names), n, p=_populations(config, structure))
    coordinates = draw_coordinates(n, config.spread, states) * structure.moves
    source = generator(config.seed, "junk")
    junk = _draw_junk(config, source)
    true_shifts = shifts.copy()
    astray = junk == "off_centre"
    true_shifts[astray] += draw_large_shifts(int(astray.sum()), source)
    given = rotations.copy()
    false = junk == "false_pose"
    given[false] = random_rotations(int(false.sum()), source)
    return Truth(
        junk,
        classes.astype(np.int64),
        coordinates,
        Poses(rotations, true_shifts),
        Poses(given, shifts),
    )


def draw_coordinates(
    n: int, spread: CoordinateSpread, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Places along a motion, 0 to 1: uniform, or crowded near 0 with a tail towards 1."""
    return rng.random(n) if spread == "uniform" else rng.beta(1.0, 2.5, n)


def _draw_junk(config: SimulationConfig, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Kinds of junk, exactly the numbers asked for, in random places."""
    n = config.n_particles
    shares: list[tuple[JunkKind, float]] = [
        ("aggregate", config.aggregates),
        ("empty", config.empty),
        ("off_centre", config.off_centre),
        ("false_pose", config.false_poses),
    ]
    # Rounding the running total keeps each kind within one image of its share, and their sum.
    ends = np.rint(np.cumsum([share for _, share in shares]) * n).astype(np.int64)
    kinds = np.repeat([kind for kind, _ in shares], np.diff(ends, prepend=0))
    junk = np.full(n, "", dtype="<U12")
    junk[rng.permutation(n)[: len(kinds)]] = kinds
    return junk


def _populations(config: SimulationConfig, structure: Structure) -> npt.NDArray[np.float64]:
    n_classes = len(structure.class_names)
    if not config.populations:
        # Halving from one class to the next is uneven, and leaves none too rare to be found.
        shares = 0.6 ** np.arange(n_classes)
        return np.asarray(shares / shares.sum())
    if len(config.populations) != n_classes:
        raise InputError(
            f"there are {n_classes} classes, which need as many populations",
            field="populations",
            value=", ".join(map(str, config.populations)),
        )
    shares = np.array(config.populations, dtype=np.float64)
    return np.asarray(shares / shares.sum())
