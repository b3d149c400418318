"""What is open, picked and shown; every dock listens to it and none to another.

A `Session` knows nothing of Qt. Whatever comes from its own threads (the
decoder, a volume file being read) goes through `deliver`, which the window
sets to a function that calls on the GUI thread; signals are therefore always
emitted on the thread that made the session.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.errors import InputError
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import Progress, Task, run_to_end
from napari_cryodrgn.session_records import IntensityScale, Notice, NoticeKind, Pick, ShownVolume
from napari_cryodrgn.session_states import (
    analysis_states,
    file_pixel_size,
    missing_weights_text,
    nearest_state,
    shown_epoch,
    weights_file,
)

if TYPE_CHECKING:
    from napari_cryodrgn.decoding.engine import DecodeEngine
    from napari_cryodrgn.decoding.records import DecodedVolume, DecodeFailure
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.model.loaded import LoadedModel
    from napari_cryodrgn.workflows.open_run import OpenRun

logger = logging.getLogger(__name__)

N_REFERENCES = 4
REFERENCE_SECONDS = 2.0
"""States decoded, and time spent on them, before the first volume is shown, so that contrast
and contour are set from several volumes and need not change afterwards."""

Call = Callable[[], None]


class Decoder(Protocol):
    """What the session needs of ``decoding.engine.DecodeEngine``."""

    def request(self, z: npt.NDArray[np.float32], tag: object = None) -> None:
        """Decode this next; the result carries the tag."""

    def close(self) -> None:
        """Stop, and free the weights."""


@dataclass(frozen=True, eq=False)
class _Request:
    """Tag of a decoding: what it is for, and when it was asked."""

    z: npt.NDArray[np.float32]
    pick: Pick | None
    asked: float
    reference: bool = False


DecoderFactory = Callable[
    ["OpenRun", Callable[["DecodedVolume | DecodeFailure"], None]],
    Decoder,
]


def call_at_once(call: Call) -> None:
    """Deliver a call on the thread that asks: for use without a window."""
    call()


class Session:
    """One session of work: the open particles and run, the picked state, the shown volume.

    Parameters
    ----------
    deliver : callable
        Takes a function and sees to it that it is called on the session's own thread.
    make_decoder : callable, optional
        Makes the decoder of a run, given a callback for its results.

    Attributes
    ----------
    particles_changed : Signal(Particles or None)
    run_changed : Signal(OpenRun or None)
        Another run folder is open.
    epochs_changed : Signal(list of int)
        The epochs that have latents have changed.
    latent_changed : Signal(LatentSpace or None)
        Another epoch is shown, or its analysis is there now.
    picked : Signal(Pick)
    busy_changed : Signal(bool)
        A volume has been asked for, or the last one asked for has come.
    volume_changed : Signal(ShownVolume)
    message : Signal(Notice)
    """

    particles_changed = Signal(object)
    run_changed = Signal(object)
    epochs_changed = Signal(list)
    latent_changed = Signal(object)
    picked = Signal(object)
    busy_changed = Signal(bool)
    volume_changed = Signal(object)
    message = Signal(object)

    def __init__(
        self,
        deliver: Callable[[Call], None] = call_at_once,
        make_decoder: DecoderFactory | None = None,
    ) -> None:
        self._deliver = deliver
        self._make_decoder = make_decoder or decode_engine
        self._decoder: Decoder | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._references: list[npt.NDArray[np.float32]] = []
        self._scales: list[IntensityScale] = []
        self._deadline: float | None = None
        self._latest: _Request | None = None
        self._generation = 0
        self._epochs: list[int] = []
        self._told_missing = False
        self.particles: Particles | None = None
        self.run: OpenRun | None = None
        self.pick_now: Pick | None = None
        self.volume: ShownVolume | None = None
        self.scale: IntensityScale | None = None
        self.busy = False

    # Particles

    def set_particles(self, particles: Particles | None) -> None:
        """Make a particle set the open one."""
        self.particles = particles
        self.particles_changed.emit(particles)

    def open_particles(self, path: str | Path, **options: Any) -> Particles:
        """Read a particle set here and now, and make it the open one (see `reading_particles`)."""
        particles = run_to_end(reading_particles(path, **options))
        self.set_particles(particles)
        return particles

    # The run and its epochs

    def set_run(self, run: OpenRun | None) -> None:
        """Show a run that has been read: another one, another epoch, or its new analysis.

        The decoder follows: of an epoch with weights it is made at once, on its
        own thread, and shows the picked particle again, or to begin with the one
        nearest to the middle of the latent space.
        """
        before, self.run = self.run, run
        same_run = _is_same_folder(before, run)
        same_epoch = same_run and shown_epoch(before) == shown_epoch(run)
        if not same_run:
            self._told_missing = False
            self.pick_now = None
            self.volume = None
            self.run_changed.emit(run)
        self.refresh_epochs()
        self.latent_changed.emit(self.latent)
        if not same_epoch:
            self._change_weights()

    def open_run(self, path: str | Path, epoch: int | None = None) -> OpenRun:
        """Read a run here and now, and show it (see `reading_run`)."""
        run = run_to_end(reading_run(path, epoch))
        self.set_run(run)
        return run

    def refresh_epochs(self) -> list[int]:
        """Look again which epochs have latents, and announce it where that has changed."""
        epochs = [] if self.run is None else self.run.folder.latent_epochs()
        if epochs != self._epochs:
            self._epochs = epochs
            self.epochs_changed.emit(epochs)
        return epochs

    @property
    def latent(self) -> LatentSpace | None:
        """The latent space shown; None where no run is open or it has none."""
        return None if self.run is None else self.run.latent

    @property
    def following(self) -> bool:
        """Whether the newest epoch is shown, so that a newer one should replace it."""
        return self.run is None or not self._epochs or shown_epoch(self.run) == self._epochs[-1]

    # Picking and decoding

    def pick(self, position: int) -> None:
        """Choose the particle at a position of the latent space, and show its volume."""
        latent = self.latent
        if latent is None or not 0 <= position < len(latent):
            return
        name = latent.columns["image_name"].iat[position] if "image_name" in latent.columns else ""
        pick = Pick(position, latent.rows.at([position]), latent.mu[position], str(name))
        self.pick_now = pick
        self.picked.emit(pick)
        if self.decodable:
            self._request(pick.z, pick)
        else:
            self._show_nearest_file(pick)

    def request_z(self, z: npt.NDArray[np.float32]) -> None:
        """Show the volume of any latent point."""
        if self.decodable:
            self._request(np.asarray(z, dtype=np.float32), None)
        else:
            self._tell_missing()

    @property
    def decodable(self) -> bool:
        """Whether the epoch shown has weights to decode with."""
        return self.run is not None and weights_file(self.run) is not None

    def join(self, user: object) -> None:
        """Count a dock among the users of this session."""
        self._users.add(id(user))

    def leave(self, user_id: int) -> None:
        """A dock is gone; with the last one the threads stop."""
        self._users.discard(user_id)
        if not self._users:
            self.close()

    def close(self) -> None:
        """Stop the session's threads. What is open stays open: a later pick starts them again."""
        self._stop_decoder()
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)
            self._reader = None

    def _change_weights(self) -> None:
        """Follow to another epoch: its own decoder, its own scale, the same particle."""
        self._stop_decoder()
        self.scale = None
        self._scales = []
        latent = self.latent
        if latent is None or not len(latent):
            return
        if self.pick_now is None or self.pick_now.position >= len(latent):
            start = _nearest(latent.mu, latent.mu.mean(axis=0))
        else:
            start = self.pick_now.position
        if self.decodable:
            self._references = _spread_states(latent.mu, start)
        self.pick(start)

    def _stop_decoder(self) -> None:
        self._generation += 1
        self._latest = None
        self._references = []
        self._deadline = None
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        self._set_busy(False)

    def _request(self, z: npt.NDArray[np.float32], pick: Pick | None) -> None:
        if self._latest is not None:
            self._references = []  # somebody is clicking: no more time for references
        self._latest = _Request(z, pick, time.monotonic())
        self._set_busy(True)
        self._ask_decoder()

    def _ask_decoder(self) -> None:
        """Ask for the next reference state while there is time for one, else for what is wanted."""
        if self.run is None or self._latest is None:
            return
        if self._decoder is None:
            self._decoder = self._make_decoder(self.run, partial(self._decoded, self._generation))
        in_time = self._deadline is None or time.monotonic() < self._deadline
        if self._references and in_time:
            z = self._references.pop()
            self._decoder.request(z, _Request(z, None, self._latest.asked, reference=True))
        else:
            self._references = []
            self._decoder.request(self._latest.z, self._latest)

    def _decoded(self, generation: int, result: DecodedVolume | DecodeFailure) -> None:
        """Take a result on the decoder's thread, and bring it to the session's own."""
        data = getattr(result, "data", None)
        scale = None if data is None else IntensityScale.of(data)
        self._deliver(partial(self._take_result, generation, result, scale))

    def _take_result(
        self,
        generation: int,
        result: DecodedVolume | DecodeFailure,
        scale: IntensityScale | None,
    ) -> None:
        request = result.tag
        if generation != self._generation or not isinstance(request, _Request):
            return
        if request.reference:
            self._deadline = self._deadline or time.monotonic() + REFERENCE_SECONDS
        if scale is None:
            self._references = []
            self._set_busy(False)
            self.say(f"The volume could not be decoded: {result.message}", "error", result.details)
            return
        if self.scale is None:
            self._scales.append(scale)
        if request.reference:
            self._ask_decoder()
            return
        if request is self._latest:
            self._set_busy(False)
        self._show(
            ShownVolume(
                result.data,
                result.pixel_size,
                request.z,
                result.epoch,
                f"{result.rung}, {result.box} px",
                request.pick,
                time.monotonic() - request.asked,
            )
        )

    def _show(self, volume: ShownVolume) -> None:
        if self.scale is None:
            self.scale = IntensityScale.over(self._scales)
        self.volume = volume
        self.volume_changed.emit(volume)

    def _set_busy(self, busy: bool) -> None:
        if busy != self.busy:
            self.busy = busy
            self.busy_changed.emit(busy)

    def say(self, text: str, kind: NoticeKind = "info", details: str = "") -> None:
        """Tell the person at the window something."""
        self.message.emit(Notice(text, kind, details))

    def _tell_missing(self) -> None:
        if self.run is not None and not self._told_missing:
            self._told_missing = True
            self.say(missing_weights_text(self.run), "warning")

    def _show_nearest_file(self, pick: Pick) -> None:
        """Without weights: show the analysis' own volume of the state nearest to a particle."""
        self._tell_missing()
        if self.run is None:
            return
        request = _Request(pick.z, pick, time.monotonic())
        self._latest = request
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="volume-reader")
        self._set_busy(True)
        self._reader.submit(self._read_nearest, self._generation, self.run, request)

    def _read_nearest(self, generation: int, run: OpenRun, request: _Request) -> None:
        """On the reader's thread: nothing to do where a newer request has come."""
        if request is not self._latest:
            return
        shown: ShownVolume | None = None
        scales: list[IntensityScale] = []
        problem = ""
        try:
            shown, scales = _nearest_volume(run, request, with_scales=self.scale is None)
        except (InputError, OSError) as error:
            problem = str(error)
        self._deliver(partial(self._take_read, generation, request, shown, scales, problem))

    def _take_read(
        self,
        generation: int,
        request: _Request,
        shown: ShownVolume | None,
        scales: list[IntensityScale],
        problem: str,
    ) -> None:
        if generation != self._generation or request is not self._latest:
            return
        self._set_busy(False)
        if problem:
            self.say(problem, "error")
        if shown is not None:
            self._scales = self._scales or scales
            self._show(shown)


