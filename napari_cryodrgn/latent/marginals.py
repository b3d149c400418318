"""How the particles are spread along each latent coordinate and each principal component."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.latent.embedding import PrincipalComponents

BINS = 96

OUTSIDE = 0.0005
"""Share of the particles at either end that may lie beyond the range shown."""

MARGIN = 0.08
"""Room beyond them, as a share of the range."""

QUANTILE_SAMPLE = 200_000


@dataclass(frozen=True, eq=False)
class Marginal:
    """Distribution of the particles along one coordinate.

    Parameters
    ----------
    low, high : float
        Range: nearly all particles and a little more.
    counts : (bins,) int64 array
        Particles in equal parts of the range.
    """

    low: float
    high: float
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LatentMarginals:
    """Distributions along all coordinates of one latent space.

    Parameters
    ----------
    z : tuple of Marginal
        Along z0, z1 …
    components : PrincipalComponents
        Along which `pc` was taken; its coordinates are those of the particles.
    pc : tuple of Marginal
        Along PC 1, PC 2 …
    """

    z: tuple[Marginal, ...]
    components: PrincipalComponents
    pc: tuple[Marginal, ...]


def marginal(values: npt.NDArray[np.floating], bins: int = BINS) -> Marginal:
    """Distribution of the particles along one coordinate.

    Parameters
    ----------
    values : (N,) array
        One coordinate of each particle; values that are not finite are left out.
    bins : int
        Parts of the range.

    Returns
    -------
    Marginal
        Its range leaves single particles far outside beyond it, or they would press all
        others together.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Marginal(-1.0, 1.0, np.zeros(bins, np.int64))
    sample = finite[:: max(1, finite.size // QUANTILE_SAMPLE)]
    low, high = (float(value) for value in np.quantile(sample, [OUTSIDE, 1 - OUTSIDE]))
    # A coordinate that the training left unused is a single spike.
    room = MARGIN * (high - low) or max(abs(low), 1.0) * MARGIN
    low, high = low - room, high + room
    counts, _ = np.histogram(finite, bins=bins, range=(low, high))
    return Marginal(low, high, counts.astype(np.int64))


def latent_marginals(
    mu: npt.NDArray[np.float32],
    components: PrincipalComponents,
    before: PrincipalComponents | None = None,
) -> LatentMarginals:
    """Distributions along every z and every principal component.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates of at least one particle, finite.
    components : PrincipalComponents
        Theirs.
    before : PrincipalComponents, optional
        Those of the same particles at another epoch: components are turned the way they
        were there, for their sign is arbitrary.

    Returns
    -------
    LatentMarginals
    """
    if before is not None and before.coordinates.shape == components.coordinates.shape:
        components = _turned_like(components, before)
    return LatentMarginals(
        tuple(marginal(column) for column in mu.T),
        components,
        tuple(marginal(column) for column in components.coordinates.T),
    )


def _turned_like(
    components: PrincipalComponents, before: PrincipalComponents
) -> PrincipalComponents:
    along = np.einsum("nk,nk->k", components.coordinates, before.coordinates, dtype=np.float64)
    signs = np.where(along < 0, -1.0, 1.0)
    return replace(
        components,
        coordinates=components.coordinates * signs.astype(np.float32),
        axes=components.axes * signs[:, None],
    )
