"""Where the volumes of a session come from: its run's decoder, or files in the run's folder.

Whatever arrives on the decoder's thread or on the file reader's is brought to the
session's own thread before anything of the session is touched.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_cryodrgn.decoding.records import (
    DecodedVolume,
    DecodeFailure,
    RungName,
    SurrogateRecord,
)
from napari_cryodrgn.errors import InputError
from napari_cryodrgn.session_decoder import Decoder, MakeDecoder, relative_error
from napari_cryodrgn.session_records import IntensityScale, Notice, Pick, ShownVolume
from napari_cryodrgn.session_volume_files import (
    nearest_state,
    read_state,
    reconstruction,
    scales_of,
)

if TYPE_CHECKING:
    from napari_cryodrgn.workflows.analysis_files import AnalysisVolume
    from napari_cryodrgn.workflows.open_run import OpenRun

ALL_RUNGS: tuple[RungName, ...] = ("surrogate", "preview", "exact")
QUICK_RUNGS: tuple[RungName, ...] = ("surrogate", "preview")
MOVING_BOX = 40
"""While something is dragged the network goes up to this box, where it has no preview."""

HOLD_SECONDS = 0.5
"""So long, while something is dragged, a decode that has shown nothing yet is let run before a
newer one takes its place: where no surrogate is to be trusted, each would cancel the one before
and nothing would be seen until the mouse rests."""

REST_SECONDS = 0.1
"""So long the mouse rests before the network is asked where a surrogate is trusted: decoding
takes the processor from the window, which then lags behind the mouse."""

N_SEEDS = 64
"""States spread over the latent space of which the surrogate is made to begin with."""

N_REFERENCES = 4
REFERENCE_BOX = 48
"""States decoded before the first volume is shown, and their box at most, so that contrast and
contour are set from several volumes, at once and always from the same ones."""

Call = Callable[[], None]


@dataclass(frozen=True, eq=False)
class _Request:
    """Tag of a request: what it is for, and when it was asked."""

    z: npt.NDArray[np.float32]
    pick: Pick | None
    asked: float
    reference: bool = False
    moving: bool = False
    done: Callable[[ShownVolume], None] | None = None


class VolumeFeed:
    """Volumes of one run at one epoch after another, the latest one asked for.

    Parameters
    ----------
    deliver : callable
        Brings a call to the session's thread.
    make_decoder : callable
        Makes the decoder of a run, given a callback for its results.
    show : callable
        Takes each volume.
    tell : callable
        Takes what goes wrong.
    set_busy : callable
        Told whether a volume is awaited.
    """

    def __init__(
        self,
        deliver: Callable[[Call], None],
        make_decoder: MakeDecoder,
        *,
        show: Callable[[ShownVolume], None],
        tell: Callable[[Notice], None],
        set_busy: Callable[[bool], None],
    ) -> None:
        self._deliver = deliver
        self._make_decoder = make_decoder
        self._show, self._tell, self._set_busy = show, tell, set_busy
        self._run: OpenRun | None = None
        self._decoder: Decoder | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._references: list[npt.NDArray[np.float32]] = []
        self._scales: list[IntensityScale] = []
        self._latest: _Request | None = None
        self._unanswered: _Request | None = None
        self._has_preview = False
        self._awaited = False
        self._aside: deque[_Request] = deque()
        self._aside_runs = False
        self._seeds: list[npt.NDArray[np.float32]] = []
        self._guess: DecodedVolume | None = None
        self._generation = 0
        self.scale: IntensityScale | None = None

    def set_run(self, run: OpenRun | None, states: list[npt.NDArray[np.float32]]) -> None:
        """Go over to another run or epoch.

        Its scale is set from the first of these states, its surrogate made of all.
        """
        self.stop()
        self._run = run
        self._references = states[:N_REFERENCES]
        self._seeds = list(states[N_REFERENCES:])
        self._scales = []
        self._has_preview = False
        self.scale = None

    def decode(
        self, z: npt.NDArray[np.float32], pick: Pick | None, *, moving: bool = False
    ) -> None:
        """Ask the decoder for a volume, instead of any that was asked for before."""
        self._latest = _Request(z, pick, time.monotonic(), moving=moving)
        self._await(True)
        before = self._unanswered
        # References are all answered; of what moves the newest follows upon an answer.
        waits = before is not None and (
            before.reference or (moving and time.monotonic() - before.asked < HOLD_SECONDS)
        )
        if not waits:
            self._ask_decoder()

    def decode_aside(
        self,
        z: npt.NDArray[np.float32],
        pick: Pick | None,
        done: Callable[[ShownVolume], None],
    ) -> None:
        """Decode a state in full for somebody else, when nothing that is shown waits."""
        self._aside.append(_Request(z, pick, time.monotonic(), done=done))
        self._ask_aside()

    @property
    def surrogate(self) -> SurrogateRecord | None:
        """What the surrogate is made of; None without one."""
        return None if self._decoder is None else self._decoder.surrogate

    def read_nearest(self, pick: Pick) -> None:
        """Ask for the volume in the run's folder that is nearest to a particle in z."""
        self._read(_Request(pick.z, pick, time.monotonic()), partial(nearest_state, z=pick.z))

    def read_only(self) -> None:
        """Ask for the one volume of a run without latent space."""
        self._read(_Request(np.zeros(0, np.float32), None, time.monotonic()), reconstruction)

    def stop(self) -> None:
        """Stop both threads; a later request starts them again."""
        self._generation += 1
        self._latest = None
        self._references = []
        self._aside.clear()
        self._aside_runs = False
        self._unanswered = None
        if self._decoder is not None:
            # It waits for its thread, which may be loading weights; whatever still comes
            # of it belongs to an older generation.
            threading.Thread(target=self._decoder.close, name="decoder-closing").start()
            self._decoder = None
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)
            self._reader = None
        self._await(False)

    def _await(self, awaited: bool) -> None:
        self._awaited = awaited
        self._set_busy(awaited)

    def _the_decoder(self, run: OpenRun) -> Decoder:
        if self._decoder is None:
            self._decoder = self._make_decoder(run, partial(self._decoded, self._generation))
        return self._decoder

    def _ask_decoder(self) -> None:
        """Ask for the next reference state, then for what is wanted."""
        if self._run is None or self._latest is None:
            return
        decoder = self._the_decoder(self._run)
        self._aside_runs = False  # the decoder drops it; it stays first in the row
        if self._references and self._run.config is not None:
            z = self._references[0]
            self._unanswered = _Request(z, None, time.monotonic(), reference=True)
            small = min(self._run.config.box, REFERENCE_BOX)
            decoder.request(z, self._unanswered, box=small)
        else:
            # Held from now on, and not since it was asked for.
            self._latest = replace(self._latest, asked=time.monotonic())
            self._unanswered = self._latest
            rungs, box = self._goal(self._latest)
            patience = REST_SECONDS if self._latest.moving else 0.0
            decoder.request(self._latest.z, self._latest, box=box, rungs=rungs, patience=patience)

    def _goal(self, request: _Request) -> tuple[tuple[RungName, ...], int | None]:
        """Up to which rung to climb, and to which box: in full only at rest."""
        if not request.moving:
            return ALL_RUNGS, None
        if self._has_preview:
            return QUICK_RUNGS, None
        config = None if self._run is None else self._run.config
        return ALL_RUNGS, None if config is None else min(config.box, MOVING_BOX)

    def _ask_aside(self) -> None:
        """Go on with what was asked for aside, once all that is shown has come to rest."""
        waits = self._awaited or (self._latest is not None and self._latest.moving)
        if self._run is None or not self._aside or self._aside_runs or waits:
            return
        self._aside_runs = True
        self._the_decoder(self._run).request(self._aside[0].z, self._aside[0], rungs=("exact",))

    def _decoded(self, generation: int, result: DecodedVolume | DecodeFailure) -> None:
        """Take a result on the decoder's thread."""
        if isinstance(result, DecodeFailure):
            notice = Notice(result.message, "error", result.details)
            self._deliver(partial(self._take_failure, generation, notice, result.tag))
            return
        wanted = self.scale is None and isinstance(result.tag, _Request)
        scale = IntensityScale.of(result.data) if wanted else None
        measured = None
        if result.rung == "surrogate":
            self._guess = result
        elif result.rung == "exact" and self._guess is not None:
            if self._guess.tag is result.tag:
                measured = relative_error(self._guess.data, result.data)
            self._guess = None
        self._deliver(partial(self._take_volume, generation, result, scale, measured))

    def _take_failure(self, generation: int, notice: Notice, tag: object = None) -> None:
        if generation != self._generation:
            return
        if self._aside and tag is self._aside[0]:
            self._aside.popleft()
            self._aside_runs = False
        else:
            self._references = []
            self._unanswered = None
            self._await(False)
        self._tell(notice)
        self._ask_aside()

    def _take_volume(
        self,
        generation: int,
        result: DecodedVolume,
        scale: IntensityScale | None,
        measured: float | None,
    ) -> None:
        request = result.tag
        if generation != self._generation or not isinstance(request, _Request):
            return
        if request is self._unanswered:
            self._unanswered = None
        if request.reference:
            if self._references and request.z is self._references[0]:
                self._references.pop(0)
                self._scales += [] if scale is None else [scale]
                self._ask_decoder()
            return
        self._has_preview |= result.rung == "preview"
        if self.scale is None and not self._scales and scale is not None:
            self._scales.append(scale)
        shown = _shown(result, request, measured)
        if request.done is None:
            if self._unanswered is None and request is not self._latest:
                self._ask_decoder()  # what was held back while this one was decoded
            self._finish(request, shown)
        elif self._aside and request is self._aside[0]:
            self._aside.popleft()
            self._aside_runs = False
            request.done(shown)
            self._ask_aside()

    def _finish(self, request: _Request, shown: ShownVolume) -> None:
        current = request is self._latest
        if current and shown.last:
            self._await(False)
        if self.scale is None:
            self.scale = IntensityScale.over(self._scales)
        self._show(shown)
        if current and shown.last:
            self._seed()
            self._ask_aside()

    def _seed(self) -> None:
        """Once, after the first volume is there: what the surrogate is to be made of."""
        if self._seeds and self._decoder is not None:
            seeds, self._seeds = self._seeds, []
            self._decoder.seed_states(np.stack(seeds))

    def _read(self, request: _Request, choose: Callable[[OpenRun], AnalysisVolume | None]) -> None:
        if self._run is None:
            return
        self._latest = request
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="volume-reader")
        self._await(True)
        self._reader.submit(self._read_file, self._generation, self._run, request, choose)

    def _read_file(
        self,
        generation: int,
        run: OpenRun,
        request: _Request,
        choose: Callable[[OpenRun], AnalysisVolume | None],
    ) -> None:
        """On the reader's thread; nothing to do where a newer request has come."""
        if request is not self._latest:
            return
        try:
            state = choose(run)
            shown = None if state is None else read_state(run, state, request.pick)
            scales = [] if shown is None or self.scale else scales_of(run, shown)
        except (InputError, OSError) as error:
            notice = Notice(str(error), "error")
            self._deliver(partial(self._take_failure, generation, notice))
        else:
            self._deliver(partial(self._take_read, generation, request, shown, scales))

    def _take_read(
        self,
        generation: int,
        request: _Request,
        shown: ShownVolume | None,
        scales: list[IntensityScale],
    ) -> None:
        if generation != self._generation or request is not self._latest:
            return
        if shown is None:
            self._await(False)
            return
        self._scales = self._scales or scales
        self._finish(request, shown)


def _shown(result: DecodedVolume, request: _Request, measured: float | None) -> ShownVolume:
    return ShownVolume(
        result.data,
        result.pixel_size,
        request.z,
        result.epoch,
        result.rung,
        request.pick,
        result.seconds,
        full_box=result.full_box,
        error=result.error,
        measured_error=measured,
        last=result.last,
        moving=request.moving,
    )


def drawn_states(mu: npt.NDArray[np.float32], start: int) -> list[npt.NDArray[np.float32]]:
    """Latent coordinates of particles drawn at random, those far from each other first.

    Drawn, so that they lie where most particles do: the extremes of all would be junk. The
    same for the same latents.
    """
    n = min(N_SEEDS, len(mu))
    sample = mu[np.random.default_rng(0).choice(len(mu), n, replace=False)]
    distance = np.square(sample - mu[start]).sum(axis=1)
    chosen: list[npt.NDArray[np.float32]] = []
    while distance.max(initial=0) > 0:
        chosen.append(sample[int(np.argmax(distance))])
        distance = np.minimum(distance, np.square(sample - chosen[-1]).sum(axis=1))
    return chosen
