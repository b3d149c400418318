"""A molecule as a sum of Gaussians, and its exact Fourier transforms.

With atoms at p_j (Å, from the centre of rotation), weights w_j and widths s_j, the
transform of the density at spatial frequency k (1/Å) is

    F(k) = Σ_j w_j · exp(-2π² s_j² |k|²) · exp(-2πi k·p_j),

and that of its projection is F on the plane through the origin (projection-slice
theorem). Both are separable along the axes of a grid, so a slice is one matrix
product of two small tables of exponentials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

# Volume planes handled at once stay within about this many complex numbers.
_CHUNK_ELEMENTS = 4_000_000


@dataclass(frozen=True, eq=False)
class GaussianMolecule:
    """Pseudo-atoms of one state of a molecule.

    Parameters
    ----------
    positions : (J, 3) float32 array
        x, y, z from the centre of rotation, Å.
    weights : (J,) float32 array
        Integral of each Gaussian's density; arbitrary unit.
    widths : (J,) float32 array
        Standard deviation of each Gaussian, Å.
    """

    positions: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    widths: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        """Centre of mass, x, y, z, Å."""
        mean: npt.NDArray[np.float32] = np.average(self.positions, axis=0, weights=self.weights)
        return mean.astype(np.float32)

    @property
    def radius(self) -> float:
        """Distance of the outermost pseudo-atom from the centre of rotation, Å."""
        return float(np.linalg.norm(self.positions, axis=1).max())

    def blurred(self, width: float) -> GaussianMolecule:
        """The molecule convolved with a Gaussian of the given standard deviation, Å."""
        return GaussianMolecule(
            self.positions, self.weights, np.hypot(self.widths, np.float32(width))
        )


def resolution_width(resolution: float) -> float:
    """Standard deviation (Å) of the Gaussian blur that leaves the given resolution (Å).

    The usual definition for simulated maps (as in ChimeraX's molmap): the transform has
    fallen to 1/e at wave number 1 / resolution, hence resolution / (π √2).
    """
    return resolution / (math.pi * math.sqrt(2))


def grid_frequencies(box: int, pixel_size: float) -> torch.Tensor:
    """Frequencies of an FFT of `box` samples, 1/Å, (box,) float32, in FFT order."""
    frequencies: torch.Tensor = torch.fft.fftfreq(box, d=pixel_size)
    return frequencies


def half_grid_frequencies(box: int, pixel_size: float) -> torch.Tensor:
    """Frequencies of a real FFT of `box` samples, 1/Å, (box // 2 + 1,) float32."""
    frequencies: torch.Tensor = torch.fft.rfftfreq(box, d=pixel_size)
    return frequencies


def project(
    positions: torch.Tensor,
    weights: torch.Tensor,
    widths: torch.Tensor,
    rotations: torch.Tensor,
    box: int,
    pixel_size: float,
) -> torch.Tensor:
    """Fourier transforms of projections, exactly.

    Parameters
    ----------
    positions : (B, J, 3) or (1, J, 3) float32 tensor
        Pseudo-atoms of each particle, Å.
    weights : (B, J) or (1, J) float32 tensor
        Their weights.
    widths : (J,) float32 tensor
        Their standard deviations, Å.
    rotations : (B, 3, 3) float32 tensor
        Poses: row vectors of the image plane times the matrix lie in the volume frame, so
        the matrix applied to a position gives its place in the view.
    box : int
        Side of the images, px.
    pixel_size : float
        Å per pixel.

    Returns
    -------
    (B, box, box // 2 + 1) complex64 tensor
        Real-FFT layout (rows ky, columns kx), phases about the image's centre.
    """
    views = positions @ rotations[:, :2].transpose(1, 2)  # (B, J, 2): x, y in the image
    along_x = _exponentials(views[..., 0], widths, half_grid_frequencies(box, pixel_size))
    along_y = _exponentials(views[..., 1], widths, grid_frequencies(box, pixel_size))
    return along_y.transpose(1, 2) @ (along_x * weights[..., None])


def volume_transform(molecule: GaussianMolecule, box: int, pixel_size: float) -> torch.Tensor:
    """Fourier transform of the density, exactly.

    Parameters
    ----------
    molecule : GaussianMolecule
        The molecule.
    box : int
        Side of the volume, px.
    pixel_size : float
        Å per pixel.

    Returns
    -------
    (box, box, box // 2 + 1) complex64 tensor
        Real-FFT layout (kz, ky, kx), phases about the volume's centre.
    """
    positions = torch.from_numpy(np.ascontiguousarray(molecule.positions))
    widths = torch.from_numpy(molecule.widths)
    full, half = grid_frequencies(box, pixel_size), half_grid_frequencies(box, pixel_size)
    along_x = _exponentials(positions[:, 0], widths, half)
    along_x = along_x * torch.from_numpy(molecule.weights)[:, None]
    along_y = _exponentials(positions[:, 1], widths, full)
    along_z = _exponentials(positions[:, 2], widths, full)
    planes = max(1, _CHUNK_ELEMENTS // (box * len(molecule)))
    parts = []
    for start in range(0, box, planes):
        chosen = along_z[:, start : start + planes]
        both = along_y[:, None, :] * chosen[:, :, None]  # (J, planes, box)
        parts.append(torch.einsum("jzy,jx->zyx", both, along_x))
    return torch.cat(parts)


def density(molecule: GaussianMolecule, box: int, pixel_size: float) -> npt.NDArray[np.float32]:
    """Density on a grid, band-limited to it.

    Parameters
    ----------
    molecule : GaussianMolecule
        The molecule.
    box : int
        Side of the volume, px.
    pixel_size : float
        Å per pixel.

    Returns
    -------
    (box, box, box) float32 array
        [z, y, x], the centre of rotation at index box // 2; weight per voxel, so that a sum
        along an axis is a projection.
    """
    return volume_of(volume_transform(molecule, box, pixel_size)).numpy()


def images_of(transforms: torch.Tensor) -> torch.Tensor:
    """Real images of transforms whose phases are about the centre, index box // 2.

    Parameters
    ----------
    transforms : (B, box, box // 2 + 1) complex64 tensor
        Real-FFT layout.

    Returns
    -------
    (B, box, box) float32 tensor
    """
    box = transforms.shape[-2]
    images: torch.Tensor = torch.fft.irfft2(transforms, s=(box, box))
    return images.roll((box // 2, box // 2), dims=(-2, -1))


def volume_of(transform: torch.Tensor) -> torch.Tensor:
    """Real volume of a transform whose phases are about the centre, index box // 2.

    Parameters
    ----------
    transform : (box, box, box // 2 + 1) complex64 tensor
        Real-FFT layout.

    Returns
    -------
    (box, box, box) float32 tensor
    """
    box = transform.shape[0]
    volume: torch.Tensor = torch.fft.irfftn(transform, s=(box, box, box))
    return volume.roll((box // 2,) * 3, dims=(0, 1, 2))


def _exponentials(
    coordinates: torch.Tensor, widths: torch.Tensor, frequencies: torch.Tensor
) -> torch.Tensor:
    """(..., J) coordinates, (J,) widths, (K,) frequencies -> (..., J, K) complex64."""
    envelope = torch.exp(-2 * math.pi**2 * (widths[:, None] * frequencies) ** 2)
    phase = (-2 * math.pi) * coordinates[..., None] * frequencies
    return torch.complex(envelope * torch.cos(phase), envelope * torch.sin(phase))
