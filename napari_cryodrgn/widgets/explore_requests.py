"""States asked for by hand: of those that come faster than the event loop turns, the last one."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer

from napari_cryodrgn.session import Session

APART = 0.01
"""Moves that follow one another more quickly than this, in s, come in a burst."""


@dataclass(frozen=True, eq=False)
class _Wish:
    """A latent point, or the particle at a position."""

    z: npt.NDArray[np.float32]
    position: int | None
    source: str


class StateRequests(QObject):
    """Asks the session for states while something is dragged, and when it is let go.

    The first move is sent at once. Those that follow within `APART` come in a burst: of these only
    the last is sent, when the event loop has come round. The last of all is always sent.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: _Wish | None = None
        self._sent = -APART
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self.flush)

    @property
    def z(self) -> npt.NDArray[np.float32] | None:
        """The latent point that is shown or will be next, (zdim,); None before the first."""
        if self._waiting is not None:
            return self._waiting.z
        state = self._session.state_now
        return None if state is None else state.z

    def move(self, z: npt.NDArray[np.floating], source: str) -> None:
        """Show this latent point on the way to another one."""
        self._wait(_Wish(np.asarray(z, dtype=np.float32), None, source))

    def move_to_particle(self, position: int, source: str) -> None:
        """Show this particle on the way to another one."""
        latent = self._session.latent
        if latent is not None:
            self._wait(_Wish(latent.mu[position], position, source))

    def settle(self, z: npt.NDArray[np.floating], source: str) -> None:
        """Show this latent point, and stay there."""
        self.cancel()
        self._session.request_z(np.asarray(z, dtype=np.float32), source=source)

    def settle_at_particle(self, position: int, source: str) -> None:
        """Show this particle, and stay there."""
        self.cancel()
        self._session.pick(position, source=source)

    def flush(self) -> None:
        """Send what waits, now."""
        wish, self._waiting = self._waiting, None
        if wish is None:
            return
        self._turn.stop()
        self._sent = time.monotonic()
        if wish.position is None:
            self._session.request_z(wish.z, moving=True, source=wish.source)
        else:
            self._session.pick(wish.position, moving=True, source=wish.source)

    def cancel(self) -> None:
        """Drop what waits."""
        self._waiting = None
        self._turn.stop()

    def _wait(self, wish: _Wish) -> None:
        self._waiting = wish
        # The window may be painted before the event loop comes round, which takes long.
        if time.monotonic() - self._sent >= APART:
            self.flush()
        else:
            self._turn.start()
