from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.imaging.rotation import random_rotations
from napari_cryodrgn.simulation.structure import BuiltinStructure
from napari_cryodrgn.simulation.synthetic_complex import synthetic_complex
from napari_cryodrgn.simulation.volume_structure import VolumeStructure

BOX, PIXEL = 32, 8.0


@pytest.fixture
def exact() -> BuiltinStructure:
    return BuiltinStructure(hinge_range=0, n_classes=2, blur=5.4)


@pytest.fixture
def sampled(exact: BuiltinStructure) -> VolumeStructure:
    volumes = [exact.volume(number, 0.0, BOX, PIXEL) for number in range(2)]
    return VolumeStructure.of(exact.class_names, volumes, PIXEL)


def test_slices_of_volumes_are_those_of_their_molecule(
    exact: BuiltinStructure, sampled: VolumeStructure, rng: np.random.Generator
) -> None:
    states = np.array([0, 1, 1, 0, 1]), np.zeros(5), random_rotations(5, rng)
    expected = exact.slices(*states, BOX, PIXEL).numpy()
    found = sampled.slices(*states, BOX, PIXEL).numpy()
    # A volume knows nothing beyond its Nyquist planes, and half of what is on them.
    inner = np.s_[:, np.r_[0:10, BOX - 9 : BOX], :10]
    error = np.abs(found[inner] - expected[inner]).max() / np.abs(expected).max()
    assert error < 2e-3


def test_slices_can_be_taken_at_another_box_and_pixel_size(
    exact: BuiltinStructure, sampled: VolumeStructure, rng: np.random.Generator
) -> None:
    states = np.array([0, 1]), np.zeros(2), random_rotations(2, rng)
    expected = exact.slices(*states, 20, 12.0).numpy()
    # Density values are kept, so a projection's sum changes with the voxels' volume.
    found = sampled.slices(*states, 20, 12.0).numpy() * (12.0 / PIXEL) ** 3
    inner = np.s_[:, np.r_[0:9, 12:20], :9]
    assert np.abs(found[inner] - expected[inner]).max() / np.abs(expected).max() < 5e-3


def test_volumes_are_resampled_exactly(exact: BuiltinStructure, sampled: VolumeStructure) -> None:
    np.testing.assert_array_equal(sampled.volume(1, 0, BOX, PIXEL), sampled.volumes[1])
    expected = exact.volume(1, 0.0, 48, 6.0)
    found = sampled.volume(1, 0, 48, 6.0) * (6.0 / PIXEL) ** 3
    assert np.abs(found - expected).max() / expected.max() < 0.02


def test_the_missing_part_is_missing(exact: BuiltinStructure) -> None:
    whole, without_cap = (exact.volume(number, 0.0, BOX, PIXEL) for number in range(2))
    _body, _arm, cap, _foot = synthetic_complex().part_sizes
    assert whole.sum() - without_cap.sum() == pytest.approx(cap, rel=1e-3)
