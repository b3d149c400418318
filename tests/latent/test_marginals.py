"""Distributions behind the sliders."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cryodrgn.latent.embedding import principal_components
from napari_cryodrgn.latent.marginals import BINS, latent_marginals, marginal


def test_a_marginal_counts_the_particles_where_they_are(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.normal(-3, 0.2, 3000), rng.normal(3, 0.2, 1000)])
    found = marginal(values)
    assert found.low < values.min()
    assert found.high > values.max()
    assert found.counts.sum() == len(values)
    middles = found.low + (np.arange(BINS) + 0.5) * (found.high - found.low) / BINS
    assert found.counts[middles < -2].sum() == 3000
    assert found.counts[middles > 2].sum() == 1000
    assert found.counts[np.abs(middles) < 1.5].sum() == 0


def test_single_particles_far_outside_do_not_press_the_others_together(
    rng: np.random.Generator,
) -> None:
    values = rng.normal(size=20_000)
    values[:3] = [1e4, -1e4, np.nan]
    found = marginal(values)
    assert -8 < found.low < -3 < 3 < found.high < 8


@pytest.mark.parametrize(
    "values", [np.full(9, 2.0), np.zeros(5), np.full(4, np.nan), np.empty(0), np.array([3.0])]
)
def test_a_marginal_of_next_to_nothing_has_a_range(values: np.ndarray) -> None:
    found = marginal(values)
    assert np.isfinite([found.low, found.high]).all()
    assert found.low < found.high
    assert found.counts.sum() == np.isfinite(values).sum()


def test_components_go_with_the_distributions_and_keep_their_direction(
    rng: np.random.Generator,
) -> None:
    mu = (rng.normal(size=(400, 3)) * [4, 2, 1]).astype(np.float32)
    found = latent_marginals(mu, principal_components(mu))
    assert len(found.z) == len(found.pc) == 3
    for column, distribution in zip(found.components.coordinates.T, found.pc, strict=True):
        assert distribution.counts.sum() >= 399
        assert distribution.low < np.median(column) < distribution.high
    # The mirror image of all particles: their components would all be turned over.
    again = latent_marginals(-mu, principal_components(-mu), found.components)
    for axis in range(3):
        one, other = found.components.coordinates[:, axis], again.components.coordinates[:, axis]
        assert np.corrcoef(one, other)[0, 1] > 0.999
    np.testing.assert_allclose(again.components.to_z(again.components.coordinates), -mu, atol=1e-4)
    # Other particles have nothing to be turned like.
    few = latent_marginals(mu[:50], principal_components(mu[:50]), found.components)
    assert few.components.coordinates.shape == (50, 3)
