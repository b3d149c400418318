"""The epochs of a training, as a generator of progress records."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.progress import Stopwatch, Task
from napari_cryodrgn.training.data import Batch, TrainingSet
from napari_cryodrgn.training.distributed import is_first, own_places, part_of
from napari_cryodrgn.training.learning_rate import RateSchedule
from napari_cryodrgn.training.loss import Loss
from napari_cryodrgn.training.randomness import generator
from napari_cryodrgn.training.records import EpochMetrics, TrainingProgress
from napari_cryodrgn.training.resolution import RadiusSchedule
from napari_cryodrgn.training.schedule import BetaSchedule
from napari_cryodrgn.training.step import TrainingState, compared_points, training_step

REPORT_SECONDS = 0.15


@dataclass(frozen=True)
class Course:
    """What a training is told about its steps.

    Parameters
    ----------
    seed : int
        Fixes order and noise of every epoch.
    n_epochs : int
        Epochs in all.
    batch_size : int
        Images in each step; the last one of an epoch may have fewer.
    beta : BetaSchedule
        KL weight from the images seen.
    beta_control : float or None
        See `loss.vae_loss`.
    rate : callable or None
        Learning rate by the epochs done; None leaves the optimiser's.
    radius : callable or None
        Radius by the epoch of the disc on which images are compared; None for the whole.
    """

    seed: int
    n_epochs: int
    batch_size: int
    beta: BetaSchedule
    beta_control: float | None = None
    rate: RateSchedule | None = None
    radius: RadiusSchedule | None = None


SaveEpoch = Callable[[EpochMetrics], Task[bool]]


def train_epochs(
    state: TrainingState,
    particles: TrainingSet,
    course: Course,
    save: SaveEpoch,
    *,
    finished: int = 0,
) -> Task[None]:
    """Train from the first unfinished epoch to the last.

    Parameters
    ----------
    state : TrainingState
        Model and optimiser, as the last finished epoch left them.
    particles : TrainingSet
        Prepared for this model, on its device.
    course : Course
        Steps, schedule and seed.
    save : callable
        A task run after each epoch, which keeps its metrics and, where a
        checkpoint is due, writes it and returns True.
    finished : int, optional
        Epochs that are already done.

    Raises
    ------
    InputError
        Where the loss becomes NaN or infinite; names epoch, batch and images, and the last
        epoch that is kept.
    """
    n_left = (course.n_epochs - finished) * len(particles)
    watch, kept = Stopwatch(n_left), finished
    for epoch in range(finished + 1, course.n_epochs + 1):
        order = particles.order(course.seed, epoch)
        places = own_places(len(particles), course.batch_size)
        with particles.batches(order, places) as batches:
            losses = EpochLosses(order.positions, course.batch_size, particles, epoch, kept)
            metrics = yield from _train_epoch(state, losses, batches, course, finished, watch)
        saved = yield from save(metrics)
        kept = epoch if saved else kept
        done = epoch * len(particles)
        yield TrainingProgress(
            done,
            course.n_epochs * len(particles),
            f"Epoch {epoch} of {course.n_epochs} is done",
            watch.seconds_left(done - finished * len(particles)),
            phase="training",
            epoch=epoch,
            n_epochs=course.n_epochs,
            images_done=len(particles),
            n_images=len(particles),
            loss=metrics.loss,
            gen_loss=metrics.gen_loss,
            kld=metrics.kld,
            beta=metrics.beta,
            images_per_second=len(particles) / metrics.seconds if metrics.seconds else None,
            finished_epoch=epoch if saved else None,
        )


def _train_epoch(
    state: TrainingState,
    losses: EpochLosses,
    batches: Iterator[Batch],
    course: Course,
    finished: int,
    watch: Stopwatch,
) -> Task[EpochMetrics]:
    """All steps of one epoch, with a report about every `REPORT_SECONDS`."""
    epoch, n_images, zdim = losses.epoch, len(losses.order), state.vae.zdim
    radius = None if course.radius is None else course.radius(epoch)
    compared = compared_points(state.vae, radius)
    poses = state.poses if state.poses is not None and state.poses.begins(epoch) else None
    noise_source = generator(course.seed, "noise", epoch)
    seen_before = (epoch - 1) * n_images
    beta = course.beta(seen_before)
    started = reported = time.monotonic()
    for positions in losses.order.split(course.batch_size):
        noise, part = None, part_of(len(positions))
        if zdim:
            drawn = torch.randn((len(positions), zdim), generator=noise_source)
            noise = drawn[part.where].to(losses.particles.device, non_blocking=True)
        seen = seen_before + losses.images_done
        beta = course.beta(seen + len(positions))
        if course.rate is not None:
            # Of the middle of the batch: the last one takes a step too.
            rate = course.rate((seen + len(positions) / 2) / n_images)
            _set_rate(state.optimiser, rate)
            if poses is not None:
                poses.slow_down(rate / course.rate(0))
        loss = training_step(
            state,
            compared,
            next(batches),
            noise,
            beta=beta,
            beta_control=course.beta_control,
            weight=part.weight,
            moved=None if poses is None else poses.batch(positions, part.where),
        )
        losses.add(loss, len(positions))
        now = time.monotonic()
        # Of several processes the first finds a bad loss, and says so.
        soon = now - reported < REPORT_SECONDS or not is_first()
        if soon and losses.images_done < n_images:
            continue
        reported = now
        losses.collect()
        means = losses.means()
        done = seen_before + losses.images_done
        yield TrainingProgress(
            done,
            course.n_epochs * n_images,
            f"Training, epoch {epoch} of {course.n_epochs}",
            watch.seconds_left(done - finished * n_images),
            phase="training",
            epoch=epoch,
            n_epochs=course.n_epochs,
            images_done=losses.images_done,
            n_images=n_images,
            loss=means.total,
            gen_loss=means.gen,
            kld=means.kld,
            beta=beta,
            images_per_second=losses.images_done / max(now - started, 1e-9),
        )
    means = losses.means()
    return EpochMetrics(
        epoch=epoch,
        loss=means.total,
        gen_loss=means.gen,
        kld=means.kld,
        beta=beta,
        n_images=n_images,
        seconds=time.monotonic() - started,
        radius=None if compared.places is None else radius,
    )


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


class MeanLosses(NamedTuple):
    """Means over images of the terms of `loss.Loss`."""

    total: float
    gen: float
    kld: float


@dataclass(eq=False)
class EpochLosses:
    """Losses of an epoch's batches; left on the device until they are reported.

    Fetching a value makes the CPU wait for a GPU, so it is done only as often as
    a person looks.

    Parameters
    ----------
    order : (N,) int64 tensor
        The epoch's order of the images.
    batch_size : int
    particles : TrainingSet
        To name the images of a bad batch.
    epoch : int
    kept : int
        The last epoch before it that has a checkpoint, or 0.
    """

    order: Tensor
    batch_size: int
    particles: TrainingSet
    epoch: int
    kept: int = 0
    images_done: int = 0
    _waiting: list[Tensor] = field(default_factory=list)
    _batches: int = 0
    _images: int = 0
    _sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def add(self, loss: Loss, n_images: int) -> None:
        """Take note of one batch."""
        self._waiting.append(torch.stack((*loss, loss.total.new_tensor(n_images))))
        self.images_done += n_images

    def collect(self) -> None:
        """Fetch what has gathered on the device, and stop at the first bad loss.

        Raises
        ------
        InputError
            Where a loss is NaN or infinite.
        """
        if not self._waiting:
            return
        fetched = torch.stack(self._waiting).cpu().tolist()
        self._waiting.clear()
        # One batch after the other, so that the sums do not depend on when they
        # were fetched.
        for *terms, n_images in fetched:
            if not all(map(math.isfinite, terms)):
                raise self._bad_batch(self._batches)
            self._batches += 1
            self._images += int(n_images)
            self._sums = [
                old + term * n_images for old, term in zip(self._sums, terms, strict=True)
            ]

    def means(self) -> MeanLosses:
        """Means over the images collected so far."""
        return MeanLosses(*(value / self._images for value in self._sums))

    def _bad_batch(self, batch: int) -> InputError:
        start = batch * self.batch_size
        positions = self.order[start : start + self.batch_size].numpy()
        rows = ", ".join(str(row) for row in self.particles.rows.rows[positions[:16]])
        more = ", …" if len(positions) > 16 else ""
        good = "no epoch is kept yet"
        if self.kept:
            good = f"the last good epoch that is kept is {self.kept}"
        return InputError(
            f"the loss is not a finite number in epoch {self.epoch}, batch {batch + 1}, "
            f"particle rows {rows}{more} (counted from 0); {good}",
            file=self.particles.images.particles.source.path,
            hint="Look at these images, or try a smaller learning rate (--lr) or --no-amp",
        )
