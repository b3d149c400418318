"""Volumes that cryoDRGN 4.3.1 decoded from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.decoding.volume import decode_volume
from napari_cryodrgn.io.mrc import read_volume
from napari_cryodrgn.model.checkpoint import load_model_files

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def hand_model(data_folder):
    folder = data_folder / "cryodrgn-tests"
    return load_model_files(folder / "het_weights.pkl", folder / "het_config.yaml")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_volumes_are_cryodrgns(data_folder, hand_model, number):
    folder = data_folder / "oracle-cryodrgn-4.3.1" / "het_weights_decode"
    z = np.loadtxt(folder / "z_values.txt")[number - 1]
    expected = read_volume(folder / f"vol_{number:03d}.mrc").data
    difference = decode_volume(hand_model, z) - expected
    assert np.linalg.norm(difference) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("z", "box", "statistics"),
    [
        (np.zeros(8), None, (-5.74958, 2.0792756, -0.0016726987, 0.0643445)),
        ((1, -1, 0.5, 0, 2, 0, 0, -3), None, (-10.939444, 2.0158942, -0.0016422909, 0.06636709)),
        (np.zeros(8), 32, (-7.963627, 2.063625, -0.013381587, 0.23210394)),
        ((1, -1, 0.5, 0, 2, 0, 0, -3), 32, (-13.436202, 1.9057188, -0.013138326, 0.23462303)),
    ],
)
def test_statistics_are_those_of_eval_vol(hand_model, z, box, statistics):
    volume = decode_volume(hand_model, z, box=box)
    found = (volume.min(), volume.max(), volume.mean(dtype=np.float64), volume.std())
    assert found == pytest.approx(statistics, rel=2e-6)
