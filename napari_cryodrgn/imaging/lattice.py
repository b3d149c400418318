"""The lattice of spatial frequencies on which centred transforms live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from napari_cryodrgn.errors import InputError


@dataclass(frozen=True)
class Lattice:
    """Frequencies of a symmetrised transform: side box + 1, zero frequency in the centre.

    The points are in row-major order (y outer, x inner), so reversing the order
    of all of them negates each: point i and point side² − 1 − i are k and −k.

    Parameters
    ----------
    box : int
        Side of the images, px; even.
    extent : float
        Frequency at the outermost points, in cycles per pixel of the images the
        model was trained on; 0.5 unless a volume is evaluated on a smaller box.
    device : torch.device or str
        Where the tensors are.
    dtype : torch.dtype
        Type of the coordinates.

    Raises
    ------
    InputError
        Where the box is odd or below 2.
    """

    box: int
    extent: float = 0.5
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.box < 2 or self.box % 2:
            raise InputError(
                "the box must be an even number of pixels", field="box", value=self.box
            )

    @property
    def side(self) -> int:
        """Points along each axis, box + 1."""
        return self.box + 1

    @cached_property
    def axis(self) -> torch.Tensor:
        """(side,) frequencies along one axis, −extent to +extent; the middle one is exactly 0."""
        half = self.box // 2
        # Computed in double precision on the CPU (MPS has none) and rounded once, so
        # that both halves are exact mirror images.
        steps = torch.arange(-half, half + 1, dtype=torch.float64)
        return (steps * self.extent / half).to(self.dtype).to(self.device)

    @cached_property
    def coords(self) -> torch.Tensor:
        """(side², 3) points (x, y, 0), cycles per pixel."""
        y, x = torch.meshgrid(self.axis, self.axis, indexing="ij")
        return torch.stack((x, y, torch.zeros_like(x)), dim=-1).reshape(-1, 3)

    def disc(self, radius: float) -> torch.Tensor:
        """Which points lie within a disc; the zero frequency does not count.

        Parameters
        ----------
        radius : float
            Radius, in lattice steps (px of the transform).

        Returns
        -------
        (side²,) bool tensor
            Point-symmetric: the chosen points in reverse order are their negatives.
        """
        limit = radius / (self.box // 2) * self.extent
        # In the precision of the coordinates: points on the circle itself are in or out
        # by rounding, and the widths of trained encoders depend on it.
        inside = self.coords.square().sum(dim=-1) <= limit * limit
        inside[inside.numel() // 2] = False
        return inside

    def frequencies(self, pixel_size: float) -> torch.Tensor:
        """(side², 2) spatial frequencies in 1/Å, for images of `pixel_size` Å per pixel."""
        return self.coords[:, :2] / pixel_size

    def to(self, device: torch.device | str) -> Lattice:
        """The same lattice on another device."""
        return replace(self, device=device)
