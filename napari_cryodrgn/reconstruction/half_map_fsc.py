"""Resolution of a reconstruction from its half maps: unmasked, masked, corrected for the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_cryodrgn.reconstruction.fsc import (
    GOLD_STANDARD,
    HALF,
    FSCCurve,
    Spectrum,
    check_cubes,
    correlate_spectra,
    shell_numbers,
    spectrum_of,
)
from napari_cryodrgn.reconstruction.soft_mask import soft_mask, sphere_mask

# Phases are drawn anew beyond where the unmasked curve falls below this (Chen et al., 2013).
_RANDOMISE_BELOW = 0.8
# Widths in Å, dilation and edge, of the masks that cryoDRGN reports, and the least in px: sharper
# edges spread strong coarse detail over fine shells, where the correction then takes too much.
_LOOSE, _TIGHT = (25.0, 15.0), (6.0, 6.0)
_LEAST = 6.0
_SPHERE_EDGE = 3.0


@dataclass(frozen=True, eq=False)
class HalfMapFSC:
    """FSC between half maps.

    Parameters
    ----------
    unmasked : FSCCurve
        Of the half maps as they are.
    spherical, loose, tight : FSCCurve
        Within a soft sphere, and soft masks far from and close to the particle.
    corrected : FSCCurve
        `tight`, freed of what the mask itself correlates.
    randomised_beyond : float
        Frequency, cycles per pixel, beyond which phases were randomised for it.
    """

    unmasked: FSCCurve
    spherical: FSCCurve
    loose: FSCCurve
    tight: FSCCurve
    corrected: FSCCurve
    randomised_beyond: float

    @property
    def curves(self) -> Mapping[str, FSCCurve]:
        """The curves by the names that cryoDRGN gives their columns."""
        return {
            "NoMask": self.unmasked,
            "Spherical": self.spherical,
            "Loose": self.loose,
            "Tight": self.tight,
            "Corrected": self.corrected,
        }

    def lines(self) -> list[str]:
        """Resolutions at 0.143 and 0.5 for people, one line a curve."""
        shown = (("unmasked", self.unmasked), ("masked", self.tight), ("corrected", self.corrected))
        return [
            f"FSC {name}: {curve.resolution_text(GOLD_STANDARD)} at {GOLD_STANDARD}, "
            f"{curve.resolution_text(HALF)} at {HALF}"
            for name, curve in shown
        ]


def half_map_fsc(
    half_a: npt.ArrayLike,
    half_b: npt.ArrayLike,
    pixel_size: float | None = None,
    *,
    seed: int = 0,
) -> HalfMapFSC:
    """Correlate half maps without and with masks made from their mean.

    Parameters
    ----------
    half_a, half_b : (box, box, box) array-like
        Reconstructions from independent halves of the particles.
    pixel_size : float, optional
        Å per pixel; without it the masks have widths in pixels.
    seed : int
        Of the phases drawn for the correction.

    Raises
    ------
    InputError
        As `fourier_shell_correlation`.
    """
    one, two = np.asarray(half_a, np.float32), np.asarray(half_b, np.float32)
    check_cubes(one, two)
    spectra = spectrum_of(one), spectrum_of(two)
    unmasked = correlate_spectra(*spectra, pixel_size)
    mean = (one + two) / 2
    loose, tight = (
        soft_mask(mean, dilation=dilation, edge=edge)
        for dilation, edge in (_in_pixels(widths, pixel_size) for widths in (_LOOSE, _TIGHT))
    )
    tight_curve = _masked(one, two, tight, pixel_size)
    beyond = unmasked.crossing(_RANDOMISE_BELOW)
    corrected = corrected_for_mask(spectra, tight, tight_curve, beyond, np.random.default_rng(seed))
    return HalfMapFSC(
        unmasked,
        _masked(one, two, sphere_mask(len(one), edge=_SPHERE_EDGE), pixel_size),
        _masked(one, two, loose, pixel_size),
        tight_curve,
        corrected,
        beyond,
    )


def corrected_for_mask(
    spectra: tuple[Spectrum, Spectrum],
    mask: npt.NDArray[np.float32],
    masked: FSCCurve,
    beyond: float,
    rng: np.random.Generator,
) -> FSCCurve:
    """Take from a masked FSC what the mask alone would correlate (Chen et al., 2013).

    Parameters
    ----------
    spectra : pair of (box, box, box // 2 + 1) complex arrays
        Of the half maps before masking.
    mask : (box, box, box) float32 array
    masked : FSCCurve
        Of the masked half maps.
    beyond : float
        Frequency, cycles per pixel, beyond which phases carry no common signal.
    rng : Generator
        Source of the phases.

    Returns
    -------
    FSCCurve
        (FSC − FSC_random) / (1 − FSC_random) beyond the frequency, FSC before; FSC_random is
        that of the half maps with random phases, masked alike.
    """
    box = len(mask)
    shell = max(1, round(beyond * box))
    one, two = (
        np.asarray(scipy.fft.irfftn(random_phases(s, shell, rng), mask.shape), np.float32)
        for s in spectra
    )
    random = _masked(one, two, mask, masked.pixel_size).values
    corrected = masked.values.copy()
    # The shell at the border holds both kinds of phases, mixed by the mask.
    chosen = (np.arange(1, box // 2 + 1) >= shell + 2) & (random < 1)
    corrected[chosen] = (masked.values[chosen] - random[chosen]) / (1 - random[chosen])
    return FSCCurve(masked.frequencies, np.clip(corrected, -1.0, 1.0), masked.pixel_size)


def random_phases(spectrum: Spectrum, shell: int, rng: np.random.Generator) -> Spectrum:
    """A spectrum whose phases from a shell on are those of white noise; amplitudes stay."""
    box = len(spectrum)
    # Noise in real space has the symmetry of phases that a real map needs.
    noise = spectrum_of(rng.standard_normal((box, box, box), dtype=np.float32))
    amplitude = np.abs(noise)
    phases = np.divide(noise, amplitude, out=np.ones_like(noise), where=amplitude > 0)
    return np.where(shell_numbers(box) >= shell, np.abs(spectrum) * phases, spectrum)


def _masked(
    one: npt.NDArray[np.float32],
    two: npt.NDArray[np.float32],
    mask: npt.NDArray[np.float32],
    pixel_size: float | None,
) -> FSCCurve:
    return correlate_spectra(spectrum_of(one * mask), spectrum_of(two * mask), pixel_size)


def _in_pixels(widths: tuple[float, float], pixel_size: float | None) -> tuple[float, float]:
    dilation, edge = (width / (pixel_size or 1.0) for width in widths)
    return max(dilation, _LEAST), max(edge, _LEAST)
