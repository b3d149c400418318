"""Gaussian positional encoding of all points of a rotated slice, from two small tables.

Points of a slice lie on a lattice: k = x u + y v, with u and v the slice's axes. So
exp(i k·f) = exp(i x u·f) exp(i y v·f), and sines and cosines of side points along each axis
are enough for all side² of them: a product in place of a sine and a cosine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_cryodrgn.imaging.lattice import Lattice


@dataclass(frozen=True, eq=False)
class SliceFeatures:
    """The points at which slices are compared, and the frequencies by which they are encoded.

    Parameters
    ----------
    points : (P, 3) tensor
        Point-symmetric part of a lattice, in lattice order.
    axis : (side,) tensor
        Frequencies along one axis of the lattice.
    columns, rows : (P // 2,) int64 tensors
        Place of each point of the first half along x and y.
    directions : (m, 3) tensor
        Vectors f, times half the box.
    """

    points: Tensor
    axis: Tensor
    columns: Tensor
    rows: Tensor
    directions: Tensor

    @property
    def n_points(self) -> int:
        """Points P of a slice."""
        return len(self.points)

    @property
    def n_features(self) -> int:
        """Width of the encoding of a point."""
        return 2 * len(self.directions)

    def tables(self, rotation: Tensor) -> SliceTables:
        """Both tables of a slice, rotation being (3, 3)."""
        u, v = (rotation[:2] @ self.directions.t()).unbind(0)
        depth = self.points[: self.n_points // 2] @ rotation[:, 2]
        sign = torch.where(depth > 0, -1.0, 1.0).to(depth.dtype)
        return SliceTables(self, _waves(self.axis, u), _waves(self.axis, v), sign)


@dataclass(frozen=True, eq=False)
class SliceTables:
    """Tables of one slice.

    Parameters
    ----------
    source : SliceFeatures
    along_x, along_y : (2, side, m) tensors
        Sines and cosines along each axis.
    sign : (P // 2,) tensor
        −1 where a point lies at k_z > 0, and is negated.
    """

    source: SliceFeatures
    along_x: Tensor
    along_y: Tensor
    sign: Tensor

    def features(self, part: slice) -> tuple[Tensor, Tensor]:
        """Encoding (n, 2 m), sines first, of some points at k_z <= 0; and their signs (n,)."""
        columns, rows = self.source.columns[part], self.source.rows[part]
        sign = self.sign[part]
        sin_x, cos_x = (table.index_select(0, columns) for table in self.along_x)
        sin_y, cos_y = (table.index_select(0, rows) for table in self.along_y)
        m = sin_x.shape[1]
        encoded = sin_x.new_empty((len(columns), 2 * m))
        sines, cosines = encoded[:, :m], encoded[:, m:]
        torch.mul(sin_x, cos_y, out=sines)
        sines.addcmul_(cos_x, sin_y).mul_(sign[:, None])
        torch.mul(cos_x, cos_y, out=cosines)
        cosines.addcmul_(sin_x, sin_y, value=-1)
        return encoded, sign

    def turned(self, part: slice, encoded: Tensor, gradient: Tensor) -> Tensor:
        """Gradient (2, 3) by the slice's axes u and v, of that by the encoding of some points.

        Parameters
        ----------
        part : slice
            Which points.
        encoded : (n, 2 m) tensor
            Their encoding, from `features`.
        gradient : (n, 2 m) tensor
            The gradient by it.
        """
        m = encoded.shape[1] // 2
        by_phase = gradient[:, :m] * encoded[:, m:]
        by_phase.addcmul_(gradient[:, m:], encoded[:, :m], value=-1).mul_(self.sign[part, None])
        return self.source.points[part, :2].t() @ by_phase @ self.source.directions


def slice_features(lattice: Lattice, pixels: Tensor, rand_freqs: Tensor) -> SliceFeatures:
    """Prepare the encoding of slices.

    Parameters
    ----------
    lattice : Lattice
    pixels : (P,) int64 tensor
        Positions on the lattice, ascending; point-symmetric, without the zero frequency.
    rand_freqs : (m, 3) tensor
        The decoder's random vectors.
    """
    half = pixels[: len(pixels) // 2]
    return SliceFeatures(
        lattice.coords[pixels],
        lattice.axis,
        half % lattice.side,
        half // lattice.side,
        rand_freqs.detach() * (lattice.box / 2),
    )


def _waves(axis: Tensor, frequencies: Tensor) -> Tensor:
    """Sines and cosines, (2, side, m); phases of hundreds of radians are taken in double."""
    phases = axis.double()[:, None] * frequencies.double()
    phases = phases.remainder(2 * math.pi).float()
    return torch.stack((phases.sin(), phases.cos()))
