"""The frames of a path, decoded one after another behind what is shown."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from napari_cryodrgn.session import Session
from napari_cryodrgn.session_records import Notice, ShownVolume

MOST_BYTES = 1_500_000_000
"""Memory that frames may take."""


class FrameStore(QObject):
    """Decodes frames through the session's own decoder, those next to be shown first.

    `decoded` carries the number of each frame that has come.
    """

    decoded = Signal(int)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._generation = 0
        self._asked = False
        self._running = False
        self._from = 0
        self._bytes = 0
        self._volumes: dict[int, ShownVolume] = {}
        self.z: npt.NDArray[np.float32] | None = None
        session.message.connect(self._hear)

    def set_z(self, z: npt.NDArray[np.float32] | None) -> None:
        """Other frames (n, zdim), or none; those that stay the same are not decoded again.

        Frames of another epoch are to be preceded by none: its decoder is another one.
        """
        before, volumes = self.z, self._volumes
        self._generation += 1
        self._asked = self._running = False
        self.z, self._volumes = z, {}
        if before is not None and z is not None and before.shape[1:] == z.shape[1:]:
            known = {before[number].tobytes(): volume for number, volume in volumes.items()}
            for number, point in enumerate(z):
                if point.tobytes() in known:
                    self._volumes[number] = known[point.tobytes()]
        self._bytes = sum(volume.data.nbytes for volume in self._volumes.values())

    def __len__(self) -> int:
        return 0 if self.z is None else len(self.z)

    @property
    def n_decoded(self) -> int:
        """How many have come."""
        return len(self._volumes)

    @property
    def full(self) -> bool:
        """Whether the memory for frames is used up before all have come."""
        return self._bytes >= MOST_BYTES and self.n_decoded < len(self)

    @property
    def running(self) -> bool:
        """Whether frames are being decoded."""
        return self._running and self.n_decoded < len(self) and not self.full

    def run(self, start: int) -> None:
        """Decode all that are missing, those from here on first."""
        self._from, self._running = start, True
        self._ask()

    def stop(self) -> None:
        """Decode no more than the frame that is being decoded."""
        self._running = False

    def volume(self, number: int) -> ShownVolume | None:
        """A frame; None while it has not come."""
        return self._volumes.get(number)

    def nearest(self, number: int) -> int | None:
        """The frame nearest to a number that has come; None before any has."""
        return min(self._volumes, key=lambda one: (abs(one - number), one), default=None)

    def _ask(self) -> None:
        if self._asked or not self.running or self.z is None or not self._session.decodable:
            return
        n = len(self.z)
        order = ((self._from + step) % n for step in range(n))
        missing = next((number for number in order if number not in self._volumes), None)
        if missing is not None:
            self._asked = True
            take = partial(self._take, self._generation, missing)
            self._session.decode_aside(self.z[missing], take)

    def _take(self, generation: int, number: int, volume: ShownVolume) -> None:
        if generation != self._generation:
            return
        self._asked = False
        self._volumes[number] = volume
        self._bytes += volume.data.nbytes
        self._ask()
        self.decoded.emit(number)

    def _hear(self, notice: Notice) -> None:
        """A frame that could not be decoded never comes: the next one asked for may."""
        if notice.kind == "error":
            self._asked = self._running = False
