"""A few clicks find the junk; what is unknown is borderline."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.classifier import score_junk
from napari_cryodrgn.latent.classifier_features import classifier_features, outlier_columns
from napari_cryodrgn.latent.space import LatentSpace, make_latent_space
from napari_cryodrgn.particles import ParticleRows
from napari_cryodrgn.progress import run_to_end

JUNK = np.arange(900) >= 800


@pytest.fixture(scope="module")
def latent() -> LatentSpace:
    """Junk that no norm tells: a clump beside the particles, as near to the origin as they."""
    rng = np.random.default_rng(0)
    mu = rng.normal(size=(900, 4)).astype(np.float32)
    mu[:800, 0] += 3
    mu[JUNK, 1] += 3
    rows = ParticleRows.every(900)
    return make_latent_space(mu, rows, epoch=1, logvar=np.zeros_like(mu) - 2)


def test_twenty_clicks_of_each_find_what_the_norm_does_not(
    latent: LatentSpace, rng: np.random.Generator
) -> None:
    outliers = run_to_end(outlier_columns(latent))
    features = classifier_features(latent, outliers)
    assert features.shape == (900, 7)
    assert np.isfinite(features).all()
    good = rng.choice(np.flatnonzero(~JUNK), 20, replace=False)
    bad = rng.choice(np.flatnonzero(JUNK), 20, replace=False)
    found = run_to_end(score_junk(features, good, bad))
    assert roc_auc_score(JUNK, found.scores) > 0.97
    assert roc_auc_score(JUNK, outliers["z_norm"]) < 0.7
    assert 0 <= found.scores.min() < 0.2 < 0.8 < found.scores.max() <= 1
    assert (found.junk(0.9) <= found.junk(0.5)).all()
    border = found.borderline(10)
    apart = np.abs(found.scores - 0.5)
    assert apart[border].max() <= np.delete(apart, border).min()
    far = np.vstack([features, np.full((1, 7), 40.0)])
    assert run_to_end(score_junk(far, good, bad)).scores[-1] == pytest.approx(0.5, abs=0.01)


def test_distances_are_those_of_all_other_particles(latent: LatentSpace) -> None:
    apart = np.linalg.norm(latent.mu[:, None] - latent.mu[None], axis=2)
    expected = np.sort(apart, axis=1)[:, 1:11].mean(axis=1)
    found = run_to_end(outlier_columns(latent))
    np.testing.assert_allclose(found["knn_distance"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["logvar_mean"], -2)


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ([1, 2], [3, 4, 5], "3 good particles are needed"),
        ([1, 2, 3], [], "3 bad particles are needed"),
        ([1, 2, 3], [3, 4, 5], "position = 3: 1 particles are marked both"),
    ],
)
def test_examples_that_say_nothing_are_refused(good: list, bad: list, says: str) -> None:
    with pytest.raises(InputError, match=says):
        run_to_end(score_junk(np.zeros((9, 2)), np.array(good, int), np.array(bad, int)))
