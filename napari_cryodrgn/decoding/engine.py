"""The resident decoder: one thread, one slot, the latest request wins."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.records import DecodedVolume, DecodeFailure, Rung
from napari_cryodrgn.errors import Cancelled, InputError

if TYPE_CHECKING:
    from napari_cryodrgn.model.loaded import LoadedModel

logger = logging.getLogger(__name__)

Load = Callable[[], "LoadedModel"]
Result = DecodedVolume | DecodeFailure
Subscriber = Callable[[Result], None]

# Below this box a volume shows nothing, so running out of memory is a failure.
SMALLEST_BOX = 16

# How long closing waits for the thread; it stops after the chunk it is at, and when
# something slower holds it up (loading weights) it ends by itself later.
CLOSING_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class _Request:
    z: npt.NDArray[np.float32]
    box: int | None
    tag: object


class DecodeEngine:
    """Decodes latent points on its own thread, always the newest one asked for.

    The model is loaded at the first request and stays. A request replaces one that
    waits and cancels one that runs; the newest is always answered, by a volume or a
    failure. Where memory runs out the volume is made smaller, and says so.

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
        self._model: LoadedModel | None = None
        self._largest_box: int | None = None
        self._subscribers: list[Subscriber] = []
        self._changed = threading.Condition()
        self._pending: _Request | None = None
        self._running: _Request | None = None
        self._generation = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def request(
        self, z: npt.ArrayLike | None, tag: object = None, *, box: int | None = None
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
        """
        point = np.array([] if z is None else z, dtype=np.float32).reshape(-1)
        with self._changed:
            if self._closed:
                return
            self._pending = _Request(point, box, tag)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
                self._thread.start()
            self._changed.notify_all()

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

        A request that runs is answered with the new model, unless a newer one waits.
        """
        with self._changed:
            self._load, self._pixel_size = load, pixel_size
            self._model, self._largest_box = None, None
            self._generation += 1
            self._pending = self._pending or self._running
            self._changed.notify_all()

    @property
    def busy(self) -> bool:
        """Whether something waits or runs."""
        with self._changed:
            return self._pending is not None or self._running is not None

    def close(self) -> None:
        """Stop: nothing is delivered after this returns. May be called again, from any thread."""
        with self._changed:
            self._closed = True
            self._pending = None
            self._subscribers.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSING_SECONDS)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._closed or self._pending is not None)
                if self._closed:
                    self._model = None
                    return
                request, self._pending = self._pending, None
                self._running = request
                generation = self._generation
            if request is not None:
                self._deliver(self._answer(request, generation), generation)

    def _answer(self, request: _Request, generation: int) -> Result | None:
        """A result; None where the request has been overtaken."""
        try:
            return self._decode(request, generation)
        except Cancelled:
            return None
        except InputError as error:
            return DecodeFailure(str(error), "", request.tag, request.z, error)
        except Exception as error:
            # The thread's outermost frame: whatever it is must reach the window, and
            # the next request must find the thread alive.
            logger.exception("decoding failed")
            message = f"the volume could not be decoded ({type(error).__name__}: {error})"
            return DecodeFailure(message, traceback.format_exc(), request.tag, request.z, error)

    def _decode(self, request: _Request, generation: int) -> DecodedVolume:
        from napari_cryodrgn.decoding.volume import check_box, decode_volume

        model = self._current_model(generation)
        asked = check_box(model, request.box)
        with self._changed:
            box = min(asked, self._largest_box or asked)
        started = time.monotonic()
        while True:
            try:
                data = decode_volume(
                    model, request.z, box=box, cancelled=lambda: self._overtaken(generation)
                )
                break
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error) or box <= SMALLEST_BOX:
                    raise
                logger.warning("out of memory at a box of %d: %s", box, error)
                box = max(SMALLEST_BOX, box // 4 * 2)
            self._remember_limit(box, generation)
            _release_memory()
        rung: Rung = "exact"
        if box < model.box:
            rung = "reduced" if box == asked else "reduced: out of memory"
        with self._changed:
            size = self._pixel_size
        return DecodedVolume(
            data=data,
            pixel_size=None if size is None else size * model.box / box,
            z=request.z,
            epoch=model.epoch,
            box=box,
            rung=rung,
            tag=request.tag,
            seconds=time.monotonic() - started,
        )

    def _current_model(self, generation: int) -> LoadedModel:
        with self._changed:
            model, load = self._model, self._load
        if model is not None:
            return model
        model = load()
        with self._changed:
            if generation != self._generation:
                raise Cancelled
            self._model = model
        return model

    def _remember_limit(self, box: int, generation: int) -> None:
        """Later requests of the same model do not try again what did not fit."""
        with self._changed:
            if generation == self._generation:
                self._largest_box = box

    def _overtaken(self, generation: int) -> bool:
        with self._changed:
            return self._closed or self._pending is not None or generation != self._generation

    def _deliver(self, result: Result | None, generation: int) -> None:
        with self._changed:
            if result is None or self._closed or generation != self._generation:
                return
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            try:
                subscriber(result)
            except Exception:
                logger.exception("a receiver of decoded volumes failed")


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, in Python's, CUDA's, MPS's and the CPU allocator's words."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or "out of memory" in text
        or "not enough memory" in text
        or "can't allocate memory" in text
    )


def _release_memory() -> None:
    """Give memory that PyTorch keeps back to the GPU."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
