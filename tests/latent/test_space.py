"""The latent space's columns and embeddings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.space import make_latent_space
from napari_cryodrgn.particles import ParticleRows


@pytest.fixture
def mu(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(12, 3)).astype(np.float32)


def test_columns_hold_everything_there_is_to_colour_by(mu: np.ndarray) -> None:
    rows = ParticleRows(np.arange(12)[::-1] * 2, 30, "abc")
    space = make_latent_space(
        mu,
        rows,
        epoch=4,
        umap=mu[:, :2] + 1,
        labels={"kmeans3": np.arange(12) % 3},
        metadata=pd.DataFrame({"defocus_u": np.arange(12.0)}, index=range(5, 17)),
    )
    assert list(space.columns) == [
        *("z0", "z1", "z2", "z_norm", "PC1", "PC2", "PC3", "UMAP1", "UMAP2"),
        *("kmeans3", "row", "defocus_u"),
    ]
    np.testing.assert_allclose(space.columns["z_norm"], np.sqrt((mu**2).sum(axis=1)), rtol=1e-6)
    np.testing.assert_array_equal(space.columns["row"], rows.rows)
    np.testing.assert_array_equal(space.columns["defocus_u"], np.arange(12.0))
    np.testing.assert_array_equal(space.columns["UMAP2"], mu[:, 1] + 1)
    assert isinstance(space.columns["kmeans3"].dtype, pd.CategoricalDtype)
    assert set(space.embeddings) == {"PCA", "UMAP"}
    assert (len(space), space.zdim) == (12, 3)


def test_a_metadata_column_with_one_of_our_names_is_kept_beside_it(mu: np.ndarray) -> None:
    metadata = pd.DataFrame({"z0": np.full(12, 7.0)})
    space = make_latent_space(mu, ParticleRows.every(12), epoch=1, metadata=metadata)
    np.testing.assert_array_equal(space.columns["z0"], mu[:, 0])
    assert (space.columns["particles z0"] == 7).all()


@pytest.mark.parametrize("wrong", ["umap", "logvar", "metadata", "labels", "rows"])
def test_another_number_of_rows_is_refused_by_name(mu: np.ndarray, wrong: str) -> None:
    rows = ParticleRows.every(11 if wrong == "rows" else 12)
    short = mu[:11, :2]
    extra = {
        "umap": {"umap": short},
        "logvar": {"logvar": short},
        "metadata": {"metadata": pd.DataFrame(short)},
        "labels": {"labels": {"kmeans2": np.zeros(11, np.int64)}},
        "rows": {},
    }[wrong]
    with pytest.raises(InputError, match="11 rows where the latent space has 12"):
        make_latent_space(mu, rows, epoch=1, **extra)
