from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.imaging.rotation import check_rotations
from napari_cryodrgn.simulation.config import SimulationConfig
from napari_cryodrgn.simulation.scene import build_scene
from napari_cryodrgn.simulation.truth import Truth, draw_truth


def _truth(**settings: object) -> Truth:
    config = SimulationConfig.model_validate({"n_particles": 400, "box": 16, **settings})
    return draw_truth(config, build_scene(config).structure)


def test_junk_is_exactly_the_share_asked_for() -> None:
    truth = _truth(aggregates=0.1, empty=0.05, off_centre=0.025, false_poses=0.125)
    kinds, counts = np.unique(truth.junk, return_counts=True)
    assert dict(zip(kinds, counts, strict=True)) == {
        "": 280,
        "aggregate": 40,
        "empty": 20,
        "off_centre": 10,
        "false_pose": 50,
    }


def test_everything_may_be_junk() -> None:
    thirds = _truth(n_particles=10, aggregates=0.25, empty=0.25, off_centre=0.25, false_poses=0.25)
    assert (thirds.junk != "").all()


def test_only_false_poses_and_off_centre_particles_are_posed_wrongly() -> None:
    truth = _truth(off_centre=0.2, false_poses=0.2, aggregates=0.1)
    turned = (truth.true_poses.rotations != truth.given_poses.rotations).any(axis=(1, 2))
    np.testing.assert_array_equal(turned, truth.junk == "false_pose")
    moved = np.linalg.norm(truth.true_poses.shifts - truth.given_poses.shifts, axis=1)
    np.testing.assert_array_equal(moved > 0, truth.junk == "off_centre")
    assert moved[moved > 0].min() >= 0.2 - 1e-6
    check_rotations(truth.true_poses.rotations, file=None)
    check_rotations(truth.given_poses.rotations, file=None)


def test_classes_come_in_the_populations_asked_for() -> None:
    truth = _truth(n_particles=20_000, kind="composition", populations=(5, 3, 1, 1))
    shares = np.bincount(truth.classes, minlength=4) / 20_000
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.1, 0.1], atol=0.015)
    assert (truth.coordinates == 0).all()


@pytest.mark.parametrize(("spread", "mean"), [("uniform", 0.5), ("skewed", 2 / 7)])
def test_coordinates_spread_as_asked_for(spread: str, mean: float) -> None:
    truth = _truth(n_particles=20_000, kind="hinge", spread=spread)
    assert truth.coordinates.mean() == pytest.approx(mean, abs=0.01)
    assert truth.coordinates.min() >= 0
    assert truth.coordinates.max() <= 1
    assert (truth.classes == 0).all()


def test_preferred_views_crowd_about_two_directions() -> None:
    def largest_gathering(preferred: float) -> float:
        views = _truth(uneven_views=preferred).true_poses.rotations[:, 2]
        return float(((views @ views.T) > np.cos(np.radians(20))).mean(axis=1).max())

    assert largest_gathering(0.0) < 0.12
    assert largest_gathering(0.9) > 0.35


def test_changing_the_noise_leaves_the_truth_as_it_was() -> None:
    one, other = _truth(snr=0.1, defocus_max=30_000), _truth(snr=5)
    np.testing.assert_array_equal(one.true_poses.rotations, other.true_poses.rotations)
    np.testing.assert_array_equal(one.coordinates, other.coordinates)
    third = _truth(seed=1)
    assert (one.coordinates != third.coordinates).all()


def test_the_table_says_nothing_of_states_that_are_not_there() -> None:
    config = SimulationConfig(n_particles=100, box=16, empty=0.3, aggregates=0.1, kind="both")
    structure = build_scene(config).structure
    truth = draw_truth(config, structure)
    table = truth.table(structure, 16, 16.0)
    stateless = table["junk"].isin(["empty", "aggregate"])
    assert table.loc[stateless, ["class", "coordinate"]].isna().all().all()
    assert (table.loc[stateless, "class_name"] == "").all()
    with_state = table[~stateless]
    assert with_state["class"].between(1, 3).all()
    assert with_state["coordinate"].between(0, 1).all()
    np.testing.assert_allclose(
        table["true_shift_x"], truth.true_poses.shifts[:, 0] * 256, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "states"}, "needs volumes or atomic models"),
        ({"kind": "hinge", "volumes": ["a.mrc"]}, "built-in complex"),
        ({"kind": "morph", "volumes": ["a.mrc"]}, "cannot be morphed"),
        ({"volumes": ["a.mrc"], "models": ["a.pdb"]}, "not both"),
        ({"chains": ["A"]}, "atomic model only"),
        ({"volume_apix": 2.0}, "no volumes"),
        ({"defocus_min": 9e4}, "less than the least"),
        ({"populations": [1, 0]}, "greater than 0"),
        ({"empty": 0.6, "aggregates": 0.6}, "more than all"),
        ({"box": 33}, "multiple of 2"),
        ({"snr": 0}, "greater than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SimulationConfig.model_validate(settings)


def test_populations_must_fit_the_classes() -> None:
    with pytest.raises(InputError, match="at most 4 classes"):
        _truth(kind="both", populations=(1, 1, 1, 1, 1))
    with pytest.raises(InputError, match="1 classes, which need as many"):
        _truth(kind="hinge", populations=(1, 1))
