"""FSC against known truths: equal maps, noise of known power, shifted and filtered maps."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.reconstruction.fsc import (
    FSCCurve,
    correlate_spectra,
    fourier_shell_correlation,
    shell_numbers,
    shell_sums,
    spectrum_of,
)
from napari_cryodrgn.reconstruction.half_map_fsc import half_map_fsc, random_phases
from napari_cryodrgn.reconstruction.soft_mask import low_passed, soft_mask, sphere_mask

BOX = 32


def blob(box: int = BOX, width: float = 3.0) -> np.ndarray:
    axis = np.arange(box) - box // 2
    distance = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    return np.exp(-distance / (2 * width**2)).astype(np.float32)


def test_equal_maps_correlate_fully_and_resolve_to_nyquist(rng: np.random.Generator) -> None:
    volume = rng.standard_normal((BOX, BOX, BOX)).astype(np.float32)
    curve = fourier_shell_correlation(volume, 3 * volume, 2.0)
    np.testing.assert_allclose(curve.values, 1, atol=1e-6)
    assert curve.reaches_nyquist(0.143)
    assert curve.resolution(0.143) == pytest.approx(4.0)
    assert curve.resolution_text(0.143) == "4.00 Å (Nyquist)"
    assert curve.area() == pytest.approx(0.5, abs=1e-6)
    opposite = fourier_shell_correlation(volume, -volume)
    np.testing.assert_allclose(opposite.values, -1, atol=1e-6)


def test_is_the_definition_on_the_full_transform(rng: np.random.Generator) -> None:
    one, two = rng.standard_normal((2, 12, 12, 12))
    two += one
    curve = fourier_shell_correlation(one, two)
    first, second = np.fft.fftn(one), np.fft.fftn(two)
    k = np.fft.fftfreq(12, 1 / 12)
    radius = np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)
    for number, value in enumerate(curve.values, start=1):
        shell = np.rint(radius) == number
        a, b = first[shell], second[shell]
        norm = np.sqrt((np.abs(a) ** 2).sum() * (np.abs(b) ** 2).sum())
        assert value == pytest.approx((a * b.conj()).real.sum() / norm, abs=1e-5)


def test_noise_gives_the_expected_correlation(rng: np.random.Generator) -> None:
    """Two maps of one signal with independent noise: FSC = S / (S + N)."""
    signal, noise_a, noise_b = rng.standard_normal((3, 64, 64, 64))
    curve = fourier_shell_correlation(signal + noise_a / 2, signal + noise_b / 2)
    np.testing.assert_allclose(curve.values[8:], 1 / (1 + 0.25), atol=0.03)


def test_crossing_is_interpolated_between_shells() -> None:
    frequencies = np.arange(1, 6) / 10
    curve = FSCCurve(frequencies, np.array([1.0, 0.9, 0.3, 0.1, 0.6]), 1.5)
    assert curve.crossing(0.5) == pytest.approx(0.2 + 0.1 * 0.4 / 0.6)
    assert curve.resolution(0.5) == pytest.approx(1.5 / (0.2 + 0.1 * 0.4 / 0.6))
    assert curve.crossing(0.2) == pytest.approx(0.35)
    assert not curve.reaches_nyquist(0.5)
    bad = FSCCurve(frequencies, np.zeros(5))
    assert 0 < bad.crossing(0.143) < 0.1
    assert bad.unit == "px"
    np.testing.assert_allclose(curve.spatial_frequencies, frequencies / 1.5)


@pytest.mark.parametrize("box", [8, 9])
def test_shell_sums_count_the_whole_spectrum(box: int) -> None:
    ones = np.ones((box, box, box // 2 + 1), np.float32)
    k = np.fft.fftfreq(box, 1 / box)
    radius = np.rint(np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)).astype(int)
    expected = np.bincount(radius.reshape(-1))[: box // 2 + 1]
    np.testing.assert_array_equal(shell_sums(ones, box), expected)
    assert shell_numbers(box)[0, 0, 0] == 0


def test_phases_are_randomised_from_a_shell_on_and_the_map_stays_real(
    rng: np.random.Generator,
) -> None:
    spectrum = spectrum_of(blob(width=1.0))
    mixed = random_phases(spectrum, 6, rng)
    np.testing.assert_allclose(np.abs(mixed), np.abs(spectrum), rtol=1e-4, atol=1e-6)
    values = correlate_spectra(spectrum, mixed).values
    np.testing.assert_allclose(values[:5], 1, atol=1e-6)
    assert np.abs(values[6:]).max() < 0.25
    volume = scipy.fft.irfftn(mixed, (BOX,) * 3)
    np.testing.assert_allclose(spectrum_of(volume.astype(np.float32)), mixed, atol=1e-3)


def test_correction_takes_away_what_only_the_mask_correlates(rng: np.random.Generator) -> None:
    """Fine detail is independent noise: the tight mask correlates it, the correction does not."""
    box = 48
    signal = 30 * low_passed(rng.standard_normal((box, box, box)).astype(np.float32), 5) * blob(
        box, 5.0
    ) + 20 * blob(box, 5.0)
    half_a, half_b = (
        signal + rng.standard_normal(signal.shape).astype(np.float32) * 0.6 for _ in range(2)
    )
    report = half_map_fsc(half_a, half_b, 4.0)
    fine = slice(16, None)
    assert np.abs(report.unmasked.values[fine]).max() < 0.1
    assert report.tight.values[fine].mean() > 0.01
    assert abs(report.corrected.values[fine].mean()) < report.tight.values[fine].mean()
    assert report.corrected.crossing(0.143) <= report.tight.crossing(0.143)
    assert list(report.curves) == ["NoMask", "Spherical", "Loose", "Tight", "Corrected"]
    assert len(report.lines()) == 3
    assert "corrected" in report.lines()[2]


def test_mask_surrounds_the_particle_softly() -> None:
    volume = blob(width=3.0)
    mask = soft_mask(volume, dilation=2, edge=4)
    centre = BOX // 2
    profile = mask[centre, centre, centre:]
    assert profile[0] == 1
    assert (np.diff(profile) <= 0).all()
    assert mask.min() == 0
    inside = np.flatnonzero(profile == 1).max()
    outside = np.flatnonzero(profile > 0).max()
    assert outside - inside == pytest.approx(4, abs=1)
    wider = soft_mask(volume, dilation=5, edge=4)
    assert wider.sum() > mask.sum()


def test_mask_of_an_empty_map_is_the_sphere() -> None:
    empty = np.zeros((BOX, BOX, BOX), np.float32)
    np.testing.assert_array_equal(
        soft_mask(empty, dilation=1, edge=3, threshold=1.0), sphere_mask(BOX, edge=3)
    )


def test_maps_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match="differ in size"):
        fourier_shell_correlation(np.zeros((8, 8, 8)), np.zeros((10, 10, 10)))
    with pytest.raises(InputError, match="must be a cube"):
        fourier_shell_correlation(np.zeros((8, 8, 6)), np.zeros((8, 8, 6)))
    with pytest.raises(InputError, match="NaN"):
        fourier_shell_correlation(np.full((8, 8, 8), np.nan), np.zeros((8, 8, 8)))
