"""The random walk in the window: one latent point after another, as fast as they are shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer, Signal

from napari_cryodrgn.latent.neighbours import LatentNeighbours
from napari_cryodrgn.latent.random_walk import RandomWalk
from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import ShownVolume, State
from napari_cryodrgn.widgets.background import Latest

SOURCE = "random walk"

TICK = 50
"""Shortest time between two points, ms."""

PATIENCE = 3.0
"""Time after which the walk goes on though the last point was not shown, s."""

AHEAD = 16
"""Points that are made at a time, on a thread of their own."""

Points = list[npt.NDArray[np.float32]]


class Walker(QObject):
    """Walks through the session's latent space until it is stopped, or another state is chosen."""

    running_changed = Signal(bool)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._latest: Latest[Points] = Latest(self._take, "random-walk")
        self._walk: RandomWalk | None = None
        self._points: Iterator[npt.NDArray[np.float32]] = iter(())
        self._ahead: deque[npt.NDArray[np.float32]] = deque()
        self._asked = False
        self._sent: npt.NDArray[np.float32] | None = None
        self._shown = True
        self._sent_at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._step)

    @property
    def running(self) -> bool:
        """Whether it walks."""
        return self._walk is not None

    def start(self, neighbours: LatentNeighbours, frames: float, seed: int) -> None:
        """Walk from the present state on.

        Parameters
        ----------
        neighbours : LatentNeighbours
            Of the particles shown.
        frames : float
            Points for each step from particle to particle: the more, the slower.
        seed : int
            Same seed and start, same walk.
        """
        state = self._session.state_now
        if state is None or not len(state.z):
            return
        self._walk = RandomWalk(neighbours, state.z, seed=seed, frames=frames)
        self._points = iter(self._walk)
        self._ahead.clear()
        self._sent, self._shown, self._asked = None, True, False
        self._ask()
        self._timer.start()
        self.running_changed.emit(True)

    def set_frames(self, frames: float) -> None:
        """Another pace, from the next points on."""
        if self._walk is not None:
            self._walk.frames = frames

    def stop(self) -> None:
        """Stay at the point reached, which is then shown as well as it can be."""
        sent = self._end()
        if sent is not None:
            self._session.request_z(sent, source=SOURCE)

    def abandon(self) -> None:
        """Walk no more, and ask for nothing: the latent space is another one now."""
        self._end()

    def shutdown(self) -> None:
        """Stop the thread, too."""
        self._end()
        self._latest.stop()

    def hear_state(self, state: State) -> None:
        """Another state was chosen by hand: leave it there."""
        if state.source != SOURCE:
            self._end()

    def hear_volume(self, volume: ShownVolume) -> None:
        """The point asked for is on the screen: the next may come."""
        if self._sent is not None and np.array_equal(volume.z, self._sent):
            self._shown = True

    def _end(self) -> npt.NDArray[np.float32] | None:
        """Walk no more; where it was."""
        if self._walk is None:
            return None
        self._walk = None
        self._timer.stop()
        self._latest.cancel()
        self.running_changed.emit(False)
        return self._sent

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._latest.request(partial(_take_some, self._points))

    def _take(self, points: Points) -> None:
        self._asked = False
        if self.running:
            self._ahead.extend(points)

    def _step(self) -> None:
        if len(self._ahead) < AHEAD // 2:
            self._ask()
        waited = time.monotonic() - self._sent_at
        if not self._ahead or not (self._shown or waited > PATIENCE):
            return
        self._sent = self._ahead.popleft()
        self._shown, self._sent_at = False, time.monotonic()
        self._session.request_z(self._sent, moving=True, source=SOURCE)


def _take_some(points: Iterator[npt.NDArray[np.float32]]) -> Points:
    return list(islice(points, AHEAD))
