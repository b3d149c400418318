"""Paths that need no drawing: along a principal component, through all cluster centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.embedding import PrincipalComponents
from napari_cryodrgn.latent.path import PATH_COLOURS, LatentPath, waypoint
from napari_cryodrgn.latent.tour_order import shortest_tour
from napari_cryodrgn.latent.traversal import pc_traversal

TourOrder = Literal["shortest", "given"]


def principal_axis_path(
    components: PrincipalComponents,
    number: int,
    percentiles: tuple[float, float] = (5.0, 95.0),
    *,
    colour: str = PATH_COLOURS[0],
) -> LatentPath:
    """A straight path along a principal component, the others held at 0.

    Parameters
    ----------
    components : PrincipalComponents
        Of the latent space.
    number : int
        Which component, from 1.
    percentiles : (float, float)
        Where it begins and ends, as percentiles of the particles along it.
    colour : str
        "#rrggbb".

    Raises
    ------
    InputError
        Where there is no such component or a percentile does not do.
    """
    ends = pc_traversal(components, number, 2, percentiles)
    low, high = percentiles
    return LatentPath(
        name=f"PC{number}",
        colour=colour,
        waypoints=tuple(waypoint(end) for end in ends),
        note=f"principal component {number}, percentiles {low:g} to {high:g}",
    )


def tour_path(
    z: npt.NDArray[np.floating],
    rows: Sequence[int | None] | None = None,
    *,
    order: TourOrder = "shortest",
    closed: bool = False,
    name: str = "Tour",
    colour: str = PATH_COLOURS[0],
) -> LatentPath:
    """A path through several places, such as the centres of clusters.

    Parameters
    ----------
    z : (K, zdim) array
        The places, at least two.
    rows : sequence of int or None, optional
        Rows of the particles that they are, in the run's source table.
    order : {"shortest", "given"}
        As short as possible, or as they are given.
    closed : bool
        Whether it goes back to where it began.
    name, colour : str
        Of the path.
    """
    if len(z) < 2:
        raise InputError("a tour needs at least two places", field="places", value=len(z))
    chosen = shortest_tour(z, closed=closed) if order == "shortest" else np.arange(len(z))
    named = [None] * len(z) if rows is None else list(rows)
    return LatentPath(
        name=name,
        colour=colour,
        waypoints=tuple(waypoint(z[place], named[place]) for place in chosen),
        closed=closed,
        note=f"tour of {len(z)} places, {'shortest' if order == 'shortest' else 'in their order'}",
    )
