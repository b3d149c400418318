"""Straight paths through the latent space along its principal components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.embedding import PrincipalComponents


def pc_traversal(
    components: PrincipalComponents,
    number: int,
    n_points: int = 10,
    percentiles: tuple[float, float] = (5.0, 95.0),
) -> npt.NDArray[np.float32]:
    """Points along one principal component, the others held at 0.

    Parameters
    ----------
    components : PrincipalComponents
        Components of the latent space.
    number : int
        Which component, from 1.
    n_points : int
        Points on the path, evenly spaced.
    percentiles : (float, float)
        Where the path begins and ends, as percentiles of the particles'
        coordinates along the component.

    Returns
    -------
    (n_points, zdim) float32 array
        Latent coordinates.

    Raises
    ------
    InputError
        Where there is no such component, or a percentile lies outside 0 to 100 or both
        are the same.
    """
    n_components = components.coordinates.shape[1]
    if not 1 <= number <= n_components:
        raise InputError(
            f"the latent space has {n_components} principal components",
            field="--pc",
            value=number,
        )
    begin, end = percentiles
    if not (0 <= min(begin, end) < max(begin, end) <= 100):
        raise InputError(
            "the limits are two different percentiles from 0 to 100",
            field="percentiles",
            value=f"{begin:g} {end:g}",
        )
    along = components.coordinates[:, number - 1]
    begin, end = np.percentile(along, percentiles)
    points = np.zeros((n_points, n_components))
    points[:, number - 1] = np.linspace(begin, end, n_points)
    return components.to_z(points).astype(np.float32)
