"""Clusterings among the columns of a latent space, with the colours that the plot gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_cryodrgn.latent.clusters import NO_CLUSTER, NO_CLUSTER_NAME, Clustering
from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.widgets.latent_axes import column_title
from napari_cryodrgn.widgets.latent_colours import CategoryLegend, colour_by
from napari_cryodrgn.widgets.theme import OTHER_COLOUR

MOST_CLUSTERS = 1000
"""Columns with more classes than this are names of micrographs rather than clusters."""


@dataclass(frozen=True)
class ClusterRow:
    """One cluster as the table shows it: its name, '#rrggbb' and number of particles."""

    name: str
    colour: str
    count: int


def cluster_columns(latent: LatentSpace) -> list[str]:
    """Columns that hold clusters or classes."""
    return [
        str(name)
        for name, values in latent.columns.items()
        if isinstance(values.dtype, pd.CategoricalDtype)
        and 1 <= len(values.cat.categories) <= MOST_CLUSTERS
    ]


def clustering_of(latent: LatentSpace, column: str) -> Clustering:
    """The clusters of a column of labels."""
    values = latent.columns[column]
    kinds = [str(kind) for kind in values.cat.categories]
    nameless = {NO_CLUSTER_NAME, str(NO_CLUSTER)}
    names = tuple(kind for kind in kinds if kind not in nameless)
    # One more for particles without a value, whose code is -1.
    numbers = [NO_CLUSTER if kind in nameless else names.index(kind) for kind in kinds]
    labels = np.array([*numbers, NO_CLUSTER], dtype=np.int64)[values.cat.codes.to_numpy()]
    return Clustering(column, labels, names, column_title(column))


def cluster_rows(latent: LatentSpace, clustering: Clustering) -> list[ClusterRow]:
    """The clusters in the colours that the plot gives them."""
    legend = colour_by(latent.columns[clustering.name], "viridis", len(latent)).legend
    colours = (
        {category.name: category.colour for category in legend.categories}
        if isinstance(legend, CategoryLegend)
        else {}
    )
    return [
        ClusterRow(name, colours.get(name, OTHER_COLOUR), int(count))
        for name, count in zip(clustering.names, clustering.counts, strict=True)
    ]
