"""How particles were imaged, cut into classes: view, rotation, shift, defocus, micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Kind = Literal["view", "angle", "number", "category"]

N_VIEWS = 48
N_ANGLES = 12
N_LEVELS = 10

TOP_VIEW, SIDE_VIEW = 30.0, 60.0
"""Angle from the z axis, degrees: top views below the first, side views beyond the second."""

ENRICHED = 1.15
"""How much more frequent something must be to be worth saying."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One condition of imaging of N particles.

    Parameters
    ----------
    name : str
        For people.
    kind : {"view", "angle", "number", "category"}
        What its values are.
    values : (N,) or (N, 3) array
        Unit vectors of views, degrees of angles, numbers, or names.
    codes : (N,) int64 array
        Their classes; -1 where there is no value.
    unit : str
        Of numbers.
    """

    name: str
    kind: Kind
    values: npt.NDArray[np.generic]
    codes: npt.NDArray[np.int64]
    unit: str = ""

    def describe(self, particles: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_]) -> str:
        """What some of the particles have more of than the others.

        Parameters
        ----------
        particles : (n,) int array
            Positions of the particles looked at.
        inside : (n,) bool array
            Which of them are spoken of.
        """
        values = self.values[particles]
        if self.kind == "view":
            return _describe_views(values.astype(float), inside)
        if self.kind == "category":
            return _describe_categories(values, inside)
        unit = f" {self.unit}" if self.unit else ""
        if self.kind == "angle":
            return _describe_share(self.codes[particles], inside, "certain in-plane angles")
        ours, theirs = (float(np.median(values[part].astype(float))) for part in (inside, ~inside))
        return f"{self.name} {ours:,.4g}{unit} (median), others {theirs:,.4g}{unit}"


def imaging_conditions(columns: pd.DataFrame) -> list[Condition]:
    """Whatever a particle table says of how its particles were imaged.

    Parameters
    ----------
    columns : DataFrame
        By our column names: ``angle_rot``, ``angle_tilt``, ``angle_psi``, ``shift_x``,
        ``shift_y``, ``defocus_u``, ``defocus_v``, ``micrograph``, ``optics_group``.

    Returns
    -------
    list of Condition
        Those of which the table knows something, and that vary.
    """
    found: list[Condition] = []
    if {"angle_rot", "angle_tilt"} <= set(columns):
        views = view_vectors(
            columns["angle_rot"].to_numpy(float), columns["angle_tilt"].to_numpy(float)
        )
        found.append(Condition("view direction", "view", views, _view_codes(views)))
    if "angle_psi" in columns:
        angles = columns["angle_psi"].to_numpy(float) % 360
        codes = np.minimum(angles * N_ANGLES // 360, N_ANGLES - 1)
        found.append(Condition("in-plane angle", "angle", angles, _whole(codes, angles), "°"))
    if {"shift_x", "shift_y"} <= set(columns):
        shift = np.hypot(columns["shift_x"].to_numpy(float), columns["shift_y"].to_numpy(float))
        found.append(_number("shift", shift, "px"))
    if {"defocus_u", "defocus_v"} <= set(columns):
        both = columns[["defocus_u", "defocus_v"]].to_numpy(float)
        found.append(_number("defocus", both.mean(axis=1), "Å"))
    for column, name in (("micrograph", "micrograph"), ("optics_group", "optics group")):
        if column in columns:
            codes, _ = pd.factorize(columns[column])
            values = columns[column].to_numpy(object)
            found.append(Condition(name, "category", values, np.asarray(codes, np.int64)))
    return [one for one in found if len(np.unique(one.codes[one.codes >= 0])) > 1]


def view_vectors(
    rot: npt.NDArray[np.floating], tilt: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """View directions in the frame of the volume, (N, 3), from RELION's angles in degrees."""
    rot, tilt = np.radians(rot), np.radians(tilt)
    return np.stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)], axis=1)


def sphere_points(n: int) -> npt.NDArray[np.float64]:
    """Evenly spread directions, (n, 3), on a Fibonacci spiral."""
    number = np.arange(n) + 0.5
    z = 1 - 2 * number / n
    turn = np.pi * (1 + np.sqrt(5)) * number
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


def _view_codes(views: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    centres = sphere_points(N_VIEWS)
    codes = np.full(len(views), -1, dtype=np.int64)
    for start in range(0, len(views), 100_000):
        part = views[start : start + 100_000]
        codes[start : start + 100_000] = np.argmax(np.nan_to_num(part) @ centres.T, axis=1)
    return np.where(np.isfinite(views).all(axis=1), codes, -1)


def _number(name: str, values: npt.NDArray[np.float64], unit: str) -> Condition:
    finite = np.isfinite(values)
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, N_LEVELS + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    return Condition(name, "number", values, _whole(codes, values), unit)


def _whole(
    codes: npt.NDArray[np.generic], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Codes as whole numbers, -1 where there is no value."""
    return np.where(np.isfinite(values), np.nan_to_num(codes.astype(float)), -1).astype(np.int64)


def _describe_views(views: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]) -> str:
    """Top, side or oblique views, whichever are more frequent than elsewhere."""
    angle = np.degrees(np.arccos(np.clip(np.abs(views[:, 2]), 0, 1)))
    kinds = {
        "top views": angle < TOP_VIEW,
        "side views": angle > SIDE_VIEW,
        "oblique views": (angle >= TOP_VIEW) & (angle <= SIDE_VIEW),
    }
    lifts = {
        name: (float(which[inside].mean()), float(which[~inside].mean()))
        for name, which in kinds.items()
    }
    name = max(lifts, key=lambda one: lifts[one][0] / max(lifts[one][1], 1e-3))
    ours, theirs = lifts[name]
    if ours / max(theirs, 1e-3) < ENRICHED:
        return "views from certain sides are more frequent"
    return f"{ours:.0%} {name}, others {theirs:.0%}".replace("%", " %")


def _describe_categories(values: npt.NDArray[np.generic], inside: npt.NDArray[np.bool_]) -> str:
    """Share of the particles that come from the few most enriched groups."""
    ours = pd.Series(values[inside]).value_counts()
    shares = ours / len(values[inside]) - pd.Series(values[~inside]).value_counts().reindex(
        ours.index, fill_value=0
    ) / max(1, len(values[~inside]))
    top = shares.sort_values(ascending=False).head(3)
    share = float(ours[top.index].sum() / inside.sum())
    others = float(np.isin(values[~inside], list(top.index)).mean())
    named = ", ".join(str(name).rsplit("/", 1)[-1] for name in top.index)
    return f"{share:.0%} from {named}, others {others:.0%}".replace("%", " %")


def _describe_share(codes: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_], what: str) -> str:
    ours = np.bincount(codes[inside], minlength=N_ANGLES) / max(1, int(inside.sum()))
    theirs = np.bincount(codes[~inside], minlength=N_ANGLES) / max(1, int((~inside).sum()))
    best = int(np.argmax(ours - theirs))
    low, high = best * 360 // N_ANGLES, (best + 1) * 360 // N_ANGLES
    return (
        f"{what} are more frequent: {low}° to {high}° {ours[best]:.0%}, others {theirs[best]:.0%}"
    ).replace("%", " %")
