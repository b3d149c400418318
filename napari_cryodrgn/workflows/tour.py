"""A tour through the latent space of a simulated set: every composition, all the motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

# Particles within about so much of a place along the motion speak for it.
_REACH = 0.06


@dataclass(frozen=True, eq=False)
class TourStop:
    """One point of a tour.

    Parameters
    ----------
    z : (zdim,) float32 array
        Latent point.
    place : (2,) float64 array
        Where it lies in the plot.
    class_name : str
        The composition shown, or the two between which it lies.
    coordinate : float
        Place along the motion, 0 to 1.
    """

    z: npt.NDArray[np.float32]
    place: npt.NDArray[np.float64]
    class_name: str
    coordinate: float


def state_stop(
    mu: npt.NDArray[np.float32],
    places: npt.NDArray[np.floating],
    truth: pd.DataFrame,
    class_name: str,
    coordinate: float,
) -> TourStop:
    """Middle of the particles that are in a state or close to it.

    Parameters
    ----------
    mu : (N, zdim) float32 array
        Latent coordinates of the whole set.
    places : (N, 2) array
        Its plot.
    truth : DataFrame
        Its ``truth.csv``.
    class_name : str
        The composition.
    coordinate : float
        Place along the motion.
    """
    alike = ((truth["class_name"] == class_name) & (truth["junk"] == "")).to_numpy()
    distance = np.where(alike, truth["coordinate"].to_numpy(np.float64) - coordinate, np.inf)
    weights = np.exp(-0.5 * (distance / _REACH) ** 2)
    weights /= weights.sum()
    return TourStop(
        np.asarray(weights @ mu, dtype=np.float32),
        np.asarray(weights @ places, dtype=np.float64),
        class_name,
        coordinate,
    )


def tour(
    mu: npt.NDArray[np.float32],
    places: npt.NDArray[np.floating],
    truth: pd.DataFrame,
    *,
    steps: int = 18,
    change_steps: int = 6,
) -> list[TourStop]:
    """To and fro along the motion, changing the composition at its ends.

    Parameters
    ----------
    mu, places, truth
        See `state_stop`.
    steps : int
        Stops along the motion of each composition.
    change_steps : int
        Stops on the way from one composition to the next.

    Returns
    -------
    list of TourStop
    """
    names = truth.loc[truth["junk"] == "", ["class", "class_name"]].drop_duplicates()
    stops: list[TourStop] = []
    for number, name in enumerate(names.sort_values("class")["class_name"]):
        way = np.linspace(0, 1, steps)
        way = way[::-1] if number % 2 else way
        leg = [state_stop(mu, places, truth, name, float(place)) for place in way]
        if stops:
            stops += _between(stops[-1], leg[0], change_steps)
        stops += leg
    return stops


def _between(one: TourStop, other: TourStop, steps: int) -> list[TourStop]:
    """Stops straight between two, without either."""
    shares = np.linspace(0, 1, steps + 2)[1:-1]
    return [
        TourStop(
            np.asarray((1 - share) * one.z + share * other.z, dtype=np.float32),
            (1 - share) * one.place + share * other.place,
            f"{one.class_name} to {other.class_name}",
            one.coordinate,
        )
        for share in shares
    ]
