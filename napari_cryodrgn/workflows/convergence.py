"""Whether a training has settled: particles in latent space, and maps of a few of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.io.pickles import read_latents
from napari_cryodrgn.latent.convergence import Movement, movement
from napari_cryodrgn.progress import Progress, Task
from napari_cryodrgn.reconstruction.fsc import fourier_shell_correlation
from napari_cryodrgn.run import RunFolder

DeviceChoice = Literal["auto", "cuda", "mps", "cpu"]

SETTLED_MOVEMENT = 0.25
"""Of the spread, from one epoch to the next; a quarter is what noise of the images leaves."""

SETTLED_FSC = 0.9
"""Correlation of maps of the same particle at two epochs, at half the Nyquist frequency."""

LARGEST_BOX = 64
MOST_STEPS = 12


@dataclass(frozen=True)
class MapChange:
    """How the map of one particle changed between two epochs.

    Parameters
    ----------
    position : int
        The particle, by its position in the latent space of the run.
    correlation : float
        Correlation coefficient of both maps.
    at_half_nyquist : float
        Fourier shell correlation at half the Nyquist frequency of the training images, or at
        the highest that was decoded.
    resolution : str
        Where the Fourier shell correlation falls below 0.5, for people.
    """

    position: int
    correlation: float
    at_half_nyquist: float
    resolution: str


@dataclass(frozen=True)
class Convergence:
    """What changed over the last epochs of a run.

    Parameters
    ----------
    verdict : {"settled", "still changing"}
        Settled: between the last two epochs particles moved by less than a quarter of their
        spread, and maps agree to 0.9 at half the Nyquist frequency.
    movements : tuple of Movement
        From each epoch looked at to the next.
    maps : tuple of MapChange
        Of some particles, between the last two epochs that have weights.
    """

    verdict: Literal["settled", "still changing"]
    movements: tuple[Movement, ...]
    maps: tuple[MapChange, ...]

    @property
    def text(self) -> str:
        """The verdict with its numbers, for people."""
        last = self.movements[-1]
        words = [
            f"from epoch {last.before} to {last.after} particles moved by {last.moved:.0%} of "
            f"their spread and kept {last.kept:.0%} of their neighbours"
        ]
        if self.maps:
            worst = min(change.at_half_nyquist for change in self.maps)
            words.append(f"maps agree to at least {worst:.2f} at half the Nyquist frequency")
        return f"{self.verdict}: {'; '.join(words)}".replace("%", " %")


def convergence(
    run: RunFolder, epoch: int | None = None, *, n_maps: int = 4, device: DeviceChoice = "auto"
) -> Task[Convergence]:
    """Compare the epochs of a run.

    Parameters
    ----------
    run : RunFolder
        With the latents of two epochs at least.
    epoch : int, optional
        The last epoch to look at; the latest if not given.
    n_maps : int
        Particles whose maps are compared; 0 for none.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to decode.

    Raises
    ------
    InputError
        Where there are not two epochs to compare.
    """
    last = run.epoch_or_latest(epoch, run.latent_epochs(), "latents")
    epochs = [number for number in run.latent_epochs() if number <= last]
    if len(epochs) < 2:
        raise InputError(
            "two epochs are needed to tell what changes", file=run.path, field="epoch", value=last
        )
    epochs = epochs[-MOST_STEPS - 1 :]
    movements: list[Movement] = []
    before = read_latents(run.latents(epochs[0])).mu
    for number, (first, second) in enumerate(itertools.pairwise(epochs)):
        yield Progress(number, len(epochs) - 1 + n_maps, f"Comparing epochs {first} and {second}")
        after = read_latents(run.latents(second)).mu
        movements.append(movement(before, after, (first, second)))
        before = after
    maps: list[MapChange] = []
    decodable = [number for number in epochs if number in run.weight_epochs()]
    if n_maps and len(decodable) >= 2:
        maps = yield from _compare_maps(run, decodable[-2], decodable[-1], n_maps, device)
    still = movements[-1].moved > SETTLED_MOVEMENT or any(
        change.at_half_nyquist < SETTLED_FSC for change in maps
    )
    verdict: Literal["settled", "still changing"] = "still changing" if still else "settled"
    return Convergence(verdict, tuple(movements), tuple(maps))


def _compare_maps(
    run: RunFolder, first: int, second: int, n_maps: int, device: DeviceChoice
) -> Task[list[MapChange]]:
    """Decode some particles at two epochs, each at its place in the latent space of that epoch."""
    from napari_cryodrgn.decoding.volume import decode_volume
    from napari_cryodrgn.model.checkpoint import load_model
    from napari_cryodrgn.training.device import choose_device

    latents = read_latents(run.latents(second)).mu
    chosen = _spread(latents, n_maps)
    volumes: dict[int, list[npt.NDArray[np.float32]]] = {first: [], second: []}
    frequency = 0.5
    for epoch in (first, second):
        model = load_model(run, epoch, choose_device(device))
        box = min(model.box, LARGEST_BOX)
        # Cycles per pixel of the decoded box, which may be smaller than the images'.
        frequency = min(0.25 * model.box / box, 0.5)
        for number, z in enumerate(read_latents(run.latents(epoch)).mu[chosen]):
            yield Progress(number, len(chosen), f"Decoding particles at epoch {epoch}")
            volumes[epoch].append(decode_volume(model, z, box=box))
    return [
        _map_change(int(position), one, two, frequency)
        for position, one, two in zip(chosen, volumes[first], volumes[second], strict=True)
    ]


def _map_change(
    position: int,
    one: npt.NDArray[np.float32],
    two: npt.NDArray[np.float32],
    frequency: float,
) -> MapChange:
    curve = fourier_shell_correlation(one, two)
    return MapChange(
        position,
        float(np.corrcoef(one.ravel(), two.ravel())[0, 1]),
        float(np.interp(frequency, curve.frequencies, curve.values)),
        curve.resolution_text(0.5),
    )


def _spread(mu: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.int64]:
    """Positions of particles far from each other."""
    chosen = [int(np.argmin(np.square(mu - np.median(mu, axis=0)).sum(axis=1)))]
    distance = np.square(mu - mu[chosen[0]]).sum(axis=1)
    # The farthest of all are outliers; those at the edge of nearly all are not.
    limit = np.quantile(distance, 0.95)
    distance = np.where(distance > limit, 0, distance)
    while len(chosen) < min(n, len(mu)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.square(mu - mu[chosen[-1]]).sum(axis=1))
    return np.array(chosen, dtype=np.int64)
