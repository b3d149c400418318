"""Fourier shell correlation (FSC) of two maps, and the resolutions read off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_cryodrgn.errors import InputError

GOLD_STANDARD = 0.143
"""Threshold for independent half maps (Rosenthal and Henderson, 2003)."""
HALF = 0.5
"""Threshold for a map against its truth, or another map."""

Spectrum = npt.NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class FSCCurve:
    """Fourier shell correlation by shell.

    Parameters
    ----------
    frequencies : (S,) float64 array
        Centre of each shell in cycles per pixel, from one step, 1 / box, to 0.5; the zero
        frequency is left out.
    values : (S,) float64 array
        Correlation in each shell, -1 to 1; 0 where one of the maps is empty there.
    pixel_size : float or None
        Å per pixel; None where it is not known, and lengths are in pixels.
    """

    frequencies: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    pixel_size: float | None = None

    @property
    def spatial_frequencies(self) -> npt.NDArray[np.float64]:
        """Centres of the shells in 1/Å, or 1/px where the pixel size is not known."""
        return self.frequencies / (self.pixel_size or 1.0)

    @property
    def unit(self) -> str:
        """Unit of resolutions: 'Å', or 'px' where the pixel size is not known."""
        return "px" if self.pixel_size is None else "Å"

    def crossing(self, threshold: float) -> float:
        """Frequency, cycles per pixel, where the curve first falls below a threshold.

        Linearly interpolated between shells, the curve starting at 1 at frequency 0.

        Returns
        -------
        float
            The last shell's frequency (0.5, Nyquist) where it never does.
        """
        below = np.flatnonzero(self.values < threshold)
        if not below.size:
            return float(self.frequencies[-1])
        shell = int(below[0])
        high = float(self.values[shell - 1]) if shell else 1.0
        start = float(self.frequencies[shell - 1]) if shell else 0.0
        step = float(self.frequencies[shell]) - start
        share = (high - threshold) / (high - float(self.values[shell]))
        return start + step * share

    def reaches_nyquist(self, threshold: float) -> bool:
        """Whether the curve never falls below a threshold: the resolution is a bound then."""
        return bool((self.values >= threshold).all())

    def resolution(self, threshold: float) -> float:
        """Resolution where the curve first falls below a threshold, in `unit`."""
        return (self.pixel_size or 1.0) / self.crossing(threshold)

    def resolution_text(self, threshold: float) -> str:
        """The resolution for people: '7.52 Å', or '4.00 Å (Nyquist)' where it is the limit."""
        limit = " (Nyquist)" if self.reaches_nyquist(threshold) else ""
        return f"{self.resolution(threshold):.2f} {self.unit}{limit}"

    def area(self) -> float:
        """Area under the curve from frequency 0, where it is 1, to 0.5: at most 0.5."""
        return float(np.trapezoid(np.append(1.0, self.values), np.append(0.0, self.frequencies)))


def fourier_shell_correlation(
    first: npt.ArrayLike, second: npt.ArrayLike, pixel_size: float | None = None
) -> FSCCurve:
    """Correlate two maps shell by shell in Fourier space.

    Parameters
    ----------
    first, second : (box, box, box) array-like
        The maps, on the same grid.
    pixel_size : float, optional
        Å per pixel.

    Returns
    -------
    FSCCurve
        Shell i holds the frequencies within half a step of i / box (Harauz and van
        Heel, 1986): ``FSC = Re Σ F₁ F₂* / √(Σ |F₁|² Σ |F₂|²)``.

    Raises
    ------
    InputError
        Where the maps are not cubes of one size, or hold NaN or infinite voxels.
    """
    one, two = np.asarray(first, np.float32), np.asarray(second, np.float32)
    check_cubes(one, two)
    return correlate_spectra(spectrum_of(one), spectrum_of(two), pixel_size)


def correlate_spectra(
    first: Spectrum, second: Spectrum, pixel_size: float | None = None
) -> FSCCurve:
    """As `fourier_shell_correlation`, for maps of which the spectra are there already.

    Parameters
    ----------
    first, second : (box, box, box // 2 + 1) complex array
        As `spectrum_of` gives them.
    pixel_size : float, optional
        Å per pixel.
    """
    box = len(first)
    cross = shell_sums((first * second.conj()).real, box)
    norm = np.sqrt(shell_sums(_power(first), box) * shell_sums(_power(second), box))
    values = np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0)[1:]
    # Rounding may take a perfect correlation past 1.
    return FSCCurve(np.arange(1, box // 2 + 1) / box, np.clip(values, -1.0, 1.0), pixel_size)


def spectrum_of(volume: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """Fourier transform of a map, (box, box, box // 2 + 1), zero frequency first."""
    return np.asarray(scipy.fft.rfftn(volume.astype(np.float32, copy=False)), np.complex64)


def shell_numbers(box: int) -> npt.NDArray[np.int32]:
    """Shell of each element of a spectrum: its distance from zero frequency, rounded.

    Parameters
    ----------
    box : int
        Side of the map, px.

    Returns
    -------
    (box, box, box // 2 + 1) int32 array
        0 to box // 2; corners beyond have greater numbers.
    """
    axis = np.fft.fftfreq(box, 1 / box).astype(np.float32)
    half = np.arange(box // 2 + 1, dtype=np.float32)
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + half**2
    return np.asarray(np.rint(np.sqrt(squared)), np.int32)


def shell_sums(values: npt.NDArray[np.floating], box: int) -> npt.NDArray[np.float64]:
    """Sums over the shells 0 to box // 2 of a whole spectrum, of which one half is given.

    Parameters
    ----------
    values : (box, box, box // 2 + 1) array
        Values that are the same at k and −k.
    box : int
        Side of the map, px.
    """
    shells = shell_numbers(box)
    # Both halves have the plane of zero, and of even boxes that of Nyquist, in common.
    weights = values.astype(np.float64)
    last = (box + 1) // 2
    weights[:, :, 1:last] *= 2
    sums = np.bincount(shells.reshape(-1), weights.reshape(-1), minlength=box // 2 + 1)
    return np.asarray(sums[: box // 2 + 1], np.float64)


def check_cubes(*volumes: npt.NDArray[np.float32]) -> None:
    """Raise `InputError` unless all are finite cubes of one size."""
    for volume in volumes:
        if volume.ndim != 3 or len(set(volume.shape)) != 1 or len(volume) < 4:
            raise InputError("a map must be a cube", field="size", value=volume.shape)
        if volume.shape != volumes[0].shape:
            raise InputError(
                f"the maps differ in size: {len(volumes[0])} px",
                field="size",
                value=f"{len(volume)} px",
                hint="Resample one of them onto the grid of the other",
            )
        if not np.isfinite(volume).all():
            raise InputError("a map holds NaN or infinite voxels")


def _power(spectrum: Spectrum) -> npt.NDArray[np.floating]:
    return spectrum.real**2 + spectrum.imag**2