def reading_particles(path: str | Path, **options: Any) -> Task[Particles]:
    """Read and check a particle set; options as ``io.import_particles.read_particles``."""
    from napari_cryodrgn.io.import_particles import read_particles

    yield Progress(0, None, f"Reading {Path(path).name}")
    return read_particles(path, **options)


def reading_run(path: str | Path, epoch: int | None = None) -> Task[OpenRun]:
    """Read all there is of a run at an epoch, the latest one without a number."""
    from napari_cryodrgn.workflows.open_run import open_run

    yield Progress(0, None, f"Opening {Path(path).name}")
    return open_run(path, epoch)


def decode_engine(
    run: OpenRun, take: Callable[[DecodedVolume | DecodeFailure], None]
) -> DecodeEngine:
    """The resident decoder of a run's epoch; weights and torch are loaded on its thread."""
    from napari_cryodrgn.decoding.engine import DecodeEngine

    def load() -> LoadedModel:
        from napari_cryodrgn.model.checkpoint import load_model
        from napari_cryodrgn.training.device import choose_device

        return load_model(run.folder, shown_epoch(run), device=choose_device("auto"))

    engine = DecodeEngine(load, run.pixel_size)
    engine.subscribe(take)
    return engine


def _is_same_folder(one: OpenRun | None, other: OpenRun | None) -> bool:
    return one is not None and other is not None and one.folder.path == other.folder.path


