"""Confounders: found where they were put, and not where none were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.confounders import find_confounders, mutual_information
from napari_cryodrgn.latent.imaging_conditions import (
    imaging_conditions,
    sphere_points,
    view_vectors,
)
from napari_cryodrgn.progress import run_to_end

SEEDS = range(20)


def particle_columns(rng: np.random.Generator, n: int = 1500) -> pd.DataFrame:
    """Particles seen from all sides, of many micrographs that each have a defocus."""
    micrograph = rng.integers(0, 60, n)
    defocus = rng.uniform(8000, 22000, 60)[micrograph]
    return pd.DataFrame(
        {
            "angle_rot": rng.uniform(-180, 180, n),
            "angle_tilt": np.degrees(np.arccos(rng.uniform(-1, 1, n))),
            "angle_psi": rng.uniform(-180, 180, n),
            "shift_x": rng.normal(size=n),
            "shift_y": rng.normal(size=n),
            "defocus_u": defocus + rng.normal(0, 50, n),
            "defocus_v": defocus - 200 + rng.normal(0, 50, n),
            "micrograph": [f"MotionCorr/m{number:03d}.mrc" for number in micrograph],
            "optics_group": micrograph % 2,
        }
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_linked_to_views_is_flagged_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = particle_columns(rng)
    side = np.abs(np.cos(np.radians(columns["angle_tilt"]))) < 0.5
    labels = np.where(rng.random(len(columns)) < np.where(side, 0.7, 0.3), 1, 0)
    free = rng.integers(0, 5, len(columns))
    found = run_to_end(
        find_confounders({"linked": labels, "free": free}, imaging_conditions(columns))
    )
    flagged = [(one.what, one.condition) for one in found if one.flagged]
    assert flagged == [("linked", "view direction")]
    assert "side views" in found[0].words


@pytest.mark.parametrize("seed", SEEDS)
def test_unlinked_is_not_flagged(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    columns = particle_columns(rng)
    latent = {
        "z0": rng.normal(size=len(columns)).astype(np.float32),
        "kmeans": rng.integers(0, 20, len(columns)),
        "selection": rng.random(len(columns)) < 0.1,
    }
    found = run_to_end(find_confounders(latent, imaging_conditions(columns), seed=seed))
    assert not [one for one in found if one.flagged]
    assert len(found) == 3 * 6


def test_an_axis_that_follows_the_defocus(rng: np.random.Generator) -> None:
    columns = particle_columns(rng)
    axis = columns["defocus_u"].to_numpy() / 3000 + rng.normal(size=len(columns))
    found = run_to_end(find_confounders({"z1": axis}, imaging_conditions(columns)))
    assert {one.condition for one in found if one.flagged} == {"defocus", "micrograph"}
    assert "Å (median)" in next(one for one in found if one.condition == "defocus").words


def test_a_selection_from_few_micrographs(rng: np.random.Generator) -> None:
    columns = particle_columns(rng)
    chosen = columns["micrograph"].isin(["MotionCorr/m003.mrc", "MotionCorr/m007.mrc"])
    selection = chosen.to_numpy() & (rng.random(len(columns)) < 0.8)
    found = run_to_end(find_confounders({"mine": selection}, imaging_conditions(columns)))
    first = next(one for one in found if one.condition == "micrograph")
    assert first.flagged
    assert "m003.mrc" in first.words
    assert "100 %" in first.words


def test_strength_is_one_where_the_one_says_the_other(rng: np.random.Generator) -> None:
    columns = particle_columns(rng)
    found = run_to_end(
        find_confounders({"group": columns["optics_group"].to_numpy()}, imaging_conditions(columns))
    )
    own = next(one for one in found if one.condition == "optics group")
    assert own.strength == pytest.approx(1.0)


def test_mutual_information_by_hand() -> None:
    first, second = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    assert mutual_information(first, second) == pytest.approx(np.log(2))
    assert mutual_information(first, np.array([0, 1, 0, 1])) == pytest.approx(0)


def test_conditions_are_those_that_the_table_has(rng: np.random.Generator) -> None:
    columns = particle_columns(rng)[["angle_psi", "optics_group"]].assign(optics_group=1)
    assert [one.name for one in imaging_conditions(columns)] == ["in-plane angle"]


def test_values_that_are_missing_count_nowhere(rng: np.random.Generator) -> None:
    columns = particle_columns(rng)
    columns.loc[:50, ["angle_rot", "defocus_u"]] = np.nan
    conditions = imaging_conditions(columns)
    assert all((one.codes[:51] == -1).all() for one in conditions if one.name == "view direction")
    run_to_end(find_confounders({"a": rng.integers(0, 3, len(columns))}, conditions))


def test_nothing_can_be_learnt_from_a_micrograph_for_each_particle(
    rng: np.random.Generator,
) -> None:
    columns = pd.DataFrame({"micrograph": [f"m{i}" for i in range(300)]})
    labels = rng.integers(0, 4, 300)
    found = run_to_end(find_confounders({"kmeans": labels}, imaging_conditions(columns)))
    assert [(one.condition, one.flagged) for one in found] == [("micrograph", False)]


def test_lengths_must_agree(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="numbers of particles differ"):
        run_to_end(
            find_confounders({"a": np.zeros(3, int)}, imaging_conditions(particle_columns(rng)))
        )


def test_sphere_points_are_even() -> None:
    points = sphere_points(48)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(
        view_vectors(np.array([90.0]), np.array([90.0])), [[0, 1, 0]], atol=1e-9
    )
