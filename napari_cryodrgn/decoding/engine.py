"""The resident decoder: one thread, one slot, the latest request wins."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.records import (
    DecodedVolume,
    DecodeFailure,
    RungName,
    SurrogateRecord,
)
from napari_cryodrgn.errors import Cancelled, InputError

if TYPE_CHECKING:
    from napari_cryodrgn.decoding.ladder import Ladder
    from napari_cryodrgn.model.loaded import LoadedModel

logger = logging.getLogger(__name__)

Load = Callable[[], "LoadedModel"]
Result = DecodedVolume | DecodeFailure
Subscriber = Callable[[Result], None]

# How long closing waits for the thread; it stops after the chunk it is at, and when
# something slower holds it up (loading weights) it ends by itself later.
CLOSING_SECONDS = 2.0

# Without a request for so long, the thread decodes for the surrogate.
IDLE_SECONDS = 0.2

# Volumes handed in that wait for the thread; older ones are dropped.
MAX_LEARNT = 64


@dataclass(frozen=True, eq=False)
class _Request:
    z: npt.NDArray[np.float32]
    box: int | None
    tag: object
    rungs: tuple[RungName, ...]
    patience: float


class DecodeEngine:
    """Decodes latent points on its own thread, always the newest one asked for.

    The model is loaded at the first request and stays. A request replaces one that
    waits and cancels one that runs; the newest is always answered, by a volume or a
    failure. Where memory runs out the volume is made smaller, and says so. While nothing
    is asked for, a surrogate is made of the volumes decoded so far and of states given to
    `seed_states`.

    Parameters
    ----------
    load : callable
        Loads the model; called on the engine's thread.
    pixel_size : float or None
        Å per pixel at the box the model was trained on.
    """

    def __init__(self, load: Load, pixel_size: float | None) -> None:
        self._load = load
        self._pixel_size = pixel_size
        self._ladder: Ladder | None = None
        self._subscribers: list[Subscriber] = []
        self._changed = threading.Condition()
        self._pending: _Request | None = None
        self._running: _Request | None = None
        self._learnt: deque[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = deque(
            maxlen=MAX_LEARNT
        )
        self._seeds: deque[npt.NDArray[np.float32]] = deque()
        self._worked = 0.0
        self._generation = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def request(
        self,
        z: npt.ArrayLike | None,
        tag: object = None,
        *,
        box: int | None = None,
        rungs: Sequence[RungName] = ("exact",),
        patience: float = 0.0,
    ) -> None:
        """Ask for a volume, instead of any that was asked for before.

        Parameters
        ----------
        z : (zdim,) array-like or None
            Latent point; None for a model without latent.
        tag : object
            Handed back with the answer.
        box : int, optional
            Side of the volume, px; the trained box if not given.
        rungs : sequence of {"surrogate", "preview", "exact"}
            Worked through in this order, each delivered as a `DecodedVolume` unless a newer
            request comes. One that is not to be had is left out: no surrogate yet, or none
            that trusts itself at z; no preview that is smaller than the box asked for.
        patience : float
            After a surrogate a newer request is awaited for so many seconds before the network
            is asked: while something is dragged it would take the processor from the window.
        """
        unknown = set(rungs) - set(get_args(RungName))
        if unknown or not rungs:
            raise ValueError(f"no rungs of a decoder: {rungs}")
        point = np.array([] if z is None else z, dtype=np.float32).reshape(-1)
        with self._changed:
            if self._closed:
                return
            self._pending = _Request(point, box, tag, tuple(rungs), patience)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def learn(self, z: npt.ArrayLike, volume: npt.NDArray[np.float32]) -> None:
        """Give the surrogate a volume that was decoded before, such as a k-means centre.

        Every exact decode of this engine is learnt without that.

        Parameters
        ----------
        z : (zdim,) array-like
            Latent point it was decoded from, at this epoch.
        volume : (box, box, box) float32 array
            As `DecodedVolume` has it: neither mirrored nor inverted, and on the grey scale of
            the full box. One smaller than the surrogate's box is not used.
        """
        with self._changed:
            if not self._closed:
                self._learnt.append((np.array(z, dtype=np.float32).reshape(-1), volume))
                self._changed.notify_all()

    def seed_states(self, z_values: npt.ArrayLike) -> None:
        """Say which states to decode for the surrogate while nothing is asked for.

        Parameters
        ----------
        z_values : (n, zdim) array-like
            Latent points; instead of those given before. Particles drawn at random, in that
            order, serve best: they are dense where one will look. Centres of clusters and
            outlying particles may follow.
        """
        rows = np.array(z_values, dtype=np.float32)
        with self._changed:
            if not self._closed:
                self._seeds = deque(rows)
                self._changed.notify_all()

    @property
    def surrogate(self) -> SurrogateRecord | None:
        """What the surrogate is made of; None before there is one."""
        ladder = self._ladder
        return None if ladder is None else ladder.surrogate

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have results delivered, on the engine's thread.

        Parameters
        ----------
        subscriber : callable
            Takes a `DecodedVolume` or a `DecodeFailure`. What it raises is logged and
            does not stop the engine.

        Returns
        -------
        callable
            Ends the subscription.
        """
        with self._changed:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._changed:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return unsubscribe

    def set_model(self, load: Load, pixel_size: float | None) -> None:
        """Go over to another model, such as another epoch of the run.

        A request that runs is answered with the new model, unless a newer one waits. The
        surrogate begins anew.
        """
        with self._changed:
            self._load, self._pixel_size = load, pixel_size
            old, self._ladder = self._ladder, None
            self._learnt.clear()
            self._seeds.clear()
            self._generation += 1
            self._pending = self._pending or self._running
            self._changed.notify_all()
        if old is not None:
            old.close()

    @property
    def busy(self) -> bool:
        """Whether something that was asked for waits or runs."""
        with self._changed:
            return self._pending is not None or self._running is not None

    def close(self) -> None:
        """Stop: nothing is delivered after this returns. May be called again, from any thread."""
        with self._changed:
            self._closed = True
            self._pending = None
            self._subscribers.clear()
            self._learnt.clear()
            self._seeds.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSING_SECONDS)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(self._has_work)
                if self._closed:
                    ladder, self._ladder = self._ladder, None
                    break
                request, self._pending = self._pending, None
                self._running = request
                generation = self._generation
            if request is not None:
                self._answer(request, generation)
                self._worked = time.monotonic()
            else:
                self._use_idle_time(generation)
        if ladder is not None:
            ladder.close()

    def _has_work(self) -> bool:
        """Whether something was asked for, or the surrogate can be bettered; under the lock."""
        if self._closed or self._pending is not None:
            return True
        return self._ladder is not None and bool(self._learnt or self._seeds)

    def _answer(self, request: _Request, generation: int) -> None:
        """Deliver what was asked for, as far as it is not overtaken."""
        try:
            self._climb(request, generation)
        except Cancelled:
            return
        except InputError as error:
            self._deliver(DecodeFailure(str(error), "", request.tag, request.z, error), generation)
        except Exception as error:
            # The thread's outermost frame: whatever it is must reach the window, and
            # the next request must find the thread alive. Once closed there is neither, and
            # little works any more where the program is ending.
            if self._closed:
                return
            logger.exception("decoding failed")
            message = f"the volume could not be decoded ({type(error).__name__}: {error})"
            details = traceback.format_exc()
            self._deliver(
                DecodeFailure(message, details, request.tag, request.z, error), generation
            )

    def _climb(self, request: _Request, generation: int) -> None:
        ladder = self._current_ladder(generation)
        plan = ladder.plan(request.z, request.box, request.rungs)
        for rung in plan:
            volume = ladder.decode(
                request.z, request.box, rung, lambda: self._overtaken(generation)
            )
            volume = replace(volume, tag=request.tag, last=rung == plan[-1])
            self._deliver(volume, generation)
            if volume.rung == "exact":
                self.learn(volume.z, volume.data)
            wait = request.patience if rung == "surrogate" else 0.0
            with self._changed:
                if self._changed.wait_for(lambda: self._interrupted(generation), wait):
                    raise Cancelled

    def _current_ladder(self, generation: int) -> Ladder:
        with self._changed:
            ladder, load, pixel_size = self._ladder, self._load, self._pixel_size
        if ladder is not None:
            return ladder
        model = load()
        # Not before: this imports torch, which the loader prepares.
        from napari_cryodrgn.decoding.ladder import Ladder

        ladder = Ladder(model, pixel_size)
        with self._changed:
            if generation != self._generation:
                raise Cancelled
            self._ladder = ladder
        return ladder

    def _use_idle_time(self, generation: int) -> None:
        """Learn one volume, or decode one; whatever goes wrong, nobody is waiting for it."""
        with self._changed:
            rest = self._worked + IDLE_SECONDS - time.monotonic()
            if self._changed.wait_for(lambda: self._interrupted(generation), max(0.0, rest)):
                return
            ladder = self._ladder
            learnt = self._learnt.popleft() if self._learnt else None
            seed = self._seeds.popleft() if self._seeds and learnt is None else None
        if ladder is None:
            return
        try:
            if learnt is not None:
                ladder.learn(*learnt)
            if seed is not None:
                ladder.seed(seed, lambda: self._overtaken(generation))
            if not self._overtaken(generation):
                ladder.refit()
        except Cancelled:
            if seed is not None:
                self._put_back(seed, generation)
        except Exception:
            logger.exception("the surrogate cannot be made")
            with self._changed:
                self._seeds.clear()

    def _put_back(self, seed: npt.NDArray[np.float32], generation: int) -> None:
        with self._changed:
            if generation == self._generation and not self._closed:
                self._seeds.appendleft(seed)

    def _interrupted(self, generation: int) -> bool:
        """Whether the thread should turn to something else; under the lock."""
        return self._closed or self._pending is not None or generation != self._generation

    def _overtaken(self, generation: int) -> bool:
        with self._changed:
            return self._interrupted(generation)

    def _deliver(self, result: Result, generation: int) -> None:
        with self._changed:
            if self._closed or generation != self._generation:
                return
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            try:
                subscriber(result)
            except Exception:
                logger.exception("a receiver of decoded volumes failed")
