"""Trust in latent points: kept from places where no particle is, given where particles are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.trust import TrustMeasure
from napari_cryodrgn.progress import run_to_end


def ring(rng: np.random.Generator, n: int) -> np.ndarray:
    """A closed motion in four dimensions, with a hole in its middle."""
    angle = rng.uniform(0, 2 * np.pi, n)
    z = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], axis=1) * 5
    return (z + rng.normal(0, 0.4, z.shape)).astype(np.float32)


def test_held_out_particles_are_supported_and_the_hole_is_not(rng: np.random.Generator) -> None:
    trust = TrustMeasure(ring(rng, 2000))
    held_out = [trust.at(z).verdict for z in ring(rng, 300)]
    assert held_out.count("supported") > 270
    assert held_out.count("far from data") < 12
    assert trust.at(np.zeros(4)).verdict == "far from data"
    assert trust.at(np.array([5, 5, 0, 0])).verdict == "far from data"


def test_points_of_the_bounding_box_are_told_from_particles(rng: np.random.Generator) -> None:
    z = ring(rng, 2000)
    trust = TrustMeasure(z)
    box = rng.uniform(z.min(axis=0), z.max(axis=0), (4000, 4))
    radius = np.hypot(box[:, 0], box[:, 1])
    outside = box[(np.abs(radius - 5) > 1.3) | (np.abs(box[:, 2:]) > 1.3).any(axis=1)]
    reach = np.concatenate([trust.reach(ring(rng, 500)), trust.reach(outside)])
    truth = np.repeat([0, 1], [500, len(outside)])
    assert roc_auc_score(truth, reach) > 0.99


def test_numbers_behind_the_verdict(rng: np.random.Generator) -> None:
    z = ring(rng, 1000)
    logvar = np.full_like(z, 2 * np.log(0.5))
    logvar[:, 2:] = -50
    trust = TrustMeasure(z, logvar).at(z[0])
    assert trust.n_near >= trust.wanted == 20
    spread = np.sqrt(np.mean([(0.5 / z[:, 0].std()) ** 2, (0.5 / z[:, 1].std()) ** 2, 0, 0]))
    assert trust.encoder_spread == pytest.approx(spread, rel=1e-3)
    assert trust.text.startswith(trust.verdict)
    assert TrustMeasure(z).at(z[0]).encoder_spread is None


def test_supported_means_as_many_neighbours_as_wanted(rng: np.random.Generator) -> None:
    trust = TrustMeasure(ring(rng, 1000))
    for z in rng.normal(0, 4, (200, 4)):
        found = trust.at(z)
        assert (found.verdict == "supported") == (found.n_near >= found.wanted)


def test_of_particles(rng: np.random.Generator) -> None:
    z = ring(rng, 500)
    z[7] = np.nan
    z[9] = 40
    density = run_to_end(TrustMeasure(z).of_particles())
    assert np.isnan(density[7])
    assert density[9] == np.nanmax(density)
    assert np.nanmedian(density) == pytest.approx(1, abs=0.15)


def test_few_particles_and_none(rng: np.random.Generator) -> None:
    assert TrustMeasure(ring(rng, 3)).at(np.zeros(4)).wanted == 2
    with pytest.raises(InputError, match="no particle"):
        TrustMeasure(np.full((4, 2), np.nan, np.float32))
