"""What the latent plot shows, made ready from a choice of axes and colour beside the window."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter

from napari_cryodrgn.latent.space import LatentSpace
from napari_cryodrgn.widgets.latent_axes import (
    PlotAxes,
    plot_axes,
    plot_points,
    with_steady_signs,
)
from napari_cryodrgn.widgets.latent_colours import Colouring, colour_by
from napari_cryodrgn.widgets.latent_drawing import Drawing, Masks, make_drawing
from napari_cryodrgn.widgets.latent_scatter import Projection, Region, Scatter, prepare_scatter

DENSITY_COLOUR = "density"
"""Colour by how many particles lie near in the plot; no column has this name."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What is to be shown.

    Parameters
    ----------
    latent : LatentSpace
        Of what.
    names : tuple of str
        Columns along x, y and, in 3D, the third axis.
    colour : str or None
        Column to colour by, or `DENSITY_COLOUR`; None for one colour.
    colormap : str
        Of quantities.
    limits : (float, float) or None
        Ends of the colormap, where they were typed.
    most : int
        Points to draw at most.
    masks : sequence of (mask (N,), colour)
        Selections.
    """

    latent: LatentSpace
    names: tuple[str, ...]
    colour: str | None
    colormap: str
    limits: tuple[float, float] | None
    most: int
    masks: Masks = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """What has been made ready of a choice.

    `frame` are the columns with the signs of the components as they were shown before.
    """

    choice: Choice
    frame: pd.DataFrame
    axes: PlotAxes
    scatter: Scatter
    colouring: Colouring
    drawing: Drawing


def make_picture(
    choice: Choice,
    known: Picture | None,
    *,
    region: Region | None = None,
    projection: Projection | None = None,
) -> Picture:
    """Make a choice ready to be shown; what is known of it is not worked out again.

    Parameters
    ----------
    choice : Choice
        What to show.
    known : Picture or None
        What was shown before: of the same latent space, or of the same particles at another
        epoch.
    region, projection
        The part of it in view; everything without them.
    """
    same = known is not None and known.choice.latent is choice.latent
    if known is not None and same:
        frame = known.frame
    else:
        before = None if known is None else known.frame
        frame = with_steady_signs(choice.latent.columns, before)
    if known is not None and same and known.choice.names == choice.names:
        axes, scatter = known.axes, known.scatter
    else:
        axes = plot_axes(choice.names, choice.latent, _signs(choice, frame))
        scatter = prepare_scatter(plot_points(frame, choice.names), _groups(frame))
        region = projection = None
    if (
        known is not None
        and same
        and known.scatter is scatter
        and _coloured(known.choice) == _coloured(choice)
    ):
        colouring = known.colouring
    else:
        colouring = _colouring(choice, frame, scatter)
    drawing = make_drawing(
        scatter,
        colouring,
        choice.masks,
        most=choice.most,
        region=region,
        projection=projection,
    )
    return Picture(choice, frame, axes, scatter, colouring, drawing)


def redrawn(
    picture: Picture,
    choice: Choice,
    *,
    region: Region | None = None,
    projection: Projection | None = None,
) -> Picture:
    """The same picture of another part of it, or with other selections."""
    drawing = make_drawing(
        picture.scatter,
        picture.colouring,
        choice.masks,
        most=choice.most,
        region=region,
        projection=projection,
    )
    return replace(picture, choice=choice, drawing=drawing)


def _coloured(choice: Choice) -> tuple[object, ...]:
    return choice.colour, choice.colormap, choice.limits


def _signs(choice: Choice, frame: pd.DataFrame) -> dict[str, float]:
    """-1 for the components that `with_steady_signs` has turned round."""
    return {
        name: -1.0
        for name in choice.names
        if frame[name] is not choice.latent.columns[name]
        and not np.array_equal(
            frame[name].to_numpy()[:100],
            choice.latent.columns[name].to_numpy()[:100],
            equal_nan=True,
        )
    }


def _groups(frame: pd.DataFrame) -> npt.NDArray[np.int64] | None:
    """The first clusters that there are: each keeps its share of the points drawn."""
    for name in frame.columns:
        if str(name).startswith("kmeans"):
            return np.asarray(frame[name].cat.codes, dtype=np.int64)
    return None


def _colouring(choice: Choice, frame: pd.DataFrame, scatter: Scatter) -> Colouring:
    values: pd.Series | None = None
    if choice.colour == DENSITY_COLOUR:
        values = pd.Series(_near(scatter), name="Density (log)")
    elif choice.colour is not None:
        values = frame[choice.colour]
    return colour_by(values, choice.colormap, len(frame), choice.limits)


def _near(scatter: Scatter) -> npt.NDArray[np.float32]:
    """Logarithm of how many particles lie near each; NaN for those that lie nowhere."""
    near = np.full(len(scatter.points), np.nan, np.float32)
    there = scatter.points[scatter.placed]
    side = 256 if there.shape[1] == 2 else 64
    span = np.where(scatter.high > scatter.low, scatter.high - scatter.low, 1.0)
    cells = np.clip((there - scatter.low) / span * side, 0, side - 1).astype(np.int32)
    flat = np.ravel_multi_index(tuple(cells.T), (side,) * there.shape[1])
    counts = np.bincount(flat, minlength=side ** there.shape[1]).astype(np.float32)
    smooth = gaussian_filter(counts.reshape((side,) * there.shape[1]), 2.0, mode="constant")
    near[scatter.placed] = np.log10(np.maximum(smooth.reshape(-1)[flat], 1e-3))
    return near