def _nearest(mu: npt.NDArray[np.float32], z: npt.NDArray[np.floating]) -> int:
    return int(np.argmin(np.square(mu - z).sum(axis=1)))


def _spread_states(mu: npt.NDArray[np.float32], start: int) -> list[npt.NDArray[np.float32]]:
    """Latent coordinates of particles far from each other and from the first one."""
    sample = mu[:: max(1, len(mu) // 2000)]
    distance = np.square(sample - mu[start]).sum(axis=1)
    chosen: list[npt.NDArray[np.float32]] = []
    while len(chosen) < N_REFERENCES and distance.max() > 0:
        chosen.append(sample[int(np.argmax(distance))])
        distance = np.minimum(distance, np.square(sample - chosen[-1]).sum(axis=1))
    return chosen


def _nearest_volume(
    run: OpenRun, request: _Request, *, with_scales: bool
) -> tuple[ShownVolume | None, list[IntensityScale]]:
    """The k-means volume nearest in z, and the statistics of several of them."""
    from napari_cryodrgn.io.mrc import read_volume

    states = analysis_states(run)
    state = nearest_state(states, request.z)
    if state is None:
        return None, []
    volume = read_volume(state.file)
    others = [state, *states[:N_REFERENCES]] if with_scales else []
    shown = ShownVolume(
        volume.data,
        run.pixel_size or file_pixel_size(volume.pixel_size),
        state.z,
        shown_epoch(run) or 0,
        f"{state.file.parent.name}/{state.file.name}",
        request.pick,
        file=state.file,
    )
    return shown, [IntensityScale.of(read_volume(other.file).data) for other in others]
