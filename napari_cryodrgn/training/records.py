"""What a training reports while it runs, and what it keeps of each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_cryodrgn.progress import Progress

Phase = Literal["preparing", "training", "embedding"]


@dataclass(frozen=True)
class TrainingProgress(Progress):
    """One report of a training.

    `done` and `total` count images over all epochs while it trains, and the
    images of the phase while it prepares.

    Parameters
    ----------
    phase : {"preparing", "training", "embedding"}
        Reading and transforming images, taking steps, or computing the latents.
    epoch : int
        Epoch under way, from 1; 0 while preparing.
    n_epochs : int
        Epochs in all.
    images_done, n_images : int
        Images looked at in this epoch or phase, and how many there are.
    loss, gen_loss, kld : float or None
        Means over the images of this epoch so far; None before the first step.
    beta : float or None
        Present weight of the KL divergence.
    images_per_second : float or None
        Pace of this phase.
    finished_epoch : int or None
        Epoch whose checkpoint has just been written; None otherwise.
    """

    phase: Phase = "preparing"
    epoch: int = 0
    n_epochs: int = 0
    images_done: int = 0
    n_images: int = 0
    loss: float | None = None
    gen_loss: float | None = None
    kld: float | None = None
    beta: float | None = None
    images_per_second: float | None = None
    finished_epoch: int | None = None


@dataclass(frozen=True)
class EpochMetrics:
    """What is kept of one epoch, as one line of ``metrics.jsonl``.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.
    loss, gen_loss, kld : float
        Means over the epoch's images.
    beta : float
        Weight of the KL divergence at the epoch's last step.
    n_images : int
        Images looked at.
    seconds : float
        Wall-clock time of the steps; the only value that a repetition changes.
    radius : int or None
        Of the disc of the transform on which images were compared, px; None for the whole.
        Losses of different discs do not compare.
    """

    epoch: int
    loss: float
    gen_loss: float
    kld: float
    beta: float
    n_images: int
    seconds: float
    radius: int | None = None


@dataclass(frozen=True)
class PoseChange:
    """Means over images of how far poses are from others.

    Parameters
    ----------
    degrees : float
        Angle of the rotation from one orientation to the other.
    pixels : float
        Length of the difference of shifts, px.
    """

    degrees: float
    pixels: float

    def words(self, pixel_size: float | None) -> str:
        """Both figures, lengths in Å where the pixel size is known."""
        size, unit = (1.0, "px") if pixel_size is None else (pixel_size, "Å")
        return f"{self.degrees:.3f}° and {self.pixels * size:.3f} {unit}"
