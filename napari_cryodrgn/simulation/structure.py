"""What is simulated: a structure with classes, a motion, or both.

A structure gives the Fourier slice of any of its states in any view, and the state's
volume. A state is a class (0-based) and a coordinate from 0 to 1 along the motion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from napari_cryodrgn.simulation import gaussians
from napari_cryodrgn.simulation.gaussians import GaussianMolecule
from napari_cryodrgn.simulation.synthetic_complex import synthetic_complex

# Mass of one pseudo-atom of the built-in complex; arbitrary, as its density is.
_BEAD_WEIGHT = 1.0
_BEAD_WIDTH = 2.8


class Structure(Protocol):
    """Something with states that can be projected."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class is, for people."""

    @property
    def moves(self) -> bool:
        """Whether the coordinate changes anything."""

    def slices(
        self,
        classes: npt.NDArray[np.int64],
        coordinates: npt.NDArray[np.float64],
        rotations: npt.NDArray[np.float32],
        box: int,
        pixel_size: float,
    ) -> torch.Tensor:
        """Fourier transforms of projections, (B, box, box // 2 + 1) complex64.

        Real-FFT layout, phases about the image's centre, without CTF and shift.
        """

    def volume(
        self, class_number: int, coordinate: float, box: int, pixel_size: float
    ) -> npt.NDArray[np.float32]:
        """Density of one state, (box, box, box), [z, y, x]."""


@dataclass(frozen=True, eq=False)
class BuiltinStructure:
    """The built-in complex: an arm that turns, subunits that are missing.

    Parameters
    ----------
    hinge_range : float
        Degrees that the arm turns from coordinate 0 to 1; 0 for an arm at rest.
    n_classes : int
        1 to 4: whole, without its cap, without its foot, without both.
    blur : float
        Standard deviation (Å) of the blur that stands for limited resolution.
    """

    hinge_range: float
    n_classes: int
    blur: float

    CLASS_NAMES = ("whole", "without cap", "without foot", "without cap and foot")
    # A molecule that does not move is shown with its arm half closed.
    RESTING_ANGLE = 37.5

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each class is."""
        return self.CLASS_NAMES[: self.n_classes]

    @property
    def moves(self) -> bool:
        """Whether the arm turns."""
        return self.hinge_range > 0

    def angles(self, coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Hinge angles at the given coordinates, degrees."""
        if not self.moves:
            return np.full(len(coordinates), self.RESTING_ANGLE)
        return coordinates * self.hinge_range

    def weights(self, classes: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Weights of the pseudo-atoms, (B, J): 0 where a part is missing."""
        body, arm, cap, foot = synthetic_complex().part_sizes
        table = np.full((4, body + arm + cap + foot), _BEAD_WEIGHT, np.float32)
        table[[1, 3], body + arm : body + arm + cap] = 0
        table[[2, 3], body + arm + cap :] = 0
        return table[classes]

    def slices(
        self,
        classes: npt.NDArray[np.int64],
        coordinates: npt.NDArray[np.float64],
        rotations: npt.NDArray[np.float32],
        box: int,
        pixel_size: float,
    ) -> torch.Tensor:
        """See `Structure.slices`; exact."""
        positions = synthetic_complex().positions(self.angles(coordinates))
        widths = np.full(positions.shape[1], np.hypot(_BEAD_WIDTH, self.blur), np.float32)
        return gaussians.project(
            torch.from_numpy(positions),
            torch.from_numpy(self.weights(classes)),
            torch.from_numpy(widths),
            torch.from_numpy(rotations),
            box,
            pixel_size,
        )

    def volume(
        self, class_number: int, coordinate: float, box: int, pixel_size: float
    ) -> npt.NDArray[np.float32]:
        """See `Structure.volume`; exact."""
        positions = synthetic_complex().positions(self.angles(np.array([coordinate])))[0]
        molecule = GaussianMolecule(
            positions,
            self.weights(np.array([class_number]))[0],
            np.full(len(positions), _BEAD_WIDTH, np.float32),
        )
        return gaussians.density(molecule.blurred(self.blur), box, pixel_size)


@dataclass(frozen=True, eq=False)
class MorphStructure:
    """Pseudo-atoms that move straight from each conformation to the next.

    Parameters
    ----------
    conformations : list of GaussianMolecule
        Two or more with the same pseudo-atoms; blurred as they are to be seen.
    name : str
        What it is.
    """

    conformations: list[GaussianMolecule]
    name: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """The one class."""
        return (self.name,)

    @property
    def moves(self) -> bool:
        """It does."""
        return True

    def positions(self, coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Positions at the given coordinates, (B, J, 3), Å."""
        legs = len(self.conformations) - 1
        first = np.minimum((coordinates * legs).astype(np.int64), legs - 1)
        share = (coordinates * legs - first)[:, None, None]
        places = np.stack([molecule.positions for molecule in self.conformations])
        moved = (1 - share) * places[first] + share * places[first + 1]
        return np.asarray(moved, dtype=np.float32)

    def slices(
        self,
        classes: npt.NDArray[np.int64],
        coordinates: npt.NDArray[np.float64],
        rotations: npt.NDArray[np.float32],
        box: int,
        pixel_size: float,
    ) -> torch.Tensor:
        """See `Structure.slices`; exact. There is one class only."""
        molecule = self.conformations[0]
        return gaussians.project(
            torch.from_numpy(self.positions(coordinates)),
            torch.from_numpy(molecule.weights)[None],
            torch.from_numpy(molecule.widths),
            torch.from_numpy(rotations),
            box,
            pixel_size,
        )

    def volume(
        self, class_number: int, coordinate: float, box: int, pixel_size: float
    ) -> npt.NDArray[np.float32]:
        """See `Structure.volume`; exact."""
        molecule = self.conformations[0]
        moved = GaussianMolecule(
            self.positions(np.array([coordinate]))[0], molecule.weights, molecule.widths
        )
        return gaussians.density(moved, box, pixel_size)
