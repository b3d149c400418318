"""What is open, picked and shown; every dock listens to it and none to another.

A `Session` knows nothing of Qt. Whatever comes from its own threads (the
decoder, a volume file being read) goes through `deliver`, which the window
sets to a function that calls on the GUI thread; signals are therefore always
emitted on the thread that made the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_cryodrgn.config import ParticleConfig
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.latent.path_book import PathBook
from napari_cryodrgn.latent.selection_book import SelectionBook
from napari_cryodrgn.latent.selection_keeper import SelectionKeeper
from napari_cryodrgn.particles import Particles
from napari_cryodrgn.progress import Progress, Task, run_to_end
from napari_cryodrgn.session_decoder import MakeDecoder, decode_engine, missing_weights_text
from napari_cryodrgn.session_explore import ExploreChoices
from napari_cryodrgn.session_history import VisitedStates
from napari_cryodrgn.session_records import (
    IntensityScale,
    Notice,
    NoticeKind,
    Pick,
    ShownVolume,
    State,
)
from napari_cryodrgn.session_volumes import Call, VolumeFeed, drawn_states

if TYPE_CHECKING:
    from napari_cryodrgn.decoding.records import SurrogateRecord
    from napari_cryodrgn.latent.space import LatentSpace
    from napari_cryodrgn.latent.trust import Trust
    from napari_cryodrgn.workflows.open_run import OpenRun


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
    particle_config_changed : Signal(ParticleConfig or None)
        Which files the open particles were read from, or how their images are to be prepared.
    run_changed : Signal(OpenRun or None)
        Another run folder is open.
    epochs_changed : Signal(list of int)
        The epochs that have latents have changed.
    latent_changed : Signal(LatentSpace or None)
        Another epoch is shown, or its analysis is there now.
    state_changed : Signal(State)
        A latent point has been asked for, a particle's or a free one; nothing is decoded yet.
    picked : Signal(Pick)
        A particle has been picked; follows `state_changed`.
    busy_changed : Signal(bool)
        A volume has been asked for, or the last one asked for has come.
    volume_changed : Signal(ShownVolume)
    volume_given : Signal(ShownVolume)
        The Volume dock has given it to the canvas, which is about to be painted.
    support_changed : Signal(Trust or None)
        What speaks for the present state has been found out.
    message : Signal(Notice)
    """

    particles_changed = Signal(object)
    particle_config_changed = Signal(object)
    run_changed = Signal(object)
    epochs_changed = Signal(list)
    latent_changed = Signal(object)
    state_changed = Signal(object)
    picked = Signal(object)
    busy_changed = Signal(bool)
    volume_changed = Signal(object)
    volume_given = Signal(object)
    support_changed = Signal(object)
    message = Signal(object)

    def __init__(
        self,
        deliver: Callable[[Call], None] = call_at_once,
        make_decoder: MakeDecoder = decode_engine,
    ) -> None:
        self._volumes = VolumeFeed(
            deliver,
            make_decoder,
            show=self._show,
            tell=self.message.emit,
            set_busy=self._set_busy,
        )
        self._epochs: list[int] = []
        self._users: set[int] = set()
        self._told_missing = False
        self._weights: tuple[Path, int] | None = None
        self.particles: Particles | None = None
        self.particle_config: ParticleConfig | None = None
        self.run: OpenRun | None = None
        self.pick_now: Pick | None = None
        self.state_now: State | None = None
        self.volume: ShownVolume | None = None
        self.busy = False
        self.support: Trust | None = None
        self.explore = ExploreChoices()
        self.history = VisitedStates()
        self.history.follow(self)
        self.selections = SelectionBook()
        self._keeper = SelectionKeeper(self.selections, deliver, self.say)
        # Before any dock hears of it: masks fit the latent space when plots are renewed.
        self.run_changed.connect(self._keeper.set_run)
        self.latent_changed.connect(self._keeper.set_space)
        self.paths = PathBook()
        self.run_changed.connect(lambda run: self.paths.set_run(run and run.folder))
        self.latent_changed.connect(self.paths.set_space)
        self.paths.problem.connect(lambda text: self.say(text, "warning"))

    # Particles

    def set_particles(
        self, particles: Particles | None, config: ParticleConfig | None = None
    ) -> None:
        """Make a particle set the open one.

        Parameters
        ----------
        particles : Particles or None
            The set, or none.
        config : ParticleConfig, optional
            The files it was read from; its source table alone if not given.
        """
        if particles is not None and config is None:
            config = ParticleConfig(particles=particles.source.path)
        self.particles = particles
        self.particle_config = None if particles is None else config
        self.particles_changed.emit(particles)
        self.particle_config_changed.emit(self.particle_config)

    def set_invert_data(self, invert_data: bool) -> None:
        """Say whether training is to invert the contrast of the open particles' images."""
        config = self.particle_config
        if config is not None and config.invert_data != invert_data:
            self.particle_config = config.model_copy(update={"invert_data": invert_data})
            self.particle_config_changed.emit(self.particle_config)

    def open_particles(self, path: str | Path, **options: Any) -> Particles:
        """Read a particle set here and now, and make it the open one (see `reading_particles`)."""
        particles = run_to_end(reading_particles(path, **options))
        self.set_particles(particles, particle_config(path, options))
        return particles

    # The run and its epochs

    def set_run(self, run: OpenRun | None) -> None:
        """Show a run that has been read: another one, another epoch, or its new analysis.

        The decoder follows: of an epoch with weights it is made at once, on its
        own thread, and shows the picked particle again, or to begin with the one
        nearest to the middle of the latent space.
        """
        before, self.run = self.run, run
        same_run = before is not None and run is not None and before.folder == run.folder
        weights, self._weights = self._weights, _weights_now(run)
        same_epoch = same_run and weights == self._weights and _epoch(before) == _epoch(run)
        if not same_run:
            self._told_missing = False
            self.pick_now = None
            self.state_now = None
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
        return self.run is None or not self._epochs or self.run.epoch == self._epochs[-1]

    # Picking and decoding

    def pick(self, position: int, *, moving: bool = False, source: str = "click") -> None:
        """Choose the particle at a position of the latent space, and show its volume.

        Parameters
        ----------
        position : int
            Position in the latent space shown; one that is out of range picks nothing.
        moving : bool
            Whether a drag is being moved over particles: quick volumes only, until a call
            without it settles.
        source : str
            How one came there.
        """
        latent = self.latent
        if latent is None or not 0 <= position < len(latent):
            return
        name = latent.columns["image_name"].iat[position] if "image_name" in latent.columns else ""
        pick = Pick(position, latent.rows.at([position]), latent.mu[position], str(name))
        self.pick_now = pick
        self._announce(State(pick.z, pick, source, moving))
        if self.decodable:
            self._volumes.decode(pick.z, pick, moving=moving)
        else:
            self._tell_missing()
            self._volumes.read_nearest(pick)

    def request_z(self, z: npt.ArrayLike, *, moving: bool = False, source: str = "") -> None:
        """Show the volume of any latent point.

        Parameters
        ----------
        z : (zdim,) array-like
            The latent point.
        moving : bool
            Whether a drag or a slider is being moved: quick volumes only, until a call
            without it settles.
        source : str
            How one came there, such as "slider z3".

        Raises
        ------
        InputError
            Where z is not finite or has another length than the latent space.
        """
        point = np.array(z, dtype=np.float32).reshape(-1)
        if self.latent is not None and point.size != self.latent.mu.shape[1]:
            raise InputError(
                f"a latent point of this run has {self.latent.mu.shape[1]} coordinates",
                field="z",
                value=f"{point.size} coordinates",
            )
        if not np.isfinite(point).all():
            raise InputError("a latent point must be finite", field="z", value=point.tolist())
        self._announce(State(point, None, source, moving))
        if self.decodable:
            self._volumes.decode(point, None, moving=moving)
        else:
            self._tell_missing()

    def decode_aside(
        self, z: npt.ArrayLike, done: Callable[[ShownVolume], None], pick: Pick | None = None
    ) -> None:
        """Decode a latent point in full without showing it, when nothing shown waits.

        Parameters
        ----------
        z : (zdim,) array-like
            The latent point, of the epoch shown.
        done : callable
            Takes the volume, on the session's thread; not called any more once another epoch
            or run is shown.
        pick : Pick, optional
            The particle whose z it is.
        """
        if self.decodable:
            self._volumes.decode_aside(np.array(z, dtype=np.float32).reshape(-1), pick, done)

    def show_decoded(self, volume: ShownVolume, source: str) -> None:
        """Show a volume that was decoded aside, such as a frame of a path.

        Parameters
        ----------
        volume : ShownVolume
            Of the epoch shown; its `moving` says whether others are to follow at once.
        source : str
            Where it comes from: "Path 1, frame 3 of 20".
        """
        self._announce(State(volume.z, volume.pick, source, volume.moving))
        self._show(volume)

    @property
    def surrogate(self) -> SurrogateRecord | None:
        """What the surrogate of this epoch is made of; None before there is one."""
        return self._volumes.surrogate

    def _announce(self, state: State) -> None:
        self.state_now = state
        self.state_changed.emit(state)
        if state.pick is not None:
            self.picked.emit(state.pick)

    @property
    def decodable(self) -> bool:
        """Whether the epoch shown has weights to decode with."""
        return self.run is not None and self.run.weights is not None and self.run.config is not None

    @property
    def users(self) -> int:
        """How many docks use it."""
        return len(self._users)

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
        self._volumes.stop()
        self._keeper.flush()

    @property
    def scale(self) -> IntensityScale | None:
        """Statistics by which all volumes of this epoch are shown; None before the first."""
        return self._volumes.scale

    def set_support(self, support: Trust | None) -> None:
        """Tell what speaks for the present state."""
        self.support = support
        self.support_changed.emit(support)

    def say(self, text: str, kind: NoticeKind = "info", details: str = "") -> None:
        """Tell the person at the window something."""
        self.message.emit(Notice(text, kind, details))

    def _change_weights(self) -> None:
        """Follow to another epoch: its own decoder, its own scale, the same particle."""
        latent = self.latent
        if latent is None or not len(latent):
            self._volumes.set_run(self.run, [])
            self._show_only_volume()
            return
        # Of a million, every fiftieth: the window waits for this.
        step = 1 + len(latent) // 20_000
        some = latent.mu[::step]
        start = middle = step * int(np.argmin(np.square(some - some.mean(axis=0)).sum(axis=1)))
        if self.pick_now is not None and self.pick_now.position < len(latent):
            start = self.pick_now.position
        # From the middle, whatever is picked: the same contour for the same epoch.
        spread = drawn_states(latent.mu, middle) if self.decodable else []
        self._volumes.set_run(self.run, spread)
        free = self.state_now
        if free is not None and free.pick is None and free.z.size == latent.mu.shape[1]:
            self.request_z(free.z, source=free.source)
        else:
            self.pick(start, source="epoch")

    def _show_only_volume(self) -> None:
        """Of a run without latents: its one volume, where it is meant to have only one."""
        if self.run is None or self.run.config is None or self.run.config.model.zdim:
            return
        if self.decodable:
            self._volumes.decode(np.zeros(0, np.float32), None)
        else:
            self._tell_missing()
            self._volumes.read_only()

    def _show(self, volume: ShownVolume) -> None:
        self.volume = volume
        self.volume_changed.emit(volume)

    def _set_busy(self, busy: bool) -> None:
        if busy != self.busy:
            self.busy = busy
            self.busy_changed.emit(busy)

    def _tell_missing(self) -> None:
        if self.run is not None and not self._told_missing:
            self._told_missing = True
            self.say(missing_weights_text(self.run), "warning")


