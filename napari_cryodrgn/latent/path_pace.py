"""Pace: how the frames lie along a path.

Equal steps in z need not be equal steps of the molecule: a decoder may change its volume a
great deal within one stretch of a path and hardly in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Progress, Stopwatch, Task

Volumes = Callable[[npt.NDArray[np.float32]], Iterator[npt.NDArray[np.float32]]]

TARGET_RATIO = 1.3
# Below the target, so that the ratio also holds at the full box.
_AIM = 1.1
_MOST_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class PacedPath:
    """Frames along a path, at an even pace of the volume.

    Parameters
    ----------
    z : (n, zdim) float32 array
        Latent points of the frames.
    steps : (n - 1,) float64 array
        RMS difference of the volumes of successive frames.
    latent_steps : (n - 1,) float64 array
        The same for frames at equal steps in z, for comparison.
    rounds : int
        How often volumes were decoded along the path.
    """

    z: npt.NDArray[np.float32]
    steps: npt.NDArray[np.float64]
    latent_steps: npt.NDArray[np.float64]
    rounds: int

    @property
    def ratio(self) -> float:
        """Largest step over the smallest."""
        return step_ratio(self.steps)

    @property
    def latent_ratio(self) -> float:
        """The same for frames at equal steps in z."""
        return step_ratio(self.latent_steps)


def step_ratio(steps: npt.NDArray[np.float64]) -> float:
    """Largest step over the smallest; infinite where a step is none."""
    smallest = float(steps.min())
    return float(steps.max()) / smallest if smallest > 0 else float("inf")


def resampled(
    points: npt.NDArray[np.float64], n: int, places: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """Points of a polyline at shares of its length.

    Parameters
    ----------
    points : (m, zdim) array
        Corners of the line.
    n : int
        How many, evenly spaced.
    places : (n,) array, optional
        Shares of its length, 0 to 1, in the place of even ones.

    Returns
    -------
    (n, zdim) float64 array
    """
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = (np.linspace(0, 1, n) if places is None else places) * along[-1]
    columns = [np.interp(at, along, column) for column in np.asarray(points).T]
    return np.stack(columns, axis=1)


def latent_pace(points: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float32]:
    """Frames at equal steps in z along a path, both ends among them.

    Parameters
    ----------
    points : (m, zdim) array
        The path.
    n : int
        Frames.

    Returns
    -------
    (n, zdim) float32 array

    Raises
    ------
    InputError
        Where fewer than two frames are wanted, or the path has no length.
    """
    _require(points, n)
    return resampled(points, n).astype(np.float32)


def volume_pace(points: npt.NDArray[np.float64], n: int, volumes: Volumes) -> Task[PacedPath]:
    """Frames at equal change of the volume along a path, both ends among them.

    The steps that frames at equal steps in z make are measured, and the frames shifted to
    where each would make the same; that is repeated until the largest step is at most 1.1
    times the smallest, which takes three to six rounds.

    Parameters
    ----------
    points : (m, zdim) array
        The path.
    n : int
        Frames.
    volumes : callable
        Decodes latent points (k, zdim) one after another, at any box; a small one will do.

    Returns
    -------
    PacedPath
        The best of all rounds, where none reached that ratio.

    Raises
    ------
    InputError
        As `latent_pace`, and where the volume does not change along the path.
    """
    _require(points, n)
    places = np.linspace(0, 1, n)
    rounds: list[tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
    watch = Stopwatch(_MOST_ROUNDS * n)
    while len(rounds) < _MOST_ROUNDS:
        z = resampled(points, n, places).astype(np.float32)
        steps = yield from _steps(volumes(z), n, len(rounds), watch)
        if not steps.sum() > 0:
            raise InputError(
                "the volume does not change along this path, so it has no pace of its own",
                field="--pace",
                value="volume",
                hint="Use equal steps in z (latent)",
            )
        rounds.append((step_ratio(steps), places, steps))
        if rounds[-1][0] <= _AIM:
            break
        along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
        places = np.interp(np.linspace(0, 1, n), along, places)
    _, places, steps = min(rounds, key=lambda one: one[0])
    z = resampled(points, n, places).astype(np.float32)
    return PacedPath(z, steps, rounds[0][2], len(rounds))


def _steps(
    volumes: Iterator[npt.NDArray[np.float32]], n: int, rounds: int, watch: Stopwatch
) -> Task[npt.NDArray[np.float64]]:
    """RMS differences of successive volumes, (n - 1,)."""
    steps = []
    before: npt.NDArray[np.float32] | None = None
    for number, volume in enumerate(volumes):
        done = rounds * n + number
        yield Progress(done, watch.total, "Finding an even pace", watch.seconds_left(done))
        if before is not None:
            steps.append(float(np.sqrt(np.square(volume - before, dtype=np.float64).mean())))
        before = volume
    return np.array(steps)


def _require(points: npt.NDArray[np.float64], n: int) -> None:
    if n < 2:
        raise InputError("a path has at least two frames", field="-n", value=n)
    if not np.ptp(points, axis=0).max() > 0:
        raise InputError("the path has no length: all its points are the same")