def reading_particles(path: str | Path, **options: Any) -> Task[Particles]:
    """Read and check a particle set; options as ``io.import_particles.read_particles``."""
    from napari_cryodrgn.io.import_particles import read_particles

    yield Progress(0, None, f"Reading {Path(path).name}")
    return read_particles(path, **options)


def particle_config(path: str | Path, options: Mapping[str, Any]) -> ParticleConfig:
    """The files of a particle set, as training is told them, from options of reading it."""
    known = {name: value for name, value in options.items() if name in ParticleConfig.model_fields}
    return ParticleConfig(particles=Path(path), **known)


def reading_run(
    path: str | Path, epoch: int | None = None, before: OpenRun | None = None
) -> Task[OpenRun]:
    """Read all there is of a run at an epoch, the latest one without a number.

    Of the same run opened before, the particles are taken over where `before` is given.
    """
    from napari_cryodrgn.workflows.open_run import open_run

    yield Progress(0, None, f"Opening {Path(path).name}")
    return open_run(path, epoch, before)


def _epoch(run: OpenRun | None) -> int | None:
    return None if run is None else run.epoch


def _weights_now(run: OpenRun | None) -> tuple[Path, int] | None:
    """The weights of a run, and when they were written: a new training may replace them."""
    if run is None or run.weights is None:
        return None
    return run.weights, run.weights.stat().st_mtime_ns
